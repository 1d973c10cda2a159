"""The patients of a folder of NIfTI and NRRD files: who has which sequence where.

A patient is one FLAIR file, or a folder whose file names tell the sequence, at any depth. Several patients may share a
folder if their names stand before the sequence, as in ``P1_flair.nii.gz``. BIDS and BraTS folders are of this form.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from glioseg.errors import GliosegError
from glioseg.formats.detect import PICTURE_SUFFIXES, detect
from glioseg.formats.nifti import read_nifti
from glioseg.formats.nrrd import read_nrrd
from glioseg.formats.sequences import TITLES, is_folder_of_one_sequence, is_other_picture, patient_of, role_of
from glioseg.scan import Scan
from glioseg.volume import CHANNELS

_SEGMENTATION = ".seg.nrrd"
# Folders between a patient and the pictures that tell neither.
_PLAIN_FOLDERS = ("anat", "nifti", "nii", "nrrd")
# What converters put before the sequence within one patient.
_SERIES_NUMBER = re.compile(r"((s|se|ser|series|scan|im|img|image)?[-_ ]?\d+)?", re.IGNORECASE)
_NOT_SOURCES = ("derivatives", "sourcedata", "code")


@dataclass(frozen=True)
class Case:
    """One patient's files.

    Attributes:
        patient: The patient's identifier, which names results.
        files: A file for each sequence that there is; the FLAIR always.
        remarks: What a user should know of how the files were understood, a sentence each.
    """

    patient: str
    files: Mapping[str, Path]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class FoundCases:
    """What a path holds.

    Attributes:
        cases: The patients, in the order of their names.
        failures: For each patient whose files are not understood, the message.
    """

    cases: tuple[Case, ...]
    failures: Mapping[str, str]


def find_cases(path: Path) -> FoundCases:
    """Find the patients of a file or folder by names alone; nothing is read.

    A file given by name is taken for the FLAIR unless its name tells another sequence.

    Raises:
        GliosegError: If there is no such path, no patient in it, or a file that is named for something else.
    """
    if not path.is_dir():
        return FoundCases((_single(path),), {})
    cases: list[Case] = []
    failures: dict[str, str] = {}
    for owner, files in _by_owner(path).items():
        for name, group in _by_patient(files).items():
            patient = _patient(owner, name) or path.absolute().name
            try:
                cases.append(_case(patient, group))
            except GliosegError as error:
                failures[patient] = str(error)
    if not cases and not failures:
        raise GliosegError(
            f"{path} holds no scan",
            expected=f"a FLAIR in a file *{', *'.join(PICTURE_SUFFIXES)}",
            remedy="Give a folder whose file names tell the sequence, or a file with --flair",
        )
    return FoundCases(tuple(sorted(cases, key=lambda case: case.patient)), failures)


def case_of_files(
    flair: Path, *, pre: Path | None = None, post: Path | None = None, patient: str | None = None
) -> Case:
    """A case of files that the user names, whatever they are called.

    Args:
        flair: The FLAIR.
        pre: T1 before contrast.
        post: T1 after contrast.
        patient: The patient's identifier; without it, by the FLAIR's name.

    Raises:
        GliosegError: If a file does not exist or is given twice.
    """
    given = {"pre": pre, "flair": flair, "post": post}
    files = {role: path for role, path in given.items() if path is not None}
    for role, path in files.items():
        if not path.is_file():
            raise GliosegError(
                f"--{role} {path} does not exist" if not path.exists() else f"--{role} {path} is a folder"
            )
    twice = {path for path in files.values() if list(files.values()).count(path) > 1}
    if twice:
        raise GliosegError(
            f"{twice.pop()} is given for two sequences", remedy="Leave out a sequence that was not taken"
        )
    return Case(patient or _name_of_file(flair), files)


def read_case(case: Case) -> dict[str, Scan]:
    """Read a case's files by their content, each a scan with its role; raises as the readers do."""
    return {role: read_scan(path, patient=case.patient, role=role) for role, path in case.files.items()}


def read_scan(path: Path, *, patient: str | None = None, role: str | None = None) -> Scan:
    """Read a NIfTI or NRRD file, whichever it is by its content.

    Raises:
        GliosegError: If it is neither, or as :func:`read_nifti` and :func:`read_nrrd` do.
    """
    kind = detect(path)
    if kind == "nifti":
        return read_nifti(path, patient=patient, role=role)
    if kind == "nrrd":
        return read_nrrd(path, patient=patient, role=role)
    raise GliosegError(f"{path} is no picture of a single sequence", expected="NIfTI or NRRD", found=kind)


def _single(path: Path) -> Case:
    if not path.is_file():
        raise GliosegError(f"{path} does not exist")
    role = role_of(path.name)
    if role in ("pre", "post"):
        raise GliosegError(
            f"{path} is a {TITLES[role]} by its name",
            expected="a FLAIR",
            remedy=f"Give the patient's folder, or the files with --flair and --{role}",
        )
    if role is None and is_other_picture(path.name):
        raise GliosegError(
            f"{path} is no FLAIR by its name", remedy="If it is one, say so with --flair; otherwise give the FLAIR"
        )
    remarks = () if role else (f"{path.name} does not tell its sequence and is taken for the FLAIR",)
    return Case(_name_of_file(path), {"flair": path}, remarks)


def _name_of_file(path: Path) -> str:
    return patient_of(path.name) or path.absolute().parent.name


def _by_owner(root: Path) -> dict[str, list[Path]]:
    """The pictures below a folder by the folder that stands for a patient; the root itself is the empty name."""
    found: dict[str, list[Path]] = defaultdict(list)
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith(".") and name not in _NOT_SOURCES)
        pictures = [Path(folder) / name for name in sorted(names) if _is_picture(name)]
        if pictures:
            found[_owner(Path(folder), root)] += pictures
    return found


def _is_picture(name: str) -> bool:
    name = name.lower()
    return name.endswith(PICTURE_SUFFIXES) and not name.endswith(_SEGMENTATION) and not name.startswith(".")


def _owner(folder: Path, root: Path) -> str:
    parts = list(folder.relative_to(root).parts)
    while parts and (parts[-1].lower() in _PLAIN_FOLDERS or is_folder_of_one_sequence(parts[-1])):
        parts.pop()
    return "_".join(parts)


def _by_patient(files: list[Path]) -> dict[str, dict[str | None, list[Path]]]:
    """The files of a folder by what their names say of the patient, and by role; "" where they say nothing.

    A folder is one patient's unless names tell several, or a sequence is there more than once. Files named for
    something else are left out; a folder of nothing else, as of masks, gives no patient.
    """
    tells = {path: _telling_name(path) for path in files}
    roles = {path: role_of(name) for path, name in tells.items() if not is_other_picture(name)}
    names = {path: patient_of(path.name) for path in roles}
    is_bids = all(name.startswith("sub-") for name in names.values())
    people = {names[path] for path, role in roles.items() if role and not _SERIES_NUMBER.fullmatch(names[path])}
    once = all(sum(found == role for found in roles.values()) <= 1 for role in CHANNELS)
    together = once and len(people) <= 1 and not is_bids
    found: dict[str, dict[str | None, list[Path]]] = {}
    for path, role in roles.items():
        found.setdefault("" if together else names[path], {}).setdefault(role, []).append(path)
    return found


def _patient(owner: str, name: str) -> str:
    """A folder's name and what its file names say of the patient, without repeating."""
    if not owner or not name or name.startswith((owner, "sub-")):
        return name or owner
    return f"{owner}_{name}"


def _telling_name(path: Path) -> str:
    """The file's name, or where it tells nothing the nearest folder's that is named for a sequence."""
    if role_of(path.name) is None and not is_other_picture(path.name):
        parts = [part for part in path.parent.parts if part.lower() not in _PLAIN_FOLDERS]
        if parts and is_folder_of_one_sequence(parts[-1]):
            return parts[-1]
    return path.name


def _case(patient: str, files: Mapping[str | None, list[Path]]) -> Case:
    for role in CHANNELS:
        if len(files.get(role, ())) > 1:
            raise GliosegError(
                f"patient {patient} has {len(files[role])} files for one sequence, {TITLES[role]}",
                expected="one",
                found=_names(files[role]),
                remedy=f"Name the one to use with --{role}, or move the others away",
            )
    if "flair" not in files:
        raise GliosegError(
            f"patient {patient} has no FLAIR",
            expected="a file name with flair or t2f",
            found=_names(path for paths in files.values() for path in paths),
            remedy="Name it with --flair",
        )
    unused = f"not used, since their names tell no sequence: {_names(files[None])}" if None in files else ""
    return Case(patient, {role: files[role][0] for role in CHANNELS if role in files}, (unused,) if unused else ())


def _names(paths: Iterable[Path]) -> str:
    names = [path.name for path in paths]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
