import logging
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from glioseg.errors import GliosegError
from glioseg.formats.tif import read_image_slice, read_mask_slice, write_mask_slice

SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 40))
OF_ONE_FOLDER = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
Reader = Callable[[Path], np.ndarray]


def image(rows: int = 12, columns: int = 10) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (rows, columns, 3), np.uint8)


def write_image(path: Path, pixels: np.ndarray) -> Path:
    tifffile.imwrite(path, pixels, photometric="rgb", metadata=None)
    return path


@OF_ONE_FOLDER
@given(arrays.arrays(np.bool_, SHAPES))
def test_a_mask_comes_back_as_written(tmp_path: Path, inside: np.ndarray) -> None:
    write_mask_slice(tmp_path / "m.tif", inside)
    read = read_mask_slice(tmp_path / "m.tif")
    assert read.dtype == np.bool_
    assert np.array_equal(read, inside)


@OF_ONE_FOLDER
@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))))
def test_an_image_comes_back_as_written(tmp_path: Path, pixels: np.ndarray) -> None:
    assert np.array_equal(read_image_slice(write_image(tmp_path / "i.tif", pixels)), pixels)


def test_a_mask_is_stored_as_the_dataset_stores_it(tmp_path: Path) -> None:
    inside = np.zeros((5, 7), np.bool_)
    inside[1, 2] = True
    write_mask_slice(tmp_path / "new" / "m.tif", inside)
    with tifffile.TiffFile(tmp_path / "new" / "m.tif") as file:
        (page,) = file.pages
        assert page.compression == tifffile.COMPRESSION.NONE
        assert page.photometric == tifffile.PHOTOMETRIC.MINISBLACK
        pixels = page.asarray()
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, inside * 255)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["m.tif"]


@pytest.mark.parametrize("read", [read_image_slice, read_mask_slice])
def test_a_file_cut_short_anywhere_is_an_error_that_names_it(tmp_path: Path, read: Reader) -> None:
    whole = tmp_path / "whole.tif"
    if read is read_image_slice:
        write_image(whole, image())
    else:
        write_mask_slice(whole, image()[..., 0] > 99)
    content, path = whole.read_bytes(), tmp_path / "cut.tif"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(GliosegError) as caught:
            read(path)
        assert str(caught.value).startswith(f"{path} cannot be read as tif: ")
        assert "\n" not in str(caught.value)
        assert caught.value.remedy is not None


@OF_ONE_FOLDER
@example(changes=[(0, 0)])
@given(st.lists(st.tuples(st.integers(0, 180), st.integers(0, 255)), min_size=1, max_size=3))
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    """Whatever the parser stumbles over; bytes 0 to 180 are the header and the tags."""
    content = bytearray(write_image(tmp_path / "i.tif", image()).read_bytes())
    for place, value in changes:
        content[place] = value
    (tmp_path / "i.tif").write_bytes(content)
    with suppress(GliosegError):
        pixels = read_image_slice(tmp_path / "i.tif")
        assert pixels.dtype == np.uint8
        assert pixels.shape[-1] == 3


@pytest.mark.parametrize(
    "raised", [struct.error("unpack requires 4 bytes"), MemoryError("71 GiB"), ZeroDivisionError(), OSError("I/O")]
)
def test_no_error_of_the_parser_escapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: Exception) -> None:
    """These four occur; which bytes call them up depends on tifffile's version."""
    path = write_image(tmp_path / "i.tif", image())

    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(tifffile.TiffFile, "asarray", fail)
    with pytest.raises(GliosegError, match=str(raised) or "ZeroDivisionError"):
        read_image_slice(path)


def test_the_parser_says_nothing_beside_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = write_image(tmp_path / "i.tif", image()).read_bytes()
    # As in a program that has not set up logging: pytest's own handlers would swallow the remarks.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    for length in range(8, 200, 4):
        (tmp_path / "i.tif").write_bytes(content[:length])
        with pytest.raises(GliosegError):
            read_image_slice(tmp_path / "i.tif")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("read", [read_image_slice, read_mask_slice])
@pytest.mark.parametrize("content", [b"", b"not a tif", b"\x89PNG\r\n\x1a\n" + bytes(100), bytes(500)])
def test_something_else_is_no_tif(tmp_path: Path, read: Reader, content: bytes) -> None:
    (tmp_path / "x.tif").write_bytes(content)
    with pytest.raises(GliosegError, match=r"x\.tif cannot be read as tif"):
        read(tmp_path / "x.tif")


@pytest.mark.parametrize("read", [read_image_slice, read_mask_slice])
def test_a_missing_file_and_a_folder_are_named(tmp_path: Path, read: Reader) -> None:
    with pytest.raises(GliosegError, match=r"x\.tif does not exist"):
        read(tmp_path / "x.tif")
    (tmp_path / "folder.tif").mkdir()
    with pytest.raises(GliosegError, match=r"folder\.tif cannot be read as tif"):
        read(tmp_path / "folder.tif")


def test_an_image_given_as_mask_is_refused(tmp_path: Path) -> None:
    path = write_image(tmp_path / "i.tif", image())
    with pytest.raises(GliosegError, match=r"i\.tif is not a mask of the dataset") as caught:
        read_mask_slice(path)
    assert caught.value.found == "uint8 (12, 10, 3)"


def test_a_mask_given_as_image_is_refused(tmp_path: Path) -> None:
    write_mask_slice(tmp_path / "m.tif", image()[..., 0] > 99)
    with pytest.raises(GliosegError, match=r"m\.tif is not an image of the dataset") as caught:
        read_image_slice(tmp_path / "m.tif")
    assert caught.value.found == "uint8 (12, 10)"


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.int8])
def test_another_number_type_is_refused(tmp_path: Path, dtype: type) -> None:
    tifffile.imwrite(tmp_path / "i.tif", image().astype(dtype), photometric="rgb", metadata=None)
    tifffile.imwrite(tmp_path / "m.tif", np.zeros((12, 10), dtype), photometric="minisblack", metadata=None)
    for name, read in (("i.tif", read_image_slice), ("m.tif", read_mask_slice)):
        with pytest.raises(GliosegError) as caught:
            read(tmp_path / name)
        assert str(np.dtype(dtype)) in str(caught.value.found)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_another_number_of_channels_is_refused(tmp_path: Path, channels: int) -> None:
    tifffile.imwrite(tmp_path / "i.tif", np.zeros((12, 10, channels), np.uint8), photometric="minisblack")
    with pytest.raises(GliosegError, match="not an image"):
        read_image_slice(tmp_path / "i.tif")


def test_several_pages_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "m.tif", np.zeros((4, 12, 10), np.uint8), photometric="minisblack")
    tifffile.imwrite(tmp_path / "i.tif", np.zeros((4, 12, 10, 3), np.uint8), photometric="rgb")
    with pytest.raises(GliosegError, match="not a mask"):
        read_mask_slice(tmp_path / "m.tif")
    with pytest.raises(GliosegError, match="not an image"):
        read_image_slice(tmp_path / "i.tif")


@OF_ONE_FOLDER
@given(arrays.arrays(np.uint8, SHAPES, elements=st.sampled_from([0, 1, 7, 128, 254, 255])))
def test_values_beside_0_and_255_are_refused_and_named(tmp_path: Path, pixels: np.ndarray) -> None:
    tifffile.imwrite(tmp_path / "m.tif", pixels, photometric="minisblack", metadata=None)
    others = sorted({int(value) for value in pixels.flat} - {0, 255})
    if not others:
        assert np.array_equal(read_mask_slice(tmp_path / "m.tif"), pixels == 255)
        return
    with pytest.raises(GliosegError, match=r"m\.tif is not a binary mask") as caught:
        read_mask_slice(tmp_path / "m.tif")
    assert caught.value.found == f"also {', '.join(map(str, others))}"


def test_of_many_wrong_values_a_few_are_named(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "m.tif", np.arange(256, dtype=np.uint8).reshape(16, 16), photometric="minisblack")
    with pytest.raises(GliosegError, match=r"also 1, 2, 3, 4, 5, \.\.\.") as caught:
        read_mask_slice(tmp_path / "m.tif")
    assert caught.value.remedy is not None
