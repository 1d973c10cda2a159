"""Find the patients of what a user names: folders of any layout, files, zips.

A format's libraries are imported when a patient of it is met: DICOM's alone take a second.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from glioseg.dataset.lgg import find_patient_folders
from glioseg.errors import GliosegError
from glioseg.formats.detect import PICTURE_SUFFIXES, detect
from glioseg.patients.source import PatientSource
from glioseg.patients.tif_patient import TifPatient
from glioseg.volume import CHANNELS


@dataclass
class FoundPatients:
    """What the inputs hold.

    Attributes:
        sources: The patients that can be tried.
        failures: For each that cannot, the message.
    """

    sources: list[PatientSource] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)


def find_sources(inputs: Sequence[Path], sequences: Mapping[str, str] | None = None) -> FoundPatients:
    """Find the patients of every input, in order.

    Args:
        inputs: Folders of the dataset's layout, of NIfTI or NRRD files, of DICOM files; single files; zips of DICOM.
        sequences: By role what the user named: without inputs, the patient's files; with one, the DICOM series by
            number, UID or description.

    Raises:
        GliosegError: If an input holds no patient at all, a patient is there twice, or the roles fit no input.
    """
    named = {role: text for role, text in (sequences or {}).items() if text}
    found = FoundPatients()
    if not inputs:
        found.sources.append(_named_files(named))
    for path in inputs:
        _find(path, named, found)
    names = [source.patient for source in found.sources]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise GliosegError(f"patient {twice[0]} is given twice", remedy="Predict the two one after the other")
    return found


def _named_files(named: Mapping[str, str]) -> PatientSource:
    from glioseg.formats.cases import case_of_files
    from glioseg.patients.file_patient import FilePatient

    if "flair" not in named:
        raise GliosegError(
            "there is nothing to predict", expected="a folder or file, or --flair F with --pre P and --post Q"
        )
    files = {role: Path(named[role]) if role in named else None for role in CHANNELS}
    flair = files["flair"]
    assert flair is not None
    return FilePatient(case_of_files(flair, pre=files["pre"], post=files["post"]))


def _find(path: Path, named: Mapping[str, str], found: FoundPatients) -> None:
    kind = _kind(path)
    if kind != "dicom" and named:
        raise GliosegError(
            f"--{next(iter(named))} names a series of DICOM, and {path} holds none",
            remedy="To name files, give --flair, --pre and --post without any input",
        )
    if kind == "tif":
        found.sources += [TifPatient(folder) for folder in find_patient_folders(path)]
    elif kind == "dicom":
        _find_dicom(path, named, found)
    else:
        _find_files(path, found)


def _find_files(path: Path, found: FoundPatients) -> None:
    from glioseg.formats.cases import find_cases
    from glioseg.patients.file_patient import FilePatient

    cases = find_cases(path)
    found.sources += [FilePatient(case) for case in cases.cases]
    found.failures.update(cases.failures)


def _kind(path: Path) -> str:
    """``tif``, ``dicom`` or ``files``, by what lies there."""
    if path.is_file():
        kind = detect(path)
        if kind == "tif":
            raise GliosegError(f"{path} is a single slice", expected="the patient's folder")
        return "dicom" if kind in ("dicom", "zip") else "files"
    if not path.is_dir():
        raise GliosegError(f"{path} does not exist")
    if any(file.name.lower().endswith(PICTURE_SUFFIXES) for file in path.rglob("*")):
        return "files"
    if any(file.suffix.lower() in (".tif", ".tiff") for file in (*path.glob("*"), *path.glob("*/*"))):
        return "tif"
    return "dicom" if any(_is_dicom(file) for file in path.rglob("*")) else "tif"


def _is_dicom(path: Path) -> bool:
    try:
        return path.is_file() and detect(path) in ("dicom", "zip")
    except GliosegError:
        return False


def _find_dicom(path: Path, named: Mapping[str, str], found: FoundPatients) -> None:
    """One patient, or where that fails and the folder holds only folders, a patient for each of them."""
    from glioseg.patients.dicom_patient import DicomPatient

    try:
        found.sources.append(DicomPatient.at(path, named))
    except GliosegError as error:
        folders = sorted(path.iterdir()) if path.is_dir() else []
        if len(folders) < 2 or not all(entry.is_dir() or entry.suffix.lower() == ".zip" for entry in folders):
            found.failures[path.name] = str(error)
            return
        for entry in folders:
            try:
                found.sources.append(DicomPatient.at(entry, named))
            except GliosegError as of_entry:
                found.failures[entry.name] = str(of_entry)
