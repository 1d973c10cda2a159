"""NIfTI files: a scan in, a mask or a probability out on the scan's own grid.

A file's axes (i, j, k) become (slice, row, column) by reversing their order and by nothing else, so that the way back
is exact. Which of them runs from neck to crown only the affine tells.
"""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from glioseg.atomic import write_bytes_atomically
from glioseg.errors import BadFileError, GliosegError
from glioseg.formats.claimed_size import GZIP_EXPANSION, check_claimed_size
from glioseg.formats.damage import damage_told
from glioseg.formats.nibabel_alone import Nifti1Header, Nifti1Image, Nifti2Header, Nifti2Image
from glioseg.formats.nifti_header import Header, check_form, find_voxels, is_pair, open_nifti, place, read_header
from glioseg.formats.not_numbers import nan_as_background
from glioseg.formats.readers import companions, without_suffix
from glioseg.scan import Scan
from glioseg.space.affine import Grid, direction_cosines, same_grid
from glioseg.volume import Mask

_TRAILER = 2**20
# Levels above shrink such files by little and take many times as long.
_COMPRESSION = 4
_SCANNER = 1


def read_nifti(path: Path, *, patient: str | None = None, sequence: str | None = None) -> Scan:
    """Read one image.

    Args:
        path: A single NIfTI-1 or NIfTI-2 file, gzip or not, or the header of a pair ``.hdr`` and ``.img``.
        patient: The patient's identifier; without it the file's name.
        sequence: The sequence (see :data:`glioseg.volume.CHANNELS`), where it is known.

    Returns:
        The scan with slope and intercept applied; slices, rows and columns are the file's k, j and i.

    Raises:
        GliosegError: If the file is unreadable, cut short, holds something else than one image, claims a size that
            cannot be, or holds voxels in the head that are no finite number.
    """
    with _reading(path) as stream:
        header = read_header(path, stream)
        check_form(path, header)
        repairs = find_voxels(path, header, stream)
        affine, told, remarks = place(path, header)
        if is_pair(header):
            image = _image_beside(path)
            with open_nifti(image) as beside:
                stored = _read_voxels(image, header, beside)
        else:
            stored = _read_voxels(path, header, stream)
        voxels, blank = nan_as_background(path.name, stored)
    remarks = (*repairs, *remarks, *blank)
    return Scan(patient or without_suffix(path.name), voxels, _reversed(affine), sequence, str(path), remarks, told)


def _read_voxels(path: Path, header: Header, stream: IO[bytes]) -> NDArray[np.float32]:
    _check_size(path, header, stream)
    voxels = _by_slice(header.data_from_fileobj(stream))
    # Only at its end does a gzip stream tell whether all of it was right.
    stream.read(_TRAILER)
    return voxels


def _image_beside(path: Path) -> Path:
    beside = companions(path, "nifti")
    if not beside:
        raise BadFileError(
            path, "lacks its voxels", expected=f"{without_suffix(path.name)}.img", remedy="Put it beside the header"
        )
    return beside[0]


def write_nifti_mask(path: Path, mask: Mask, *, like: Path | None = None) -> None:
    """Write a mask as uint8, 0 or 1, whole or not at all.

    Args:
        path: Compressed where it ends in ``.gz``.
        mask: On the grid of ``like``.
        like: The NIfTI file that the mask belongs to: shape, axes, sform, qform, their codes and units are copied bit
            for bit. Without it they are made from the mask's affine, as for a scan of another format.

    Raises:
        GliosegError: If the mask does not lie on the grid of ``like``, or a file cannot be read or written.
    """
    _write(path, mask.voxels.view(np.uint8), mask.affine, like, "mask")


def write_nifti_probability(
    path: Path, probability: NDArray[np.float32], affine: NDArray[np.float64] | None, *, like: Path | None = None
) -> None:
    """Write probabilities (slice, row, column) as float32; arguments and errors as :func:`write_nifti_mask`."""
    _write(path, probability.astype(np.float32, copy=False), affine, like, "tumour probability")


def _write(
    path: Path, voxels: NDArray[Any], affine: NDArray[np.float64] | None, like: Path | None, description: str
) -> None:
    header = _header_like(like, voxels, affine) if like is not None else _header_of(voxels, affine)
    header.set_data_dtype(voxels.dtype)
    header.set_intent("none", (), name="")
    # Left as they were, these would show the mask in the window of the scan, and repeat what a header may tell of
    # the patient.
    header["cal_min"], header["cal_max"] = 0, 1
    header["descrip"], header["aux_file"] = f"glioseg: {description}", ""
    image = Nifti2Image if isinstance(header, Nifti2Header) else Nifti1Image
    if image is Nifti1Image:
        header["db_name"] = ""
    content = image(voxels.T.reshape(header.get_data_shape()), None, header).to_bytes()
    packed = path.suffix.lower() == ".gz"
    write_bytes_atomically(path, gzip.compress(content, _COMPRESSION, mtime=0) if packed else content)


def _header_like(like: Path, voxels: NDArray[Any], affine: NDArray[np.float64] | None) -> Header:
    with _reading(like) as stream:
        header = read_header(like, stream)
        source, told, _ = place(like, header)
    shape = tuple(header.get_data_shape())
    nowhere = affine is None and told == "assumed"
    there = Grid((*shape, 1)[:3][::-1], None if nowhere else _reversed(source))
    here = Grid(voxels.shape, affine)
    if not same_grid(there, here):
        moved = there.shape == here.shape
        raise GliosegError(
            f"the result does not lie on the grid of {like}",
            expected="its affine" if moved else _in_words(there),
            found="another" if moved else _in_words(here),
        )
    header["vox_offset"] = 0
    # Of these words the reader heeds three bytes, nibabel all of them.
    for word in {"magic", "eol_check"} & set(header):
        header[word] = type(header)()[word]
    return header


def _header_of(voxels: NDArray[Any], affine: NDArray[np.float64] | None) -> Header:
    header = Nifti1Header()
    header.set_data_shape(voxels.shape[::-1])
    if affine is not None:
        by_file = _reversed(affine)
        header.set_sform(by_file, _SCANNER)
        # A qform cannot hold a sheared grid, as of a tilted gantry: it would contradict the sform.
        header.set_qform(by_file, _SCANNER if _is_rectangular(affine) else 0)
        header.set_xyzt_units("mm")
    return header


def _in_words(grid: Grid) -> str:
    return "{} slices, {} rows, {} columns".format(*grid.shape)


@contextmanager
def _reading(path: Path) -> Iterator[IO[bytes]]:
    remedy = "If it is damaged or cut short, fetch it again or convert it again from DICOM"
    with damage_told(path, "NIfTI", remedy), open_nifti(path) as stream:
        yield stream


def _check_size(path: Path, header: Header, stream: IO[bytes]) -> None:
    packed = isinstance(stream, gzip.GzipFile)
    check_claimed_size(
        path,
        header.get_data_shape(),
        header.get_data_dtype().itemsize,
        path.stat().st_size - (0 if packed else int(header.get_data_offset())),
        expansion=GZIP_EXPANSION if packed else 1,
    )


def _by_slice(voxels: NDArray[Any]) -> NDArray[np.float32]:
    # The voxels of an uncompressed file still lie in the file, which may change: only they need a copy. What is too
    # large for float32 becomes infinite, which the scan refuses.
    with np.errstate(over="ignore"):
        by_slice = voxels.reshape((*voxels.shape, 1)[:3]).T
        return np.array(by_slice, np.float32, order="C", copy=isinstance(voxels, np.memmap) or None)


def _reversed(affine: NDArray[np.float64] | None) -> Any:
    """An affine with its index axes in reverse order, (i, j, k) for (slice, row, column) or back."""
    return None if affine is None else affine[:, [2, 1, 0, 3]]


def _is_rectangular(affine: NDArray[np.float64]) -> bool:
    cosines = direction_cosines(affine)
    return bool(np.allclose(cosines.T @ cosines, np.eye(3), atol=1e-4))
