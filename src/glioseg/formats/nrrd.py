"""NRRD files, as 3D Slicer and ITK write them.

A file's axes (i, j, k) become (slice, row, column) by reversing their order. Directions are converted to RAS+ from the
space that the header names: ITK's files are left-posterior-superior.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import nrrd
import numpy as np
from nrrd.reader import _TYPEMAP_NRRD2NUMPY
from numpy.typing import NDArray

from glioseg.errors import BadFileError
from glioseg.formats.damage import damage_told
from glioseg.formats.not_numbers import nan_as_background
from glioseg.formats.nrrd_data import read_voxels
from glioseg.formats.readers import without_suffix
from glioseg.scan import Place, Scan

_TO_RAS = {
    "right-anterior-superior": (1, 1, 1),
    "ras": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1),
    "las": (-1, 1, 1),
    "left-posterior-superior": (-1, -1, 1),
    "lps": (-1, -1, 1),
}
_MILLIMETRES = {"mm": 1.0, "millimeter": 1.0, "millimeters": 1.0, "cm": 10.0, "m": 1000.0, "": 1.0}
# The micro sign and the Greek letter look alike.
_MILLIMETRES |= dict.fromkeys(("um", "\u00b5m", "\u03bcm"), 0.001)
_SPATIAL_KINDS = ("domain", "space", "none", "???")


def read_nrrd(path: Path, *, patient: str | None = None, sequence: str | None = None) -> Scan:
    """Read one image.

    Args:
        path: A ``.nrrd`` file, or a ``.nhdr`` header with its data in a file beside it.
        patient: The patient's identifier; without it the file's name.
        sequence: The sequence (see :data:`glioseg.volume.CHANNELS`), where it is known.

    Returns:
        The scan; slices, rows and columns are the file's third, second and first axis.

    Raises:
        GliosegError: If the file is unreadable, cut short, a segmentation, holds something else than one image,
            claims a size that cannot be, or holds voxels in the head that are no finite number.
    """
    with damage_told(path, "NRRD", "If it is damaged or cut short, fetch it again"):
        with path.open("rb") as stream:
            header = _read_header(path, stream)
            axes = _spatial_axes(path, header)
            voxels = read_voxels(path, stream, header, _bytes_per_voxel(path, header))
        affine, told, remarks = _place(path, header, axes)
    by_slice, blank = nan_as_background(path.name, _by_slice(voxels, axes))
    return Scan(patient or without_suffix(path.name), by_slice, affine, sequence, str(path), (*remarks, *blank), told)


def _read_header(path: Path, stream: IO[bytes]) -> Mapping[str, Any]:
    if stream.read(4) != b"NRRD":
        raise BadFileError(path, "is not NRRD", expected="NRRD at its beginning")
    stream.seek(0)
    header: Mapping[str, Any] = nrrd.read_header(_lines(stream))
    for needed in ("type", "dimension", "sizes", "encoding"):
        if needed not in header:
            raise BadFileError(path, f"cannot be read as NRRD: its header lacks the field {needed}")
    if any(str(key).startswith("Segment0_") for key in header):
        raise BadFileError(
            path,
            "is a segmentation of 3D Slicer, not a scan",
            remedy="Give the scan; to use a segment as a mask, export it as a binary labelmap to NIfTI",
        )
    return header


def _lines(stream: IO[bytes]) -> list[str]:
    """The lines of the header. It should be ASCII, and pynrrd leaves out what is not, of file names too."""
    content = b"".join(iter(lambda: stream.readline().rstrip() + b"\n", b"\n"))
    try:
        return content.decode().split("\n")
    except UnicodeDecodeError:
        return content.decode("latin-1").split("\n")


def _spatial_axes(path: Path, header: Mapping[str, Any]) -> list[int]:
    """Which axes of the file lie in space; every other must be a single layer."""
    sizes = [int(size) for size in header["sizes"]]
    axes = [axis for axis in range(len(sizes)) if _is_spatial(header, axis)]
    if len(axes) > 3 or any(size != 1 for axis, size in enumerate(sizes) if axis not in axes):
        kinds = " ".join(header.get("kinds", ()))
        raise BadFileError(
            path,
            "holds several values or images",
            expected="one image (3-D) of one intensity for each voxel",
            found=" x ".join(map(str, sizes)) + (f" ({kinds})" if kinds else ""),
            remedy="Save the one to be used as a file of its own",
        )
    if len(axes) < 2:
        raise BadFileError(path, "holds no image", expected="two axes or more", found=str(len(axes)))
    return axes


def _is_spatial(header: Mapping[str, Any], axis: int) -> bool:
    directions, kinds = header.get("space directions"), header.get("kinds")
    if directions is not None and np.isnan(directions[axis]).any():
        return False
    return kinds is None or str(kinds[axis]).lower() in _SPATIAL_KINDS


def _bytes_per_voxel(path: Path, header: Mapping[str, Any]) -> int:
    kind = _TYPEMAP_NRRD2NUMPY.get(str(header["type"]))
    if kind is None or kind == "V":
        raise BadFileError(path, "holds no numbers", expected="short, float or another type", found=header["type"])
    return np.dtype(kind).itemsize


def _place(
    path: Path, header: Mapping[str, Any], axes: list[int]
) -> tuple[NDArray[np.float64] | None, Place, tuple[str, ...]]:
    """The affine from (slice, row, column) to RAS+ millimetres, how much the file tells of it, and what to remark."""
    remarks: list[str] = []
    space, directions = str(header.get("space", "")).lower(), header.get("space directions")
    signs = _TO_RAS.get(space)
    if directions is None or signs is None or len(axes) != 3:
        why = f"its space is {space or 'not named'}" if signs is None else "no direction for each of three axes"
        spacing = _spacing(path, header, axes, remarks)
        if spacing is None:
            return None, "told", (f"{path.name} carries no geometry ({why}); it is taken as axial slices",)
        slices, rows, columns = spacing
        # As in a scanner's axial image: columns to the left, rows to the back, slices upwards.
        affine = np.array([[0, 0, -columns, 0], [0, -rows, 0, 0], [slices, 0, 0, 0], [0, 0, 0, 1]], np.float64)
        remarks.append(f"{path.name} tells its spacing alone ({why}); it is taken as axial slices")
        return affine, "spacing", tuple(remarks)
    origin = np.asarray(header.get("space origin", (np.nan,) * 3), np.float64)
    if not np.isfinite(origin).all():
        remarks.append(f"{path.name} names no origin; positions count from its first voxel")
        origin = np.zeros(3)
    affine = np.eye(4)
    affine[:3, :3] = np.asarray(directions, np.float64)[axes[::-1]].T
    affine[:3, 3] = origin
    affine[:3] *= np.array(signs)[:, None] * _millimetres(path, header, remarks)
    return affine, "told", tuple(remarks)


def _spacing(
    path: Path, header: Mapping[str, Any], axes: list[int], remarks: list[str]
) -> tuple[float, float, float] | None:
    """The distance between slices, rows and columns in millimetres, or None where the file does not tell all three.

    Directions in a space that is not named, or not one of a patient, tell it by their lengths.
    """
    directions, spacings = header.get("space directions"), header.get("spacings")
    if directions is not None:
        spacings = np.linalg.norm(np.asarray(directions, np.float64), axis=1)
    if spacings is None or len(axes) != 3:
        return None
    unit = 1.0 if directions is None else _millimetres(path, header, remarks)
    columns, rows, slices = (abs(float(spacings[axis])) * unit for axis in axes)
    return (slices, rows, columns) if all(0 < step < np.inf for step in (slices, rows, columns)) else None


def _millimetres(path: Path, header: Mapping[str, Any], remarks: list[str]) -> float:
    units = {str(unit).lower() for unit in header.get("space units", ())} or {"mm"}
    known = {_MILLIMETRES.get(unit) for unit in units}
    if len(known) == 1 and (factor := known.pop()) is not None:
        return factor
    remarks.append(f"{path.name} measures in {' and '.join(sorted(units))}, taken for millimetres")
    return 1.0


def _by_slice(voxels: NDArray[Any], axes: list[int]) -> NDArray[np.float32]:
    """The axes in space, slowest first, and for a single image a slice axis of one."""
    last = voxels.ndim - 1
    shape = [voxels.shape[last - axis] for axis in reversed(axes)]
    # What is too large for float32 becomes infinite, which the scan refuses.
    with np.errstate(over="ignore"):
        return np.array(voxels.reshape([1] * (3 - len(shape)) + shape), np.float32)
