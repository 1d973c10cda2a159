"""A small raw BIDS data set of practice patients, and the official validator of BIDS."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from glioseg.dataset.phantom import make_phantom
from glioseg.volume import CHANNELS

SIZE, SLICES = 64, 8
# Right to left, front to back, neck to crown, as the practice patients lie.
AFFINE = np.diag([-220 / SIZE, -220 / SIZE, 150 / SLICES, 1])


def write_raw_data(root: Path) -> Path:
    """Two subjects, one of them with two sessions, the first of which has two runs."""
    write_text(root / "dataset_description.json", {"Name": "Practice", "BIDSVersion": "1.10.0", "License": "CC0"})
    write_text(root / "README.md", "Practice patients.\n")
    write_visit(root / "sub-01", "sub-01", seed=1)
    write_visit(root / "sub-02/ses-1", "sub-02_ses-1", seed=2, run="run-1_")
    write_visit(root / "sub-02/ses-1", "sub-02_ses-1", seed=2, run="run-2_")
    write_visit(root / "sub-02/ses-2", "sub-02_ses-2", seed=3, sequences=("flair",))
    return root


def write_visit(
    folder: Path, stem: str, *, seed: int, run: str = "", sequences: tuple[str, ...] = ("pre", "flair", "post")
) -> None:
    volume, _ = make_phantom(seed, size=SIZE, slices=SLICES)
    names = {"pre": f"{stem}_{run}T1w", "flair": f"{stem}_{run}FLAIR", "post": f"{stem}_ce-gd_{run}T1w"}
    for sequence in sequences:
        write_image(folder / "anat" / f"{names[sequence]}.nii.gz", volume.voxels[..., CHANNELS.index(sequence)])


def write_image(path: Path, voxels: NDArray[Any]) -> None:
    """Voxels (slice, row, column), and after them further axes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(np.moveaxis(voxels, (0, 1, 2), (2, 1, 0)).astype(np.float32), AFFINE)
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, path)


def write_text(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def errors_of(folder: Path) -> list[str]:
    """What the official validator finds wrong; what it only recommends does not count."""
    call = [sys.executable, "-c", "from bids_validator_deno import cli; cli()", str(folder), "--format", "json"]
    answer = subprocess.run(call, capture_output=True, text=True, timeout=300)
    issues = json.loads(answer.stdout)["issues"]["issues"]
    return [f"{issue['code']} {issue.get('location')}" for issue in issues if issue["severity"] == "error"]
