"""The patients of a folder of NIfTI and NRRD files: who has which sequence where.

A patient is one FLAIR file, or a folder whose file names tell the sequence, at any depth. Several patients may share a
folder if their names stand before the sequence, as in ``P1_flair.nii.gz``. BIDS and BraTS folders are of this form.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from glioseg.errors import BadFileError, BadOptionError, GliosegError
from glioseg.files import readable
from glioseg.formats.readers import read_scan
from glioseg.formats.sequences import (
    MASK,
    OTHERS,
    TITLES,
    is_folder_of_one_sequence,
    other_image,
    patient_of,
    patient_of_mask,
    sequence_of,
)
from glioseg.scan import Scan
from glioseg.volume import CHANNELS

# Folders between a patient and the images that tell neither.
_PLAIN_FOLDERS = ("anat", "nifti", "nii", "nrrd", "images", "imagestr", "imagests")
# What converters put before the sequence within one patient.
_SERIES_NUMBER = re.compile(r"((s|se|ser|series|scan|im|img|image)?[-_ ]?\d+)?", re.IGNORECASE)


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
    """What a folder's files are.

    Attributes:
        cases: The patients, in the order of their names.
        failures: For each patient whose files are not understood, the message and the files.
        left_out: For each file that is no patient's, why.
    """

    cases: tuple[Case, ...]
    failures: Mapping[str, tuple[str, tuple[Path, ...]]]
    left_out: Mapping[Path, str] = field(default_factory=dict)


def group_cases(root: Path, files: Iterable[Path]) -> FoundCases:
    """Sort files into patients by the names of files and folders alone; nothing is read.

    Args:
        root: The folder, whose own name stands for a patient that no other name tells.
        files: NIfTI and NRRD files below it.
    """
    cases: list[Case] = []
    failures: dict[str, tuple[str, tuple[Path, ...]]] = {}
    left_out: dict[Path, str] = {}
    for patient, group in by_patient(root, files):
        others = {path: str(sequence) for sequence in OTHERS for path in group.pop(sequence, ())}
        left_out |= others
        if not group:
            continue
        members = tuple(path for paths in group.values() for path in paths)
        try:
            cases.append(_case(patient, group))
            left_out |= dict.fromkeys(group.get(None, ()), "whose names tell no sequence")
        except GliosegError as error:
            failures[f"{patient} ({members[0]})" if patient in failures else patient] = str(error), members
    return FoundCases(tuple(sorted(cases, key=lambda case: case.patient)), failures, left_out)


def by_patient(root: Path, files: Iterable[Path]) -> Iterator[tuple[str, dict[str | None, list[Path]]]]:
    """Sort files into patients by names; arguments as :func:`group_cases`.

    Yields:
        The patient's identifier, and the files by sequence, as in :data:`glioseg.volume.CHANNELS` or :data:`OTHERS`;
        None where a name tells nothing.
    """
    for owner, own in _by_owner(root, files).items():
        for name, group in _by_name(own).items():
            yield readable(_patient(owner, name) or root.absolute().name), group


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
    files = {sequence: path for sequence, path in given.items() if path is not None}
    for sequence, path in files.items():
        if not path.is_file():
            raise BadOptionError(
                f"--{sequence} {path} does not exist" if not path.exists() else f"--{sequence} {path} is a folder"
            )
    twice = {path for path in files.values() if list(files.values()).count(path) > 1}
    if twice:
        raise GliosegError(
            f"{twice.pop()} is given for two sequences", remedy="Leave out a sequence that was not taken"
        )
    return Case(patient or _name_of_file(flair), files)


def read_case(case: Case) -> dict[str, Scan]:
    """Read a case's files by their content, each a scan with its sequence; raises as the readers do."""
    return {sequence: read_scan(path, patient=case.patient, sequence=sequence) for sequence, path in case.files.items()}


def single_case(path: Path) -> Case:
    """The case of one file, which is taken for the FLAIR unless its name tells something else.

    Raises:
        GliosegError: If it does.
    """
    sequence = sequence_of(path.name)
    if sequence in ("pre", "post"):
        raise BadFileError(
            path,
            f"is a {TITLES[sequence]} by its name",
            expected="a FLAIR",
            remedy=f"Give the patient's folder, or the files with --flair and --{sequence}",
        )
    if sequence is None and other_image(path.name):
        raise BadFileError(
            path, "is no FLAIR by its name", remedy="If it is one, say so with --flair; otherwise give the FLAIR"
        )
    remarks = () if sequence else (f"{path.name} does not tell its sequence and is taken for the FLAIR",)
    return Case(_name_of_file(path), {"flair": path}, remarks)


def _name_of_file(path: Path) -> str:
    return readable(patient_of(path.name) or path.absolute().parent.name)


def _by_owner(root: Path, files: Iterable[Path]) -> dict[str, list[Path]]:
    """The files by the folder that stands for a patient; the root itself is the empty name."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in files:
        found[_owner(path.parent, root)].append(path)
    return found


def _owner(folder: Path, root: Path) -> str:
    parts = list(folder.relative_to(root).parts)
    while parts and (parts[-1].lower() in _PLAIN_FOLDERS or is_folder_of_one_sequence(parts[-1])):
        parts.pop()
    return "_".join(parts)


def _by_name(files: list[Path]) -> dict[str, dict[str | None, list[Path]]]:
    """The files of a folder by what their names say of the patient, and by sequence; "" where they say nothing.

    A folder is one patient's unless names tell several, or a sequence is there more than once; what is named for
    something else decides nothing, so that a folder of masks alone is several patients'.
    """
    tells = {path: _telling_name(path) for path in files}
    sequences = {path: other_image(name) or sequence_of(name) for path, name in tells.items()}
    scans = {path: sequence for path, sequence in sequences.items() if sequence not in OTHERS}
    names = {
        path: (patient_of_mask if sequence == MASK else patient_of)(path.name) for path, sequence in sequences.items()
    }
    is_bids = all(names[path].startswith("sub-") for path in scans)
    people = {names[path] for path, sequence in scans.items() if sequence and not _SERIES_NUMBER.fullmatch(names[path])}
    once = all(sum(found == sequence for found in scans.values()) <= 1 for sequence in CHANNELS)
    together = once and any(scans.values()) and len(people) <= 1 and not is_bids
    found: dict[str, dict[str | None, list[Path]]] = {}
    for path, sequence in sequences.items():
        found.setdefault("" if together else names[path], {}).setdefault(sequence, []).append(path)
    return found


def _patient(owner: str, name: str) -> str:
    """A folder's name and what its file names say of the patient, without repeating."""
    if not owner or not name or name.startswith((owner, "sub-")):
        return name or owner
    return f"{owner}_{name}"


def _telling_name(path: Path) -> str:
    """The file's name, or where it tells nothing the nearest folder's that is named for a sequence."""
    if sequence_of(path.name) is None and not other_image(path.name):
        parts = [part for part in path.parent.parts if part.lower() not in _PLAIN_FOLDERS]
        if parts and is_folder_of_one_sequence(parts[-1]):
            return parts[-1]
    return path.name


def _case(patient: str, files: Mapping[str | None, list[Path]]) -> Case:
    for sequence in CHANNELS:
        if len(files.get(sequence, ())) > 1:
            raise GliosegError(
                f"patient {patient} has {len(files[sequence])} files for one sequence, {TITLES[sequence]}",
                expected="one",
                found=_names(files[sequence]),
                remedy=f"Name the one to use with --{sequence}, or move the others away",
            )
    if "flair" not in files:
        raise GliosegError(
            f"patient {patient} has no FLAIR",
            expected="a file name with flair or t2f",
            found=_names(path for paths in files.values() for path in paths),
            remedy="Name it with --flair",
        )
    unused = f"not used, since their names tell no sequence: {_names(files[None])}" if None in files else ""
    return Case(
        patient,
        {sequence: files[sequence][0] for sequence in CHANNELS if sequence in files},
        (unused,) if unused else (),
    )


def _names(paths: Iterable[Path]) -> str:
    names = [path.name for path in paths]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
