"""What a NIfTI header says: the form of the picture and its place in space.

Source: the NIfTI-1.1 and NIfTI-2 definitions, nifti1.h and nifti2.h.
"""

import gzip
import math
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from glioseg.errors import GliosegError
from glioseg.space.affine import SAME_PLACE_MM, largest_displacement_mm, spacing_mm

# nibabel ships types, but they leave headers open.
Header = Any

_SAME_SPACING = 0.001
# By the code in the header; every other code, "unknown" included, is taken for millimetres, as all viewers do.
_OTHER_UNITS_MM = {1: ("metres", 1000.0), 3: ("micrometres", 0.001)}
_SPACE_UNIT_BITS = 0b111


def open_nifti(path: Path) -> IO[bytes]:
    """Open a NIfTI file, unpacked if it is a gzip stream, whatever its name ends in."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast(IO[bytes], gzip.open(path)) if packed else path.open("rb")


def read_header(path: Path, stream: IO[bytes]) -> Header:
    """Read the fixed part of the header, NIfTI-1 or NIfTI-2, either byte order; extensions are left alone.

    Raises:
        GliosegError: If it is no NIfTI header, or the voxels lie in a second file.
    """
    block = stream.read(Nifti2Header.sizeof_hdr)
    for kind in (Nifti1Header, Nifti2Header):
        if int(kind.sizeof_hdr) in (int.from_bytes(block[:4], "little"), int.from_bytes(block[:4], "big")):
            break
    else:
        raise GliosegError(f"{path} is not NIfTI", expected="a header of 348 or 540 bytes", found=_size(block))
    if len(block) < kind.sizeof_hdr:
        raise GliosegError(
            f"{path} is cut short", expected=f"a header of {kind.sizeof_hdr} bytes", found=f"{len(block)} bytes"
        )
    header = kind(block[: kind.sizeof_hdr], check=False)
    magic = bytes(header["magic"])[:3]
    if magic in (b"ni1", b"ni2"):
        raise GliosegError(
            f"{path} is one half of a pair .hdr and .img", remedy="Save the picture as a single .nii.gz file"
        )
    if magic not in (b"n+1", b"n+2"):
        raise GliosegError(
            f"{path} is not NIfTI but an older Analyze file, which does not tell left from right",
            remedy="Convert the scan again from DICOM",
        )
    return header


def check_form(path: Path, header: Header) -> None:
    """Refuse what is not one picture of one number a voxel.

    Raises:
        GliosegError: For several pictures in one file, colours, complex numbers, and fewer than two axes.
    """
    shape, dtype = header.get_data_shape(), header.get_data_dtype()
    if dtype.fields is not None:
        raise GliosegError(
            f"{path} holds colours",
            expected="one intensity for each voxel",
            found=" ".join(dtype.names or ()),
            remedy="Give the scan itself, not a screenshot or an overlay of it",
        )
    if dtype.kind == "c":
        raise GliosegError(
            f"{path} holds complex numbers",
            expected="intensities",
            found=str(dtype),
            remedy="Save the magnitude as a file of its own",
        )
    if math.prod(shape[3:]) != 1:
        raise GliosegError(
            f"{path} holds several pictures",
            expected="one picture (3-D)",
            found=f"{len(shape)}-D, {' x '.join(map(str, shape))}",
            remedy="Save the one to be used as a file of its own",
        )
    if len(shape) < 2:
        raise GliosegError(f"{path} holds no picture", expected="two axes or more", found=f"{shape}")


def place(path: Path, header: Header) -> tuple[NDArray[np.float64] | None, tuple[str, ...]]:
    """The affine from indices (i, j, k) to RAS+ millimetres, and what is to be remarked of it.

    The sform is taken where its code is above 0, else the qform; with neither the place is unknown.
    """
    remarks: list[str] = []
    sform, _ = header.get_sform(coded=True)
    qform = _qform(path, header, remarks, needed=sform is None)
    if sform is None and qform is None:
        return None, (f"{path.name} carries no geometry (sform and qform code 0); it is taken as axial slices",)
    if sform is not None and qform is not None:
        remarks += _disagreement(path, sform, qform, header.get_data_shape()[:3])
    affine: NDArray[np.float64] = np.array(sform if sform is not None else qform, np.float64)
    unit, millimetres = _OTHER_UNITS_MM.get(int(header["xyzt_units"]) & _SPACE_UNIT_BITS, ("", 1.0))
    if unit:
        remarks.append(f"{path.name} measures in {unit}, which are converted to millimetres")
        affine[:3] *= millimetres
    return affine, tuple(remarks)


def _qform(path: Path, header: Header, remarks: list[str], *, needed: bool) -> NDArray[np.float64] | None:
    try:
        qform: NDArray[np.float64] | None = header.get_qform(coded=True)[0]
    except HeaderDataError as error:
        if needed:
            raise
        remarks.append(f"{path.name}: the qform is unusable ({error}); the sform is taken")
        return None
    return qform


def _disagreement(
    path: Path, sform: NDArray[np.float64], qform: NDArray[np.float64], shape: tuple[int, ...]
) -> list[str]:
    apart_mm = largest_displacement_mm(sform, qform, shape)
    steps, other_steps = np.array(spacing_mm(sform)), np.array(spacing_mm(qform))
    if apart_mm <= SAME_PLACE_MM and np.allclose(steps, other_steps, rtol=_SAME_SPACING, atol=0):
        return []
    spacings = " and ".join(" x ".join(f"{step:.4g}" for step in each) for each in (steps, other_steps))
    return [
        f"{path.name}: sform and qform place voxels up to {apart_mm:.2f} mm apart "
        f"(spacings {spacings} mm); the sform is taken"
    ]


def _size(block: bytes) -> str:
    return f"a file of {len(block)} bytes" if len(block) < 4 else f"{int.from_bytes(block[:4], 'little')}"
