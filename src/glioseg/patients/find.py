"""Find the patients of what a user names: folders of any layout and of several formats, files, zips.

A folder is walked once and every file told apart by its content. A format's libraries are imported when a file of it
is met: DICOM's alone take a second.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from glioseg.errors import BadFileError, BadOptionError, GliosegError
from glioseg.files import is_hidden_below, walk
from glioseg.formats.readers import (
    KINDS,
    SCANS,
    UNRECOGNISED,
    Kind,
    companions,
    detect,
    kind_by_name,
    kind_of,
    other_content,
)
from glioseg.patients.examination import names_of
from glioseg.patients.found import FoundPatients
from glioseg.patients.tif_folders import find_slice_folders
from glioseg.volume import CHANNELS

# Beside the scans of a BIDS data set lie what was computed from them, and what they were converted from.
_NOT_SCANS = ("derivatives", "sourcedata", "code")


def find_sources(inputs: Sequence[Path], sequences: Mapping[str, str] | None = None) -> FoundPatients:
    """Find the patients of every input, in order.

    Args:
        inputs: Folders of tif slices, NIfTI, NRRD and DICOM files, mixed as they may be; single files; zips of DICOM.
        sequences: By sequence what the user named: without inputs, the patient's files; with one, the DICOM series by
            number, UID or description.

    Raises:
        GliosegError: If an input holds no patient at all, a patient is there twice, or the sequences fit no input.
    """
    named = {sequence: text for sequence, text in (sequences or {}).items() if text}
    if not inputs:
        return _named_files(named)
    found = FoundPatients()
    for path in inputs:
        found.join(_find(path, named))
    names = names_of([source.examination for source in found.sources])
    found.sources = [source.called(name) for source, name in zip(found.sources, names, strict=True)]
    return found


def _named_files(named: Mapping[str, str]) -> FoundPatients:
    from glioseg.formats.cases import case_of_files
    from glioseg.patients.file_patient import FilePatient

    if "flair" not in named:
        raise GliosegError(
            "there is nothing to predict", expected="a folder or file, or --flair F with --pre P and --post Q"
        )
    files = {sequence: Path(named[sequence]) if sequence in named else None for sequence in CHANNELS}
    flair = files["flair"]
    assert flair is not None
    case = case_of_files(flair, pre=files["pre"], post=files["post"])
    found = FoundPatients()
    found.add(FilePatient(case), case.files.values())
    return found


def _find(path: Path, named: Mapping[str, str]) -> FoundPatients:
    if not path.exists():
        raise BadFileError(path, "does not exist")
    found = FoundPatients()
    kinds = _kinds_below(path, found) if path.is_dir() else {path: detect(path)}
    # The voxels of a header, such as an .img, go wherever the header goes.
    headers = {voxels: header for header, kind in kinds.items() for voxels in companions(header, kind)}
    _group(path, {file: kind for file, kind in kinds.items() if file not in headers}, named, found)
    for voxels, header in headers.items():
        found.account_as(voxels, header)
    if not found.sources and not found.failures:
        raise BadFileError(
            path,
            "holds no patient",
            expected=f"scans as {', '.join(KINDS[:-1])}, or a zip of DICOM",
            found=found.left_out_in_words() or "nothing",
            remedy="Give a folder of scans, or make practice patients with 'glioseg data phantom DEST'",
        )
    return found


def _group(path: Path, kinds: Mapping[Path, Kind], named: Mapping[str, str], found: FoundPatients) -> None:
    """Sort the files of each format into patients by the format's own rules."""
    of = {kind: [file for file, own in kinds.items() if own == kind] for kind in KINDS}
    if named and not (of["dicom"] or of["zip"]):
        raise BadOptionError(
            f"--{next(iter(named))} names a series of DICOM, and {path} holds none",
            remedy="To name files, give --flair, --pre and --post without any input",
        )
    if kinds.get(path) == "tif":
        raise BadFileError(path, "is a single slice", expected="the patient's folder")
    others = {file.parent for file, kind in kinds.items() if kind != "tif"}
    find_slice_folders(path, of["tif"], others, found)
    if images := [file for kind in SCANS for file in of[kind]]:
        _find_cases(path, images, found)
    if of["dicom"] or of["zip"]:
        _find_dicom(path, of["dicom"], of["zip"], named, found)


def _kinds_below(root: Path, found: FoundPatients) -> dict[Path, Kind]:
    """The files of a folder with their formats; what is of none is left out."""
    kinds: dict[Path, Kind] = {}
    for path in sorted(walk(root)):
        kind, reason = _kind_or_reason(root, path)
        if kind is None:
            found.leave_out([path], reason)
        else:
            kinds[path] = kind
    for path in _lost_slices(found.left_out, kinds):
        kinds[path] = "dicom"
        del found.left_out[path]
    return kinds


def _lost_slices(left_out: Mapping[Path, str], kinds: Mapping[Path, Kind]) -> list[Path]:
    """Files among DICOM files, named as some of these are, of which nothing can be recognised any more."""
    folders = {path.parent for path, kind in kinds.items() if kind == "dicom"}
    lost = (path for path, reason in left_out.items() if reason in UNRECOGNISED and path.parent in folders)
    return [path for path in lost if not path.suffix.strip(".0123456789")]


def _kind_or_reason(root: Path, path: Path) -> tuple[Kind | None, str]:
    if is_hidden_below(root, path):
        return None, "hidden"
    if any(part in _NOT_SCANS for part in path.relative_to(root).parts[:-1]):
        return None, f"in {' or '.join(_NOT_SCANS)}"
    if not path.is_file():
        return None, "links to nothing" if path.is_symlink() else "folders that cannot be opened or no files"
    try:
        kind = kind_of(path) or kind_by_name(path.name)
        return kind, "" if kind else other_content(path)
    except OSError as error:
        return kind_by_name(path.name), f"cannot be read ({error.strerror})"


def _find_cases(path: Path, images: Sequence[Path], found: FoundPatients) -> None:
    from glioseg.formats.cases import group_cases, single_case
    from glioseg.patients.file_patient import FilePatient

    if path.is_file():
        found.add(FilePatient(single_case(path)), [path])
        return
    grouped = group_cases(path, images)
    for case in grouped.cases:
        found.add(FilePatient(case), case.files.values())
    for patient, (message, files) in grouped.failures.items():
        found.fail(patient, message, files)
    found.left_out |= grouped.left_out


def _find_dicom(
    path: Path, files: Sequence[Path], zips: Sequence[Path], named: Mapping[str, str], found: FoundPatients
) -> None:
    from glioseg.patients.dicom_folders import find_examinations, find_zip

    find_examinations(path, files, named, found)
    for archive in zips:
        find_zip(archive, named, found)
