"""Series from a DICOMweb archive and results back to it (PS3.18: QIDO-RS, WADO-RS, STOW-RS)."""

import re
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pydicom
from dicomweb_client.web import DICOMwebClient
from pydicom.dataset import Dataset

from glioseg.archive.session import explained, open_session, sends_readable_credentials
from glioseg.atomic import check_empty
from glioseg.errors import BadFileError, GliosegError
from glioseg.formats.dicom_headers import quiet_parser

PAGE = 500
TIMEOUT_S = (10.0, 120.0)
"""To connect, and between two parts of an answer."""

# Larger than any message, so that none is sent in chunks, which not every archive takes.
_UNCHUNKED = 2**40
_AS_STORED = (("application/dicom", "*"),)


@dataclass(frozen=True)
class RemoteSeries:
    """A series that an archive holds.

    Attributes:
        study_uid: Of the examination.
        series_uid: Of the series.
        modality: As ``MR``.
        number: SeriesNumber, or None.
        description: SeriesDescription; may be empty.
        instances: How many files it has, or None where the archive does not say.
    """

    study_uid: str
    series_uid: str
    modality: str
    number: int | None
    description: str
    instances: int | None


def list_series(url: str, study_uid: str) -> list[RemoteSeries]:
    """The series of an examination.

    Args:
        url: The root of the DICOMweb service, as ``https://host/dicom-web``.
        study_uid: Its StudyInstanceUID.

    Raises:
        GliosegError: If the archive cannot be reached, refuses, or has no such examination.
    """
    _check_uid(study_uid)
    fields = ["NumberOfSeriesRelatedInstances", "SeriesDescription"]
    client = _client(url)
    with explained(url, f"study {study_uid}"), quiet_parser():
        answers = client.search_for_series(study_uid, fields=fields)
        series = [_remote(study_uid, Dataset.from_json(answer)) for answer in answers]
    if not series:
        raise GliosegError(f"{url} has no study {study_uid}", remedy="Check the UID")
    return sorted(series, key=lambda one: (one.number is None, one.number or 0, one.series_uid))


def search_examinations(url: str, query: Mapping[str, str]) -> list[str]:
    """The examinations of an archive that fit a query, by UID in order.

    Args:
        url: The root of the DICOMweb service.
        query: By attribute what it must be, as ``StudyDate`` and ``20240101-20241231``.

    Raises:
        GliosegError: If the archive cannot be reached or refuses.
    """
    client, found = _client(url), dict[str, None]()
    with explained(url, "this query"), quiet_parser():
        while True:
            page = client.search_for_studies(limit=PAGE, offset=len(found), search_filters=dict(query))
            new = [str(Dataset.from_json(answer).StudyInstanceUID) for answer in page]
            # An archive that knows no offset gives the first page again.
            if not set(new) - found.keys():
                break
            found |= dict.fromkeys(new)
    for uid in found:
        _check_uid(uid)
    return sorted(found)


def parse_query(text: str) -> dict[str, str]:
    """Read a query as a person writes it, as ``ModalitiesInStudy=MR,StudyDate=20240101-20241231``.

    Raises:
        GliosegError: If a part is no attribute with a value.
    """
    parts = [part.partition("=") for part in text.split(",")]
    if not all(name.strip() and value.strip() for name, _, value in parts):
        raise GliosegError(
            f"{text!r} is no query",
            expected="attribute=value, and more of them after commas, as StudyDate=20240101-20241231",
        )
    return {name.strip(): value.strip() for name, _, value in parts}


def fetch_examination(
    url: str,
    study_uid: str,
    dest: Path,
    *,
    modalities: Sequence[str] = ("MR",),
    progress: Callable[[str], None] = lambda line: None,
) -> list[Path]:
    """Fetch the series of an examination, each whole or not at all.

    Args:
        url: The root of the DICOMweb service.
        study_uid: Its StudyInstanceUID.
        dest: A new or empty folder.
        modalities: Series of others stay where they are.
        progress: Gets a line for each series, and a warning where credentials would travel unencrypted.

    Returns:
        A folder for each series, named by its UID.

    Raises:
        GliosegError: As :func:`list_series`, or if nothing is of these modalities, a series comes incomplete, or
            ``dest`` cannot be written or holds files.
    """
    check_empty(dest)
    if sends_readable_credentials(url, open_session(url)):
        progress(
            "warning: the credentials travel unencrypted over http; use https where the archive is another machine"
        )
    found = list_series(url, study_uid)
    wanted = [one for one in found if one.modality in modalities]
    if not wanted:
        raise GliosegError(
            f"study {study_uid} has nothing to fetch",
            expected=f"series of modality {' or '.join(modalities)}",
            found=", ".join(sorted({one.modality or "none" for one in found})),
        )
    folders = []
    for one in wanted:
        progress(f'fetching series {one.number} "{one.description}", {one.instances or "?"} files')
        folders.append(_fetch(url, one, dest))
    return folders


def store_files(url: str, paths: Iterable[Path]) -> int:
    """Store DICOM files in an archive, one after the other.

    Returns:
        How many were stored.

    Raises:
        GliosegError: If a file is not DICOM, or the archive cannot be reached or refuses it; the files before it
            are stored.
    """
    client, stored = _client(url), 0
    client.set_chunk_size(_UNCHUNKED)
    for path in paths:
        dataset = _read(path)
        with explained(url, path.name), quiet_parser():
            answer = client.store_instances([dataset])
        failed = answer.get("FailedSOPSequence")
        if failed:
            raise GliosegError(
                f"{url} did not store {path.name}", found=f"failure {int(failed[0].get('FailureReason') or 0):#06x}"
            )
        stored += 1
    return stored


def _client(url: str) -> DICOMwebClient:
    client = DICOMwebClient(url.rstrip("/"), session=open_session(url), timeout=TIMEOUT_S)
    # Its retries would keep the user waiting for half a minute before the first word of a refused connection.
    client.set_http_retry_params(retry=False)
    return client


def _fetch(url: str, series: RemoteSeries, dest: Path) -> Path:
    folder = dest / series.series_uid
    try:
        dest.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=dest, prefix=".fetching.") as name:
            count = _write_instances(url, series, Path(name) / "series")
            if series.instances is not None and count != series.instances:
                raise GliosegError(
                    f"series {series.series_uid} came incomplete",
                    expected=f"{series.instances} files",
                    found=str(count),
                    remedy="Try again",
                )
            (Path(name) / "series").rename(folder)
    except OSError as error:
        raise GliosegError(f"cannot write {folder}: {error.strerror or error}", remedy="Free space") from error
    return folder


def _write_instances(url: str, series: RemoteSeries, folder: Path) -> int:
    folder.mkdir()
    client, count = _client(url), 0
    with explained(url, f"series {series.series_uid}"), quiet_parser():
        instances = client.iter_series(series.study_uid, series.series_uid, media_types=_AS_STORED)
        for count, dataset in enumerate(instances, start=1):
            dataset.save_as(folder / f"{count:06d}.dcm", enforce_file_format=True)
    return count


def _read(path: Path) -> Dataset:
    try:
        return pydicom.dcmread(path)
    except (OSError, pydicom.errors.InvalidDicomError) as error:
        raise BadFileError(path, f"cannot be sent: {error}", expected="a DICOM file") from error


def _remote(study_uid: str, answer: Dataset) -> RemoteSeries:
    series_uid = str(answer.SeriesInstanceUID)
    # It names a folder, and the archive is another's.
    _check_uid(series_uid)
    number, instances = answer.get("SeriesNumber"), answer.get("NumberOfSeriesRelatedInstances")
    return RemoteSeries(
        study_uid=study_uid,
        series_uid=series_uid,
        modality=str(answer.get("Modality") or ""),
        number=None if number is None else int(number),
        description=str(answer.get("SeriesDescription") or ""),
        instances=None if instances is None else int(instances),
    )


def _check_uid(uid: str) -> None:
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)*", uid) or len(uid) > 64:
        raise GliosegError(f"{uid[:80]!r} is no UID", expected="digits and dots, at most 64 characters")
