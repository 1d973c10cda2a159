"""Intensities of DICOM images, whatever their encoding."""

from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from glioseg.errors import GliosegError
from glioseg.formats.dicom_files import DicomFile, read_dicom_files
from glioseg.formats.dicom_geometry import DicomSlice
from glioseg.formats.dicom_headers import CONVERSION_ERRORS, frame_numbers, quiet_parser, read_dataset


def read_intensities(slices: Sequence[DicomSlice]) -> NDArray[np.float32]:
    """Intensities in the order of the slices, rescaled, bright for much signal; shape (slice, row, column).

    MONOCHROME1, in which the lowest value is shown white, is turned about the middle of its range. Padding, as outside
    of a round field of view, is no signal: 0, or the darkest intensity where that lies below.

    Raises:
        GliosegError: If a file cannot be decoded, is not as its header was, or has a rescale slope of zero.
    """
    first = slices[0].dataset
    voxels = np.empty((len(slices), first.Rows, first.Columns), np.float32)
    for index, image in enumerate(_images(slices)):
        voxels[index] = image
    padding = np.isnan(voxels)
    shown = voxels[~padding] if padding.any() else voxels
    if shown.size == 0:
        return np.zeros_like(voxels)
    if first.PhotometricInterpretation == "MONOCHROME1":
        voxels = shown.max() + shown.min() - voxels
    voxels[padding] = min(shown.min(), 0)
    return voxels


def _images(slices: Sequence[DicomSlice]) -> Iterator[NDArray[np.float32]]:
    """Each file is read and decoded once, for as many slices in a row as lie in it."""
    runs = [(file, list(run)) for file, run in groupby(slices, key=lambda one: one.file)]
    for (file, run), content in zip(runs, read_dicom_files([file for file, _ in runs]), strict=True):
        stored = _decode(file, content, (run[0].dataset.Rows, run[0].dataset.Columns))
        for one in run:
            yield _rescaled(one, stored)


def _decode(file: DicomFile, content: bytes, size: tuple[int, int]) -> NDArray[np.generic]:
    """The stored values of a file, shape (frame, row, column)."""
    try:
        with quiet_parser():
            pixels: NDArray[np.generic] = read_dataset(BytesIO(content)).pixel_array
    # Each decoder has errors of its own; pydicom's for a plug-in that is missing names it.
    except Exception as error:
        raise GliosegError(
            f"{file} cannot be decoded: {' '.join(str(error).split()) or type(error).__name__}",
            remedy="If it is damaged, fetch it again; otherwise rewrite it uncompressed with dcmconv or gdcmconv --raw",
        ) from error
    pixels = pixels.reshape(-1, *pixels.shape[-2:])
    if pixels.shape[1:] != size:
        raise GliosegError(f"{file} has changed", expected=f"{size} pixels", found=f"{pixels.shape[1:]}")
    return pixels


def _rescaled(one: DicomSlice, stored: NDArray[np.generic]) -> NDArray[np.float32]:
    group = "PixelValueTransformationSequence"
    slope = frame_numbers(one.dataset, one.frame, group, "RescaleSlope", 1)
    intercept = frame_numbers(one.dataset, one.frame, group, "RescaleIntercept", 1)
    factor = 1.0 if slope is None else float(slope[0])
    if factor == 0:
        raise GliosegError(f"{one.file} has RescaleSlope 0, which leaves nothing of the image")
    if one.frame >= len(stored):
        raise GliosegError(f"{one.file} holds fewer images than it claims", remedy="Fetch it again")
    image = stored[one.frame].astype(np.float64) * factor + (0.0 if intercept is None else float(intercept[0]))
    image[_padding(one.dataset, stored[one.frame])] = np.nan
    return image.astype(np.float32)


def _padding(header: Dataset, stored: NDArray[np.generic]) -> NDArray[np.bool_]:
    """The pixels that hold PixelPaddingValue, or a value from it to PixelPaddingRangeLimit (PS3.3, C.7.5.1.1.2)."""
    ends = [_as_stored(header, keyword) for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    known = [end for end in ends if end is not None]
    if ends[0] is None:
        return np.zeros(stored.shape, np.bool_)
    values = stored.astype(np.int64)
    return (values >= min(known)) & (values <= max(known))


def _as_stored(header: Dataset, keyword: str) -> int | None:
    """A pixel value of the header; one that was written with the wrong sign is taken by its bits."""
    try:
        value, values = int(header[keyword].value), 2 ** int(header.BitsAllocated)
    except CONVERSION_ERRORS:
        return None
    lowest = -values // 2 if header.get("PixelRepresentation") else 0
    return (value - lowest) % values + lowest
