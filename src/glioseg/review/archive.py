"""Send what readers accepted to a DICOMweb archive."""

import json
from collections.abc import Callable
from pathlib import Path

from glioseg.errors import GliosegError
from glioseg.review.store import KEPT, Store


def send_results(
    folder: Path, store: Store, reading: str, url: str, store_files: Callable[[str, list[Path]], int]
) -> int:
    """Send the DICOM results of a reading that the archive does not have yet, and note each that it took.

    Args:
        folder: The reading's results.
        store: The readers' decisions.
        reading: Whose.
        url: The archive's DICOMweb root.
        store_files: Sends files, as :func:`glioseg.archive.dicomweb.store_files`.

    Returns:
        How many objects the archive took.

    Raises:
        GliosegError: If the reading has no DICOM result, or the archive refuses one; those before it are noted.
    """
    kept = [row for row in store.last_savings(reading).values() if row["state"] in KEPT and row["files"]]
    results = {row["saving"]: _objects(folder, row["files"]) for row in kept if row["sent_to"] != url}
    if not any(_objects(folder, row["files"]) for row in kept):
        raise GliosegError(
            f"{folder} holds no DICOM result to send",
            expected="accepted or corrected cases whose scans are DICOM",
            found=f"{len(kept)} results of other formats" if kept else "no accepted or corrected case",
        )
    sent = 0
    for saving, paths in results.items():
        if paths:
            sent += store_files(url, paths)
            store.mark_sent(saving, url)
    return sent


def _objects(folder: Path, files: str) -> list[Path]:
    return [folder / name for name in json.loads(files) if name.endswith(".dcm")]
