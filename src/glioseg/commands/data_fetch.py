"""``glioseg data fetch``: the dataset, through Kaggle's own client, which asks for the user's own account."""

import shutil
import subprocess
from pathlib import Path

from glioseg.atomic import atomic_folder, check_empty
from glioseg.dataset.lgg import find_patient_folders
from glioseg.errors import GliosegError, MissingLibraryError

DATASET = "mateuszbuda/lgg-mri-segmentation"
BY_HAND = f"download https://www.kaggle.com/datasets/{DATASET} in a browser, and unpack it"


def fetch(dest: Path) -> int:
    """Fetch the dataset into a new folder, whole or not at all.

    Args:
        dest: A new or empty folder.

    Returns:
        How many patients it holds.

    Raises:
        GliosegError: If the folder holds something, the client is not installed, or it fails or brings something else.
    """
    check_empty(dest)
    client = shutil.which("kaggle")
    if client is None:
        raise MissingLibraryError(
            "Kaggle's own client, through which the dataset is fetched, is not installed",
            remedy=f"Install it with 'pip install kaggle' and give it a token as it tells;\nor {BY_HAND} into {dest}",
        )
    with atomic_folder(dest) as folder:
        command = [client, "datasets", "download", DATASET, "--unzip", "--path", str(folder)]
        ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        if ran.returncode:
            said = ran.stdout.strip().splitlines() or [f"exit code {ran.returncode}"]
            raise GliosegError(f"Kaggle's client could not fetch {DATASET}", found=said[-1], remedy=f"Or {BY_HAND}")
        return len(find_patient_folders(folder))
