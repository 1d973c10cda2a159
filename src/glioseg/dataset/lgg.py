"""The layout of the Kaggle LGG MRI segmentation dataset.

A folder for each patient, ``<collection>_<site>_<case>_<date>``, with ``<patient>_<n>.tif`` and
``<patient>_<n>_mask.tif`` for each slice n, and a table ``data.csv`` beside the folders.
"""

import csv
import io
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import tifffile

from glioseg.atomic import atomic_folder
from glioseg.errors import BadFileError, GliosegError
from glioseg.files import entries, readable
from glioseg.formats.readers import kind_by_name
from glioseg.formats.tif import read_image_slice, read_mask_slice, write_mask_slice
from glioseg.volume import Mask, Volume, copies_of_flair

CLINICAL_TABLE = "data.csv"
_PATIENTS = "kaggle_3m"
"""The folder of the Kaggle archive that holds the patients; beside it lies a second copy of them."""
_SLICE_NAME = re.compile(r"(?P<stem>(?P<patient>.+)_(?P<number>\d+))(?P<mask>_mask)?\.tiff?", re.IGNORECASE)
_PATIENT_NAME = re.compile(r"(?P<case>[^_]+_(?P<site>[^_]+)_[^_]+)(_.*)?")


@dataclass(frozen=True)
class PatientFiles:
    """Where a patient's slices lie, in anatomical order.

    Attributes:
        patient: The folder's name, readable.
        images: An image for each slice.
        masks: A mask for each slice, or empty where the patient has none.
        clinical: The patient's row of ``data.csv`` by column, empty where there is none.
    """

    patient: str
    images: tuple[Path, ...]
    masks: tuple[Path, ...]
    clinical: Mapping[str, str] = field(default_factory=dict)


def case_of(patient: str) -> str:
    """The person behind a folder name, ``TCGA_DU_7014`` for ``TCGA_DU_7014_19860618``: one person, many dates."""
    match = _PATIENT_NAME.fullmatch(patient)
    return match["case"] if match else patient


def site_of(patient: str) -> str:
    """The hospital's code in a folder name, ``DU`` for ``TCGA_DU_7014_19860618``, or ``unknown``."""
    match = _PATIENT_NAME.fullmatch(patient)
    return match["site"] if match else "unknown"


@dataclass(frozen=True)
class SliceName:
    """What a tif file's name tells: whose slice it is, which, and whether it is the mask."""

    patient: str
    number: int
    is_mask: bool


def parse_slice_name(name: str) -> SliceName | None:
    """Take ``<patient>_<n>.tif`` or ``<patient>_<n>_mask.tif`` apart; None where the name is of another form."""
    match = _SLICE_NAME.fullmatch(name)
    return SliceName(match["patient"], int(match["number"]), bool(match["mask"])) if match else None


def find_patients(root: Path, *, masks: bool = True) -> list[PatientFiles]:
    """List the patients of a folder in the dataset's layout, in the order of their names.

    Args:
        root: The folder of patient folders, or a single patient's folder.
        masks: Whether every slice must have a mask. Without, masks are left out.

    Raises:
        GliosegError: If there is no patient, or a patient's files are incomplete or misnamed.
    """
    folders = find_patient_folders(root)
    clinical = read_clinical(folders[0].parent)
    return [
        replace(find_slices(folder, masks=masks), clinical=clinical.get(case_of(readable(folder.name)), {}))
        for folder in folders
    ]


def find_patient_folders(root: Path) -> list[Path]:
    """List the patients' folders, in the order of their names, without looking into them.

    Raises:
        GliosegError: If there is none.
    """
    folders = _patient_folders(root)
    if not folders:
        raise GliosegError(
            f"{root} holds no patient of the dataset's layout",
            expected="folders of <patient>/<patient>_<n>.tif",
            found="no such file" if root.is_dir() else "no such folder",
            remedy="Give the folder kaggle_3m, or make practice patients with 'glioseg data phantom DEST'",
        )
    return folders


def second_copies(root: Path, folders: Collection[Path]) -> set[Path]:
    """Which folders repeat a patient of the Kaggle archive, which holds all of them twice, at some depth."""
    first = {folder.name for folder in folders if folder.parent == root / _PATIENTS}
    return {folder for folder in folders if folder.name in first and folder.parent != root / _PATIENTS}


def find_slices(folder: Path, *, masks: bool = True) -> PatientFiles:
    """List one patient's slices by number; arguments and errors as :func:`find_patients`."""
    images: dict[int, Path] = {}
    mask_files: dict[int, Path] = {}
    for path in entries(folder):
        if kind_by_name(path.name) != "tif":
            continue
        name = parse_slice_name(path.name)
        if name is None or name.patient != folder.name:
            raise BadFileError(path, "is misnamed", expected=f"{folder.name}_<n>.tif or {folder.name}_<n>_mask.tif")
        kind = mask_files if name.is_mask else images
        if name.number in kind:
            raise GliosegError(f"{path} and {kind[name.number].name} claim the same slice {name.number}")
        kind[name.number] = path
    _check_numbers(folder, images)
    patient = readable(folder.name)
    if not masks:
        return PatientFiles(patient, _in_order(images), ())
    _check_pairs(folder, images, mask_files)
    return PatientFiles(patient, _in_order(images), _in_order(mask_files))


def read_patient(files: PatientFiles) -> tuple[Volume, Mask | None]:
    """Read a patient's scan and, where its files are listed, its mask.

    Returns:
        The scan, uint8 (slice, row, column, channel), and the mask, bool (slice, row, column), or None.

    Raises:
        GliosegError: If a file is unreadable or differs in size from the patient's first slice.
    """
    names = tuple(readable(path.stem) for path in files.images)
    images = [read_image_slice(path) for path in files.images]
    for path, image in zip(files.images, images, strict=True):
        _check_size(path, image.shape[:2], images[0].shape[:2])
    voxels = np.stack(images)
    volume = Volume(files.patient, voxels, slice_names=names, missing=copies_of_flair(voxels))
    if not files.masks:
        return volume, None
    masks = [read_mask_slice(path) for path in files.masks]
    for path, mask in zip(files.masks, masks, strict=True):
        _check_size(path, mask.shape, images[0].shape[:2])
    return volume, Mask(files.patient, np.stack(masks), slice_names=names)


def write_patient(dest: Path, volume: Volume, mask: Mask) -> None:
    """Write a patient's folder, whole or not at all.

    Args:
        dest: The folder of patient folders.
        volume: Slices with their names, uint8.
        mask: On its grid.
    """
    with atomic_folder(dest / volume.patient) as folder:
        for name, image, contour in zip(volume.slice_names, volume.voxels, mask.voxels, strict=True):
            tifffile.imwrite(folder / f"{name}.tif", image, photometric="rgb", metadata=None)
            write_mask_slice(folder / f"{name}_mask.tif", contour)


def read_clinical(root: Path) -> dict[str, dict[str, str]]:
    """Read ``data.csv``: for each case, as :func:`case_of` names it, its columns; empty where there is no table.

    Raises:
        GliosegError: If the table cannot be read or has no column Patient.
    """
    path = root / CLINICAL_TABLE
    if not path.is_file():
        return {}
    try:
        # Fields beyond the header's come under the key None.
        table = csv.DictReader(io.StringIO(read_table_text(path), newline=""), restval="")
        rows = [{key: value for key, value in row.items() if key} for row in table]
    except (OSError, ValueError, csv.Error) as error:
        raise BadFileError(path, "is not the clinical table", expected="CSV in UTF-8", found=str(error)) from error
    if rows and "Patient" not in rows[0]:
        raise BadFileError(path, "is not the clinical table", expected="a column Patient", found=", ".join(rows[0]))
    return {row.pop("Patient"): row for row in rows}


def read_table_text(path: Path) -> str:
    """The text of a table in UTF-8, or in Windows-1252 as Excel saves it.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is text in neither.
    """
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252")


def _patient_folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    root = root if root.name else root.absolute()
    if any(name.startswith(f"{root.name}_") for name in _tif_names(root)):
        return [root]
    nested = root / _PATIENTS
    folders = [path for path in entries(nested if nested.is_dir() else root) if path.is_dir()]
    return [folder for folder in folders if _tif_names(folder)]


def _tif_names(folder: Path) -> list[str]:
    return [path.name for path in entries(folder) if kind_by_name(path.name) == "tif"]


def _check_numbers(folder: Path, images: dict[int, Path]) -> None:
    if not images:
        raise GliosegError(f"{folder} holds masks but no images", expected=f"{folder.name}_<n>.tif")
    present = range(min(images), max(images) + 1)
    gaps = [number for number in present if number not in images]
    if gaps:
        raise GliosegError(
            f"{folder} lacks slice {', '.join(map(str, gaps[:10]))}",
            expected=f"slices {present[0]} to {present[-1]} without a gap",
            found=f"{len(images)} of {len(present)}",
            remedy="Fetch the missing files again; a gap would put a wrong neighbour beside a slice",
        )


def _check_pairs(folder: Path, images: dict[int, Path], masks: dict[int, Path]) -> None:
    unmatched = [images[number] for number in images if number not in masks]
    if unmatched:
        raise GliosegError(
            f"{unmatched[0]} has no mask",
            expected=f"{unmatched[0].stem}_mask.tif",
            found=f"{len(unmatched)} of {len(images)} slices of {folder.name} without one",
        )
    orphans = [masks[number] for number in masks if number not in images]
    if orphans:
        raise GliosegError(f"{orphans[0]} has no image", expected=orphans[0].name.replace("_mask", ""))


def _check_size(path: Path, found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if found != expected:
        raise BadFileError(
            path,
            "has another size than the patient's first slice",
            expected="x".join(map(str, expected)),
            found="x".join(map(str, found)),
        )


def _in_order(files: dict[int, Path]) -> tuple[Path, ...]:
    return tuple(files[number] for number in sorted(files))
