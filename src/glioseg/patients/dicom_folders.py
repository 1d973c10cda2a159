"""Which folders and zips of DICOM files are one patient's: by the headers, only as far down as is needed.

Where several studies of a person hold a FLAIR, each of these is an examination of its own.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from glioseg.errors import BadFileError, GliosegError
from glioseg.formats.dicom_files import dicom_streams
from glioseg.formats.dicom_headers import Identity, read_identity
from glioseg.formats.dicom_series import find_series
from glioseg.patients.dicom_patient import DicomPatient
from glioseg.patients.found import FoundPatients

Identities = Mapping[Path, Identity | None]


def find_examinations(root: Path, files: Sequence[Path], named: Mapping[str, str], found: FoundPatients) -> None:
    """Take as one patient a folder whose files are one person's, whatever lies below it, or as one for each date.

    Args:
        root: The input.
        files: The DICOM files below it, or the input itself.
        named: Series by sequence, as the user named them.
        found: Gets the patients, those that cannot be told apart, and the files that are left out.
    """
    identities = {path: _identity(path) for path in files}
    indices = [path for path, identity in identities.items() if identity and identity.is_directory]
    found.leave_out(indices, "DICOMDIR")
    for folder, own in _by_person(root, {path: of for path, of in identities.items() if path not in indices}):
        people, damaged = _people(own.values()), [path for path, identity in own.items() if identity is None]
        if len(people) != 1:
            found.fail(folder.absolute().name, _not_one(folder, people, own), own)
            continue
        if damaged:
            found.fail(_patient(folder, tuple(own), own.values(), named).patient, _damaged(damaged[0]), own)
            continue
        for studies in _examinations(folder, tuple(own), own.values(), named):
            files = tuple(path for path, identity in own.items() if identity and identity.study_uid in studies)
            found.add(_patient(folder, files, [own[path] for path in files], named), files)
        found.leave_out([path for path in own if path not in found.owners], "of examinations without a FLAIR")


def find_zip(path: Path, named: Mapping[str, str], found: FoundPatients) -> None:
    """Take a zip of one person's DICOM files; one that holds none is left out."""
    try:
        identities = list(_identities(path))
    except GliosegError as error:
        found.fail(path.name, str(error), [path])
        return
    people = _people(identities)
    if not identities:
        found.leave_out([path], "zip without DICOM")
    elif len(people) == 1:
        for studies in _examinations(path, (path,), identities, named):
            own = [one for one in identities if one and one.study_uid in studies]
            found.add(_patient(path, (path,), own, named), [path])
    else:
        found.fail(path.name, _not_one(path, people, {path: None}), [path])


def _identity(path: Path) -> Identity | None:
    try:
        return next(_identities(path), None)
    except OSError:
        return None


def _identities(path: Path) -> Iterator[Identity | None]:
    for _, stream in dicom_streams(path):
        yield read_identity(stream)


def _by_person(folder: Path, files: Identities) -> Iterator[tuple[Path, Identities]]:
    """A folder, or where it holds several people's files in folders of their own, each of these."""
    directly = [path for path, identity in files.items() if path.parent == folder and identity]
    if not files:
        return
    # People without a name and number are told apart by their examinations.
    told_apart = {one.person or one.study_uid for one in files.values() if one}
    if directly or len(told_apart) <= 1:
        yield folder, files
        return
    below: dict[Path, dict[Path, Identity | None]] = defaultdict(dict)
    for path, identity in files.items():
        part = path.relative_to(folder).parts[0]
        below[folder / part if folder / part != path else folder][path] = identity
    damaged = below.pop(folder, {})
    if damaged:
        yield folder, damaged
    for child in sorted(below):
        yield from _by_person(child, below[child])


def _examinations(
    path: Path, files: Sequence[Path], identities: Iterable[Identity | None], named: Mapping[str, str]
) -> list[set[str]]:
    """The studies of a person, each by itself where several hold a FLAIR and the user named none; else together."""
    studies = {one.study_uid for one in identities if one and not one.is_directory}
    if len(studies) > 1 and "flair" not in named:
        with suppress(GliosegError):
            flairs = {one.study_uid for one in find_series(path, files) if one.sequence == "flair"}
            if len(flairs) > 1:
                return [{study} for study in sorted(flairs)]
    return [studies]


def _people(identities: Iterable[Identity | None]) -> list[str]:
    return sorted({one.person for one in identities if one and not one.is_directory})


def _patient(
    path: Path, files: tuple[Path, ...], identities: Iterable[Identity | None], named: Mapping[str, str]
) -> DicomPatient:
    of = [one for one in identities if one and not one.is_directory]
    studies, dates = sorted({one.study_uid for one in of}), {one.date for one in of}
    date = dates.pop() if len(dates) == 1 else ""
    return DicomPatient(path, files, of[0].patient_id, of[0].person, tuple(studies), date, named)


def _not_one(folder: Path, people: Sequence[str], files: Identities) -> str:
    if not people:
        return _damaged(next(iter(files)))
    error = GliosegError(
        f"{folder} holds {len(people)} patients",
        expected="one patient",
        found=", ".join(people[:3]) + (", ..." if len(people) > 3 else ""),
        remedy="Give each patient a folder of their own",
    )
    return str(error)


def _damaged(path: Path) -> str:
    return str(
        BadFileError(
            path, "is damaged, cut short or lacks its StudyInstanceUID", remedy="Export it again or take it away"
        )
    )
