"""Masks from files of any format, NIfTI, NRRD, or a folder of the dataset's mask slices."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glioseg.errors import BadFileError, BadOptionError, GliosegError
from glioseg.files import entries
from glioseg.formats.readers import SCANS, kind_by_name, read_scan, without_suffix
from glioseg.formats.sequences import patient_of_mask
from glioseg.formats.tif import INSIDE, read_mask_slice
from glioseg.scan import Scan
from glioseg.volume import Mask

_SLICE = re.compile(r"(?P<stem>.+_(?P<number>\d+))_mask\.tiff?", re.IGNORECASE)


def find_masks(path: Path) -> list[Path]:
    """The masks that a path stands for, in the order of their names.

    A file, or a patient's folder of mask slices, stands for itself; any other folder for the patients' folders in it
    and for its NIfTI and NRRD files whose name ends in ``_mask``, as ``glioseg predict`` writes both.

    Raises:
        GliosegError: If there is none.
    """
    if path.is_file() or (path.is_dir() and mask_slices(path)):
        return [path]
    found = [entry for entry in entries(path) if _holds_mask(entry)] if path.is_dir() else []
    if not found:
        raise BadFileError(
            path,
            "holds no mask",
            expected="a NIfTI or NRRD file, <patient>_<n>_mask.tif slices, or a folder of either",
            found="no such masks" if path.is_dir() else "no such file or folder",
        )
    return found


def read_mask(path: Path, *, labels: Sequence[int] = ()) -> Mask:
    """Read one mask on its own grid.

    Args:
        path: A NIfTI or NRRD file, or a folder of ``<patient>_<n>_mask.tif``. The tif files carry no geometry.
        labels: Which values are the tumour. Without it the file may hold one value besides 0. The tif files hold
            no other than 255.

    Raises:
        GliosegError: If it cannot be read, holds no mask, or several values and no labels were given.

    Example:
        >>> int(read_mask(Path("P1_mask.nii.gz")).voxels.sum())
        201
    """
    if path.is_dir():
        check_labels_of_slices(path, labels)
        return _read_slices(path)
    return mask_of(read_scan(path, patient=patient_of(path)), labels=labels)


def patient_of(path: Path) -> str:
    """The patient in a file's name, ``A`` of ``A_mask.nii.gz``; all of it where it tells nothing else."""
    return patient_of_mask(path.name) or without_suffix(path.name)


def mask_of(scan: Scan, *, labels: Sequence[int] = ()) -> Mask:
    """The voxels of a label map that hold a tumour, on its grid; arguments and errors as :func:`read_mask`."""
    values = _values(scan)
    affine = None if scan.place == "assumed" else scan.affine
    if labels:
        missing = [label for label in labels if label not in values]
        if len(missing) == len(labels) and np.any(values != 0):
            raise GliosegError(
                f"{scan.source or scan.patient} holds none of the labels {', '.join(map(str, labels))}",
                found=f"values {_listed(values)}",
            )
        return Mask(scan.patient, np.isin(scan.voxels, labels), affine=affine)
    if len(values[values != 0]) > 1:
        raise GliosegError(
            f"{scan.source or scan.patient} is no mask of one tumour",
            expected="0 and one other value",
            found=f"values {_listed(values)}",
            remedy="Name the values that are tumour with --labels, as --labels 1,2,4, or cut a probability first",
        )
    return Mask(scan.patient, scan.voxels != 0, affine=affine)


def check_labels_of_slices(folder: Path, labels: Sequence[int]) -> None:
    """Refuse labels for a folder of mask slices that hold none of them.

    Raises:
        GliosegError: If there are labels without 255 among them.
    """
    if labels and INSIDE not in labels:
        raise BadOptionError(
            f"{folder} holds none of the labels {', '.join(map(str, labels))}",
            expected=f"{INSIDE}, the one value of tumour in tif masks",
            remedy="Leave out --labels for tif masks",
        )


def _values(scan: Scan) -> NDArray[np.float32]:
    """The distinct values, or of an image with many only the first few: sorting all of it would take seconds."""
    few = np.unique(scan.voxels.flat[:: max(scan.voxels.size // 10_000, 1)])
    if len(few) > 100:
        return few
    # Sorting what is tumour takes a hundredth of the time of sorting all.
    inside = scan.voxels[scan.voxels != 0]
    background = np.zeros(int(inside.size < scan.voxels.size), scan.voxels.dtype)
    return np.unique(np.concatenate((background, inside)))


def _listed(values: NDArray[np.float32]) -> str:
    shown = ", ".join(f"{value:g}" for value in values[:6])
    return f"{shown}, ..." if len(values) > 6 else shown


def _holds_mask(path: Path) -> bool:
    if path.is_dir():
        return bool(mask_slices(path))
    stem = without_suffix(path.name)
    return kind_by_name(path.name) in SCANS and stem.lower().endswith("_mask")


def mask_slices(folder: Path) -> dict[int, Path]:
    """The mask of each slice by number."""
    slices: dict[int, Path] = {}
    for path in entries(folder):
        match = _SLICE.fullmatch(path.name)
        if match is None:
            continue
        number = int(match["number"])
        if number in slices:
            raise GliosegError(f"{path} and {slices[number].name} claim the same slice {number}")
        slices[number] = path
    return slices


def _read_slices(folder: Path) -> Mask:
    paths = mask_slices(folder)
    if not paths:
        raise GliosegError(f"{folder} holds no mask", expected="<patient>_<n>_mask.tif for each slice")
    gaps = [number for number in range(min(paths), max(paths) + 1) if number not in paths]
    if gaps:
        raise GliosegError(
            f"{folder} lacks the mask of slice {', '.join(map(str, gaps[:10]))}",
            expected=f"slices {min(paths)} to {max(paths)} without a gap",
            found=f"{len(paths)} masks",
        )
    ordered = [paths[number] for number in sorted(paths)]
    slices = [read_mask_slice(path) for path in ordered]
    for path, inside in zip(ordered, slices, strict=True):
        if inside.shape != slices[0].shape:
            raise BadFileError(
                path,
                f"has another size than the first mask of {folder.name}",
                expected=str(slices[0].shape),
                found=str(inside.shape),
            )
    names = tuple(re.sub(r"_mask$", "", path.stem, flags=re.IGNORECASE) for path in ordered)
    return Mask(folder.absolute().name, np.stack(slices), slice_names=names)
