"""The pixels of a tif as a viewer shows them, which is not always how they are stored.

Source: TIFF 6.0, sections 3 to 8, and libtiff for colour maps of eight bits.
"""

import ctypes
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, _imaging
from tifffile import COMPRESSION, PHOTOMETRIC, PLANARCONFIG

from glioseg.formats.claimed_size import check_claimed_size

MAX_VALUES = 3 * 4096**2
"""More than any slice holds: three colours of 4096 x 4096 pixels."""

# Pillow warns of a damaged file on the terminal before our message does.
warnings.filterwarnings("ignore", module=r"PIL\.TiffImagePlugin")


def _quiet_libtiff() -> None:
    """The same of libtiff, which Pillow offers no way to; its errors come as Pillow's exceptions all the same."""
    # A library's symbols are found through the one that is linked against it. Where it hides them, libtiff speaks on.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)


_quiet_libtiff()

_UNPACKED_BY_PILLOW = (COMPRESSION.LZW, COMPRESSION.JPEG)
_ORIENTATION = 274
_UPRIGHT = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: np.rot90(pixels),
}


def shown_pixels(path: Path) -> NDArray[Any]:
    """Read what a tif shows: grey values that rise from black to white, or colours, the right way up.

    Returns:
        Shape (row, column) for grey, (row, column, colour) else, of the stored type; uint8 where a value has fewer
        bits. Several pages come first.

    Raises:
        GliosegError: If the image claims a size that no slice has.
        Exception: Whatever reading raises on a damaged file or on colours that are not read.
    """
    with tifffile.TiffFile(path) as file:
        if len(file.pages) == 0:
            raise ValueError("no image in it")
        page: Any = file.pages.first
        check_claimed_size(path, file.series[0].shape, 1, 0, expansion=None, most=MAX_VALUES)
        if page.compression in _UNPACKED_BY_PILLOW:
            return _by_pillow(path)
        pixels = _colours_last(page, file.asarray())
        turn = _UPRIGHT.get(page.tags.valueof(_ORIENTATION, 1), np.asarray)
        return np.ascontiguousarray(turn(_as_shown(page, pixels)))


def _by_pillow(path: Path) -> NDArray[Any]:
    """What tifffile cannot unpack by itself. Pillow shows grey, black and white, and turns the image upright."""
    with Image.open(path, formats=["TIFF"]) as image:
        if getattr(image, "n_frames", 1) != 1:
            raise ValueError("several images, compressed")
        if image.mode == "1":
            return np.asarray(image.convert("L"))
        if image.mode in ("P", "CMYK", "YCbCr", "LAB"):
            return _grey_if_grey(np.asarray(image.convert("RGB")))
        return np.asarray(image)


def _colours_last(page: Any, pixels: NDArray[Any]) -> NDArray[Any]:
    planes = page.planarconfig == PLANARCONFIG.SEPARATE and page.samplesperpixel > 1
    return np.moveaxis(pixels, -3, -1) if planes else pixels


def _as_shown(page: Any, pixels: NDArray[Any]) -> NDArray[Any]:
    if page.photometric == PHOTOMETRIC.PALETTE:
        return _grey_if_grey(_looked_up(page.colormap, pixels))
    if page.photometric not in (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.RGB):
        raise ValueError(f"its colours are {getattr(page.photometric, 'name', page.photometric)}, not grey or RGB")
    if page.bitspersample < 8:
        pixels = pixels.astype(np.uint8) * np.uint8(255 // (2**page.bitspersample - 1))
    if page.photometric == PHOTOMETRIC.MINISWHITE:
        if pixels.dtype.kind != "u":
            raise ValueError(f"white is 0 and the values are {pixels.dtype}, so that nothing tells black")
        pixels = np.iinfo(pixels.dtype).max - pixels
    return pixels


def _looked_up(colours: NDArray[np.uint16], pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """The colours of a palette. They have sixteen bits; where none exceeds eight, its writer meant eight."""
    levels = (colours >> 8 if colours.max() > 255 else colours).astype(np.uint8)
    return np.moveaxis(levels[:, pixels], 0, -1)


def _grey_if_grey(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    is_grey = np.array_equal(colours[..., 0], colours[..., 1]) and np.array_equal(colours[..., 0], colours[..., 2])
    return colours[..., 0] if is_grey else colours
