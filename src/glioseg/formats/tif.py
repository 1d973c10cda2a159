"""Slices of the dataset: one tif for the image, one for the mask."""

import logging
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from glioseg.errors import BadFileError
from glioseg.formats.damage import damage_told
from glioseg.formats.tif_pixels import shown_pixels
from glioseg.volume import CHANNELS

INSIDE = 255
"""The value of tumour in a mask; all else is 0."""

# Without a handler of its own, tifffile's remarks on a damaged file reach the terminal before our message does.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def read_image_slice(path: Path) -> NDArray[np.uint8]:
    """Read the image of one slice.

    Returns:
        Intensities, shape (row, column, channel), uint8, channels in the order of :data:`glioseg.volume.CHANNELS`.

    Raises:
        GliosegError: If the file is unreadable or holds something else.
    """
    pixels = read_tif(path)
    if pixels.ndim != 3 or pixels.shape[-1] != len(CHANNELS) or pixels.dtype != np.uint8:
        raise BadFileError(
            path,
            "is not an image of the dataset",
            expected=f"uint8 (row, column, {len(CHANNELS)} channels)",
            found=f"{pixels.dtype} {pixels.shape}",
        )
    return pixels


def read_mask_slice(path: Path) -> NDArray[np.bool_]:
    """Read the mask of one slice.

    Returns:
        True inside the tumour, shape (row, column).

    Raises:
        GliosegError: If the file is unreadable or holds values other than 0 and 255.
    """
    pixels = read_tif(path)
    if pixels.ndim != 2 or pixels.dtype != np.uint8:
        raise BadFileError(
            path,
            "is not a mask of the dataset",
            expected="uint8 (row, column)",
            found=f"{pixels.dtype} {pixels.shape}",
        )
    inside = pixels == INSIDE
    if not np.all(inside | (pixels == 0)):
        others = [int(value) for value in np.unique(pixels) if value not in (0, INSIDE)]
        shown = ", ".join(map(str, others[:5])) + (", ..." if len(others) > 5 else "")
        raise BadFileError(
            path,
            "is not a binary mask",
            expected="values 0 and 255",
            found=f"also {shown}",
            remedy="Write the mask with 255 inside the tumour and 0 outside, without smoothing or compression loss",
        )
    return inside


def write_mask_slice(path: Path, inside: NDArray[np.bool_]) -> None:
    """Write the mask of one slice, shape (row, column), as uint8 0 or 255, into a folder that is written whole."""
    buffer = BytesIO()
    tifffile.imwrite(buffer, inside * np.uint8(INSIDE), photometric="minisblack", metadata=None)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())


def read_tif(path: Path) -> NDArray[Any]:
    """Read what a tif shows, whatever its type and shape: see :func:`glioseg.formats.tif_pixels.shown_pixels`.

    Raises:
        GliosegError: If the file is missing or unreadable.
    """
    with damage_told(path, "tif", "If it is damaged or cut short, fetch it again; else save it without compression"):
        return shown_pixels(path)
