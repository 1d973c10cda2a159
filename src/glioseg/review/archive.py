"""From and to a DICOMweb archive: the scans of masks, and what readers accepted."""

import json
from collections.abc import Callable
from pathlib import Path

from glioseg.atomic import atomic_folder
from glioseg.errors import BadFileError, GliosegError
from glioseg.review.cases import FETCHED, fetched_scans
from glioseg.review.store import KEPT, Store


def fetch_scans(folder: Path, url: str, fetch_examination: Callable[[str, str, Path], object]) -> None:
    """Fetch the scans of masks, each examination whole and once, to where :func:`fetched_scans` finds them.

    Args:
        folder: What ``glioseg predict`` wrote for DICOM.
        url: The archive's DICOMweb root.
        fetch_examination: Fetches an examination into a folder, as :func:`glioseg.archive.dicomweb.fetch_examination`.

    Raises:
        GliosegError: If no result names its examination, or the archive does not give one; those before it are there.
    """
    uids = sorted({_study_uid(path) for path in folder.glob("*_seg.dcm")})
    if not uids:
        raise GliosegError(
            f"{folder} holds no DICOM result that names its examination",
            expected="<patient>_seg.dcm, as 'glioseg predict --dicomweb' writes it",
            remedy="Give the folder of the scans with --scans",
        )
    there = {path.name for path in fetched_scans(folder)}
    for uid in uids:
        if uid not in there:
            with atomic_folder(folder / FETCHED / uid) as scans:
                fetch_examination(url, uid, scans)


def send_results(
    folder: Path, store: Store, reading: str, url: str, store_files: Callable[[str, list[Path]], int]
) -> int:
    """Send the DICOM results of a reading that the archive does not have yet, and note each that it took.

    Args:
        folder: The reading's results.
        store: The readers' decisions.
        reading: Whose decisions count, by the name of the reading.
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


def _study_uid(segmentation: Path) -> str:
    from glioseg.formats.dicom_headers import read_identity

    with segmentation.open("rb") as stream:
        identity = read_identity(stream)
    if identity is None:
        raise BadFileError(
            segmentation, "does not name its examination", expected="a DICOM segmentation", remedy="Take it away"
        )
    return identity.study_uid


def _objects(folder: Path, files: str) -> list[Path]:
    return [folder / name for name in json.loads(files) if name.endswith(".dcm")]
