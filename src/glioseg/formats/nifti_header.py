"""What a NIfTI header says: the form of the image and its place in space.

Source: the NIfTI-1.1 and NIfTI-2 definitions, nifti1.h and nifti2.h.
"""

import gzip
import math
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from glioseg.errors import BadFileError
from glioseg.formats.nibabel_alone import HeaderDataError, Nifti1Header, Nifti2Header
from glioseg.scan import Place, is_invertible
from glioseg.space.affine import SAME_PLACE_MM, largest_displacement_mm, spacing_mm

# nibabel ships types, but they leave headers open.
Header = Any

_SAME_SPACING = 0.001
_EXTENDER = 4
_PAIRS = (b"ni1", b"ni2")
_LONGEST_ROTATION = 1.001
_ROUNDING = 1e-7
_ALIGNED, _LAST_CODE = 2, 5
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
        GliosegError: If it is no NIfTI header.
    """
    block = stream.read(Nifti2Header.sizeof_hdr)
    for kind in (Nifti1Header, Nifti2Header):
        if int(kind.sizeof_hdr) in (int.from_bytes(block[:4], "little"), int.from_bytes(block[:4], "big")):
            break
    else:
        raise BadFileError(path, "is not NIfTI", expected="a header of 348 or 540 bytes", found=_size(block))
    if len(block) < kind.sizeof_hdr:
        raise BadFileError(
            path, "is cut short", expected=f"a header of {kind.sizeof_hdr} bytes", found=f"{len(block)} bytes"
        )
    header = kind(block[: kind.sizeof_hdr], check=False)
    if bytes(header["magic"])[:3] not in (b"n+1", b"n+2", *_PAIRS):
        raise BadFileError(
            path,
            "is not NIfTI but an older Analyze file, which does not tell left from right",
            remedy="Convert the scan again from DICOM",
        )
    return header


def is_pair(header: Header) -> bool:
    """Whether the voxels lie in a file of their own, ``.img`` beside ``.hdr``."""
    return bytes(header["magic"])[:3] in _PAIRS


def check_form(path: Path, header: Header) -> None:
    """Refuse what is not one image of one number a voxel.

    Raises:
        GliosegError: For several images in one file, colours, complex numbers, and fewer than two axes.
    """
    shape, dtype = header.get_data_shape(), header.get_data_dtype()
    if dtype.fields is not None:
        raise BadFileError(
            path,
            "holds colours",
            expected="one intensity for each voxel",
            found=" ".join(dtype.names or ()),
            remedy="Give the scan itself, not a screenshot or an overlay of it",
        )
    if dtype.kind == "c":
        raise BadFileError(
            path,
            "holds complex numbers",
            expected="intensities",
            found=str(dtype),
            remedy="Save the magnitude as a file of its own",
        )
    if math.prod(shape[3:]) != 1:
        raise BadFileError(
            path,
            "holds several images",
            expected="one image (3-D)",
            found=f"{len(shape)}-D, {' x '.join(map(str, shape))}",
            remedy="Save the one to be used as a file of its own",
        )
    if len(shape) < 2:
        raise BadFileError(path, "holds no image", expected="two axes or more", found=f"{shape}")


def find_voxels(path: Path, header: Header, stream: IO[bytes]) -> tuple[str, ...]:
    """Put right where the voxels begin, if the header has them begin within itself, and tell it.

    They then follow the header, or the four bytes that announce extensions, whichever the file is long enough for.
    """
    size, offset = int(header.sizeof_hdr), float(header["vox_offset"])
    if offset >= size or is_pair(header):
        return ()
    voxels = math.prod(header.get_data_shape()) * header.get_data_dtype().itemsize
    stream.seek(size + _EXTENDER + max(voxels, 1) - 1)
    begin = size + (_EXTENDER if stream.read(1) else 0)
    header["vox_offset"] = begin
    return (f"{path.name}: its voxels cannot begin at byte {offset:g}; they are read from byte {begin}",)


def place(path: Path, header: Header) -> tuple[NDArray[np.float64], Place, tuple[str, ...]]:
    """Where the voxels lie. What the standard puts right is put right in the header, so that a result has it too.

    The sform is taken where its code is above 0 and it places voxels, else the qform; with neither the standard's
    method 1: i, j and k run towards the right, the front and the crown.

    Returns:
        The affine from indices (i, j, k) to RAS+ millimetres, how much of it the header tells, and what is to be
        remarked.

    Raises:
        HeaderDataError: If only the qform could tell the place and it is unusable.
    """
    remarks = _repair_codes(path, header)
    qform_is_set = int(header["qform_code"]) > 0
    if int(header["sform_code"]) > 0 and qform_is_set and not is_invertible(header.get_sform()):
        header["sform_code"] = 0
        remarks.append(f"{path.name}: the sform places no voxel; the qform is taken")
    sform, _ = header.get_sform(coded=True)
    if sform is None:
        remarks += _repair(path, header)
    qform = _qform(path, header, remarks, needed=sform is None)
    if sform is not None and qform is not None:
        remarks += _disagreement(path, sform, qform, (*header.get_data_shape(), 1)[:3])
    told = sform if sform is not None else qform
    affine = np.array(_by_spacing(header) if told is None else told, np.float64)
    if told is None:
        remarks.append(
            f"{path.name} carries no geometry (sform and qform code 0): rows are taken to run from the back to the "
            f"front and slices upwards, as the standard says, with its spacing, {_times(header['pixdim'][1:4])} mm"
        )
    unit, millimetres = _OTHER_UNITS_MM.get(int(header["xyzt_units"]) & _SPACE_UNIT_BITS, ("", 1.0))
    if unit:
        remarks.append(f"{path.name} measures in {unit}, which are converted to millimetres")
        affine[:3] *= millimetres
    return affine, "told" if told is not None else _place_by_spacing(header), tuple(remarks)


def _repair_codes(path: Path, header: Header) -> list[str]:
    """Any code above 0 places the voxels, but readers that do not know it leave sform or qform out."""
    repairs = []
    for form in ("sform", "qform"):
        code = int(header[f"{form}_code"])
        if code > _LAST_CODE:
            header[f"{form}_code"] = _ALIGNED
            repairs.append(f"{path.name}: the {form} code {code}, which the standard lacks, is read as {_ALIGNED}")
    return repairs


def _repair(path: Path, header: Header) -> list[str]:
    """What the standard's own library takes for spacing and rotation where the header holds what cannot be."""
    pixdim, repairs = header["pixdim"], []
    spacing = np.where(np.isfinite(pixdim[1:4]) & (pixdim[1:4] != 0), np.abs(pixdim[1:4]), 1)
    if not np.array_equal(spacing, pixdim[1:4]):
        repairs.append(f"the spacing {_times(pixdim[1:4])} is read as {_times(spacing)}")
        pixdim[1:4] = spacing
    if int(header["qform_code"]) > 0:
        repairs += _repair_rotation(header)
    return [f"{path.name}: {repair}" for repair in repairs]


def _repair_rotation(header: Header) -> list[str]:
    repairs = []
    qfac, names = float(header["pixdim"][0]), ("quatern_b", "quatern_c", "quatern_d")
    if qfac not in (-1, 1):
        header["pixdim"][0] = -1 if qfac < 0 else 1
        repairs.append(f"the qform's sign {qfac:g} is read as {header['pixdim'][0]:g}")
    length = math.sqrt(sum(float(header[name]) ** 2 for name in names))
    if 1 < length <= _LONGEST_ROTATION:
        for name in names:
            header[name] = float(header[name]) / length
        if length - 1 > _ROUNDING:
            repairs.append(f"the qform's rotation, {length - 1:.1g} longer than 1, is shortened to it")
    return repairs


def _by_spacing(header: Header) -> NDArray[np.float64]:
    return np.diag([*header["pixdim"][1:4], 1.0])


def _place_by_spacing(header: Header) -> Place:
    """A step of 1 in no unit is what a header holds that nobody filled in."""
    is_blank = np.all(header["pixdim"][1:4] == 1) and not int(header["xyzt_units"]) & _SPACE_UNIT_BITS
    return "assumed" if is_blank else "spacing"


def _qform(path: Path, header: Header, remarks: list[str], *, needed: bool) -> NDArray[np.float64] | None:
    try:
        qform: NDArray[np.float64] | None = header.get_qform(coded=True)[0]
    except (HeaderDataError, ValueError) as error:
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
    spacings = f"{_times(steps)} and {_times(other_steps)}"
    return [
        f"{path.name}: sform and qform place voxels up to {apart_mm:.2f} mm apart "
        f"(spacings {spacings} mm); the sform is taken"
    ]


def _times(steps: NDArray[Any]) -> str:
    return " x ".join(f"{step:.4g}" for step in steps)


def _size(block: bytes) -> str:
    return f"a file of {len(block)} bytes" if len(block) < 4 else f"{int.from_bytes(block[:4], 'little')}"
