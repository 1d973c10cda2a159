from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from glioseg.errors import GliosegError
from glioseg.formats.tif import read_image_slice, read_mask_slice

ORIENTATION = 274
PIXELS = np.random.default_rng(0).integers(0, 256, (12, 10, 3), np.uint8)
INSIDE = PIXELS[..., 0] > 150
GREY = np.where(INSIDE, 255, 0).astype(np.uint8)


def ramp(colours: np.ndarray) -> np.ndarray:
    """A palette, shape (3, 256): the same level for red, green and blue."""
    return np.broadcast_to(colours.astype(np.uint16), (3, 256))


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_where_white_is_zero_the_mask_is_what_is_shown(tmp_path: Path, compression: str | None) -> None:
    tifffile.imwrite(tmp_path / "m.tif", 255 - GREY, photometric="miniswhite", compression=compression)
    assert np.array_equal(read_mask_slice(tmp_path / "m.tif"), INSIDE)


def test_where_white_is_zero_and_lzw_packs_it_the_mask_is_what_is_shown(tmp_path: Path) -> None:
    Image.fromarray(255 - GREY).save(tmp_path / "m.tif", compression="tiff_lzw", tiffinfo={262: 0})
    with tifffile.TiffFile(tmp_path / "m.tif") as file:
        assert file.pages[0].photometric == tifffile.PHOTOMETRIC.MINISWHITE
    with Image.open(tmp_path / "m.tif") as shown:
        assert np.array_equal(read_mask_slice(tmp_path / "m.tif"), np.asarray(shown) == 255)


@pytest.mark.parametrize(
    "palette",
    [ramp(np.arange(255, -1, -1) * 257), ramp(np.arange(255, -1, -1))],
    ids=["sixteen_bits", "eight_bits"],
)
def test_a_palette_in_which_255_is_black_is_looked_up(tmp_path: Path, palette: np.ndarray) -> None:
    tifffile.imwrite(tmp_path / "m.tif", 255 - GREY, photometric="palette", colormap=palette)
    assert np.array_equal(read_mask_slice(tmp_path / "m.tif"), INSIDE)


def test_a_palette_that_lzw_packs_is_looked_up(tmp_path: Path) -> None:
    image = Image.fromarray((255 - GREY) // 255, "L").convert("P")
    image.putpalette([255, 255, 255, 0, 0, 0])
    image.save(tmp_path / "m.tif", compression="tiff_lzw")
    assert np.array_equal(read_mask_slice(tmp_path / "m.tif"), INSIDE)


def test_a_coloured_palette_is_no_mask(tmp_path: Path) -> None:
    palette = np.zeros((3, 256), np.uint16)
    palette[0, 255] = 65535
    tifffile.imwrite(tmp_path / "m.tif", GREY, photometric="palette", colormap=palette)
    with pytest.raises(GliosegError, match=r"m\.tif is not a mask of the dataset"):
        read_mask_slice(tmp_path / "m.tif")


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_one_bit_is_black_or_white(tmp_path: Path, photometric: str) -> None:
    bits = INSIDE if photometric == "minisblack" else ~INSIDE
    tifffile.imwrite(tmp_path / "m.tif", bits, photometric=photometric)
    assert np.array_equal(read_mask_slice(tmp_path / "m.tif"), INSIDE)


def test_fax_compression_is_refused_by_name(tmp_path: Path) -> None:
    Image.fromarray(INSIDE).save(tmp_path / "m.tif", compression="group4")
    with pytest.raises(GliosegError, match=r"cannot be read as tif: .*CCITT.*save it without compression"):
        read_mask_slice(tmp_path / "m.tif")


def stored(shown: np.ndarray, orientation: int) -> np.ndarray:
    """Rows and columns as TIFF 6.0 defines them for an orientation: where the first row and column lie."""
    rows_first = shown if orientation < 5 else shown.swapaxes(0, 1)
    first_row_last = orientation in (3, 4, 7, 8)
    first_column_last = orientation in (2, 3, 6, 7)
    if orientation >= 5:
        first_row_last, first_column_last = first_column_last, first_row_last
    rows_first = rows_first[::-1] if first_row_last else rows_first
    return rows_first[:, ::-1] if first_column_last else rows_first


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_an_image_is_turned_upright(tmp_path: Path, orientation: int, compression: str | None) -> None:
    pixels = np.ascontiguousarray(stored(PIXELS, orientation))
    Image.fromarray(pixels).save(tmp_path / "i.tif", compression=compression, tiffinfo={ORIENTATION: orientation})
    assert np.array_equal(read_image_slice(tmp_path / "i.tif"), PIXELS)


@pytest.mark.parametrize(
    "options", [{"compression": "tiff_lzw"}, {"compression": "tiff_lzw", "tiffinfo": {317: 2}}], ids=["plain", "steps"]
)
def test_lzw_is_read(tmp_path: Path, options: dict[str, Any]) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "i.tif", **options)
    Image.fromarray(GREY).save(tmp_path / "m.tif", **options)
    assert np.array_equal(read_image_slice(tmp_path / "i.tif"), PIXELS)
    assert np.array_equal(read_mask_slice(tmp_path / "m.tif"), INSIDE)


def test_a_jpeg_image_is_read(tmp_path: Path) -> None:
    smooth = np.indices((64, 48)).sum(axis=0)[..., None] * (2, 1, 0.5) + (10, 20, 30)
    Image.fromarray(smooth.astype(np.uint8)).save(tmp_path / "i.tif", compression="jpeg", quality=95)
    assert np.abs(read_image_slice(tmp_path / "i.tif") - smooth).max() < 6


def test_the_decoder_says_nothing_beside_the_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).integers(256, size=(64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "i.tif", compression="tiff_lzw")
    content = bytearray((tmp_path / "i.tif").read_bytes())
    content[1000:1008] = b"\xff" * 8
    (tmp_path / "i.tif").write_bytes(content)
    with pytest.raises(GliosegError, match="cannot be read as tif: decoder error"):
        read_image_slice(tmp_path / "i.tif")
    assert capfd.readouterr().err == ""


def test_a_jpeg_mask_has_lost_its_edges_and_says_so(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "m.tif", compression="jpeg", quality=50)
    with pytest.raises(GliosegError, match=r"m\.tif is not a binary mask.*without smoothing or compression loss"):
        read_mask_slice(tmp_path / "m.tif")


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_colours_in_planes_are_put_together(tmp_path: Path, compression: str | None) -> None:
    planes = np.ascontiguousarray(np.moveaxis(PIXELS, -1, 0))
    tifffile.imwrite(
        tmp_path / "i.tif", planes, photometric="rgb", planarconfig="separate", compression=compression, metadata=None
    )
    assert np.array_equal(read_image_slice(tmp_path / "i.tif"), PIXELS)


@pytest.mark.parametrize(
    ("pixels", "photometric", "said"),
    [(PIXELS, "ycbcr", "colours are YCBCR"), (GREY.astype(np.float32), "miniswhite", "white is 0")],
)
def test_what_nobody_can_tell_the_look_of_is_refused(
    tmp_path: Path, pixels: np.ndarray, photometric: str, said: str
) -> None:
    tifffile.imwrite(tmp_path / "i.tif", pixels, photometric=photometric, metadata=None)
    with pytest.raises(GliosegError, match=said):
        read_image_slice(tmp_path / "i.tif")


@pytest.mark.parametrize("compression", ["tiff_lzw", "jpeg"])
@pytest.mark.parametrize("read", [read_image_slice, read_mask_slice])
def test_a_packed_file_cut_short_is_an_error_that_names_it(
    tmp_path: Path, compression: str, read: Callable[[Path], Any]
) -> None:
    Image.fromarray(PIXELS if read is read_image_slice else GREY).save(tmp_path / "w.tif", compression=compression)
    content, path = (tmp_path / "w.tif").read_bytes(), tmp_path / "cut.tif"
    for length in range(0, len(content) - 20, 13):
        path.write_bytes(content[:length])
        with pytest.raises(GliosegError, match=r"cut\.tif"):
            read(path)


def test_a_size_that_no_slice_has_is_refused_before_memory_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tifffile.imwrite(tmp_path / "m.tif", np.zeros((9000, 9000), np.uint8), compression="deflate")
    monkeypatch.setattr(tifffile.TiffFile, "asarray", lambda *_: pytest.fail("memory was taken"))
    with pytest.raises(GliosegError, match="claims an image too large"):
        read_mask_slice(tmp_path / "m.tif")
