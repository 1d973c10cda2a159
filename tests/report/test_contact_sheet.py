"""What a sheet shows is where it is in the patient: sides, slices, contour and diameters."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from glioseg.display import PREDICTION_COLOUR
from glioseg.errors import GliosegError
from glioseg.report.contact_sheet import brain_window, contact_sheet, slices_to_show, write_contact_sheet
from glioseg.report.sheet_drawing import (
    FOOT_PX,
    HEAD_PX,
    LINE_COLOUR,
    MARGIN_PX,
    Tile,
    contour_cover,
    draw_tile,
    tile_size,
)
from glioseg.volume import CHANNELS, Mask, Volume

Flags = NDArray[np.bool_]


def axial(spacing_mm: tuple[float, float, float] = (5, 1, 1)) -> NDArray[np.float64]:
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = spacing_mm[0], -spacing_mm[1], -spacing_mm[2], 1
    return affine


def patient(*, placed: bool = True, post: bool = True, tumour: bool = True) -> tuple[Volume, Mask]:
    """A head whose anterior half is brighter, with a tumour low in the columns: on the patient's right."""
    rows, columns = np.mgrid[-1:1:44j, -1:1:38j]
    inside = rows**2 + columns**2 < 0.8
    grey = np.where(inside, np.where(rows < 0, 160, 110), 3).astype(np.uint8)
    chance = np.random.default_rng(0)
    voxels = np.stack([grey[None] + chance.integers(0, 9, (9, 44, 38)).astype(np.uint8) for _ in CHANNELS], axis=-1)
    if not post:
        voxels[..., 2] = voxels[..., 1]
    flags = np.zeros((9, 44, 38), np.bool_)
    if tumour:
        flags[3:6, 12:20, 8:16] = True
        # One longest diameter: of two equal ones a mirrored grid may draw the other.
        flags[4, 12:22, 8:16] = True
        flags[4, 19:22, 8:11] = False
    affine = axial() if placed else None
    missing = () if post else ("post",)
    return Volume("P1", voxels, missing=missing, affine=affine), Mask("P1", flags, affine=affine)


def turned(volume: Volume, mask: Mask, order: tuple[int, ...], flip: tuple[bool, ...]) -> tuple[Volume, Mask]:
    """The same patient on an array with other axes."""
    into = np.zeros((4, 4))
    into[3, 3] = 1
    for new, old in enumerate(order):
        into[old, new] = -1 if flip[new] else 1
        into[old, 3] = mask.voxels.shape[old] - 1 if flip[new] else 0
    assert mask.affine is not None
    back = [axis for axis in range(3) if flip[axis]]
    return (
        Volume("P1", np.flip(volume.voxels.transpose(*order, 3), back), affine=mask.affine @ into),
        Mask("P1", np.flip(mask.voxels.transpose(order), back), affine=mask.affine @ into),
    )


@given(order=st.sampled_from(list(permutations(range(3)))), flip=st.tuples(*[st.booleans()] * 3))
@settings(max_examples=5, deadline=None)
def test_every_grid_shows_the_same_image(order: tuple[int, ...], flip: tuple[bool, ...]) -> None:
    """But for the numbers of the slices, which count in the file's order."""
    volume, mask = patient()
    plain, other = contact_sheet(volume, mask), contact_sheet(*turned(volume, mask, order, flip))
    assert plain.shape == other.shape
    different = (plain.astype(int) != other).any(axis=-1)
    # The numbers stand in the uppermost 24 rows of each of the two rows of tiles.
    step = (len(plain) - 2 * MARGIN_PX - HEAD_PX - FOOT_PX) // 2
    for row in (MARGIN_PX + HEAD_PX, MARGIN_PX + HEAD_PX + step):
        different[row : row + 24] = False
    assert not different.any()


def tile(tumour: Flags, proportions: tuple[float, float] = (1.0, 1.0)) -> Tile:
    grey = np.full(tumour.shape, 90, np.uint8)
    return Tile(grey, tumour, proportions, "", (), "", PREDICTION_COLOUR)


def test_the_contour_runs_just_inside_the_mask() -> None:
    flags = np.zeros((30, 30), np.bool_)
    flags[10:20, 5:25] = True
    cover = contour_cover(flags, (300, 300))
    assert cover.min() == 0
    assert cover.max() == 255
    assert not cover[110:190, 60:240].any()
    outside = np.ones((300, 300), np.bool_)
    outside[100:200, 50:250] = False
    assert not cover[outside].any()
    assert cover[150, 50:54].max() == 255
    assert cover[150, 246:250].max() == 255


def test_the_contour_is_what_lies_near_the_edge_of_the_mask() -> None:
    """By distances over a whole tile, of ragged parts that touch its rim."""
    flags = ndimage.uniform_filter(np.random.default_rng(1).random((30, 40)), 5) > 0.52
    fine = Image.fromarray(np.uint8(255) * flags).resize((360, 270), Image.Resampling.BILINEAR)
    depth = ndimage.distance_transform_edt(np.pad(np.asarray(fine) > 127, 1))[1:-1, 1:-1]
    line = (depth > 0) & (depth <= 4.8)
    expected = line.reshape(90, 3, 120, 3).mean(axis=(1, 3)) * 255
    assert flags[0].any()
    assert np.abs(contour_cover(flags, (90, 120)) - expected).max() < 1


@pytest.mark.parametrize("size", [(300, 300), (120, 300)])
def test_a_tumour_of_one_pixel_has_a_contour(size: tuple[int, int]) -> None:
    flags = np.zeros((100, 100), np.bool_)
    flags[40, 70] = True
    rows, columns = np.nonzero(contour_cover(flags, size))
    assert abs(rows.mean() / size[0] - 0.405) < 0.005
    assert abs(columns.mean() / size[1] - 0.705) < 0.005


def test_a_tile_keeps_the_patients_proportions() -> None:
    flags = np.zeros((20, 100), np.bool_)
    height, width = tile_size(tile(flags, proportions=(5.0, 1.0)))
    assert height == width
    assert draw_tile(tile(flags, proportions=(5.0, 1.0)), marks_sides=True).size == (width, height)


def test_diameters_are_drawn_where_they_lie() -> None:
    flags = np.zeros((30, 30), np.bool_)
    drawn = Tile(np.zeros((30, 30), np.uint8), flags, (1, 1), "", (((10, 4.5), (10, 24.5)),), "", PREDICTION_COLOUR)
    picture = np.asarray(draw_tile(drawn, marks_sides=False)).astype(int)
    height, width = tile_size(drawn)
    rows, columns = np.nonzero(picture[..., 2] > 128)
    assert rows.mean() == pytest.approx(10.5 / 30 * height, abs=1)
    assert (columns.min(), columns.max()) == pytest.approx((5 / 30 * width, 25 / 30 * width), abs=2)


def test_sides_are_marked_only_where_the_file_tells_them() -> None:
    """Beside the slices nothing else is drawn, so that all that differs is R, L and the words."""
    blank = tile(np.zeros((40, 40), np.bool_))
    marked, plain = (np.asarray(draw_tile(blank, marks_sides=marks)).astype(int) for marks in (True, False))
    rows, columns = np.nonzero((marked != plain).any(axis=-1))
    height, width = tile_size(blank)
    assert abs(rows.mean() - height / 2) < 3
    assert {bool(column > width / 2) for column in columns} == {True, False}
    assert not ((columns > 30) & (columns < width - 30)).any()
    # Without spacing the voxel count is all the head line knows, and no slice has sides.
    known, unknown = contact_sheet(*patient()), contact_sheet(*patient(placed=False))
    assert known.shape == unknown.shape
    assert not np.array_equal(known, unknown)


def test_the_post_contrast_rows_are_there_if_it_was_taken() -> None:
    with_post, without = (contact_sheet(*patient(post=post)) for post in (True, False))
    assert with_post.shape[1] == without.shape[1]
    around = 2 * MARGIN_PX + HEAD_PX + FOOT_PX
    assert len(with_post) - around == 2 * (len(without) - around)


def test_a_patient_without_tumour_has_a_sheet_without_a_contour() -> None:
    def coloured(sheet: NDArray[np.uint8], colour: tuple[int, int, int]) -> int:
        return int((np.abs(sheet.astype(int) - colour).max(axis=-1) < 8).sum())

    with_tumour, without = contact_sheet(*patient()), contact_sheet(*patient(tumour=False))
    for colour in (PREDICTION_COLOUR, LINE_COLOUR):
        assert coloured(with_tumour, colour) > 20
        assert coloured(without, colour) == 0


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    volume, mask = patient()
    for name in ("a.png", "b.png"):
        write_contact_sheet(tmp_path / name, volume, mask)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.asarray(image), contact_sheet(volume, mask))


@given(occupied=st.sets(st.integers(0, 59), max_size=60), count=st.integers(1, 12), pick=st.integers(0, 10**6))
@settings(max_examples=80, deadline=None)
def test_slices_cover_the_tumour_and_hold_its_largest(occupied: set[int], count: int, pick: int) -> None:
    flags = np.zeros((60, 2, 2), np.bool_)
    flags[sorted(occupied), 0, 0] = True
    head = np.arange(60) > 10
    largest = sorted(occupied)[pick % len(occupied)] if occupied else None
    shown = slices_to_show(flags, head, largest, count)
    assert shown == sorted(set(shown))
    assert 1 <= len(shown) <= count
    if largest is None:
        assert min(shown) >= 11
        return
    assert largest in shown
    assert min(occupied) - 1 <= min(shown)
    assert max(shown) <= max(occupied) + 1
    if max(occupied) - min(occupied) + 3 <= count:
        assert set(range(min(occupied), max(occupied) + 1)) <= set(shown)


def test_bright_fat_does_not_darken_the_brain() -> None:
    rows, columns = np.mgrid[-1:1:80j, -1:1:80j]
    radius = np.hypot(rows, columns)
    plane = np.where(radius < 0.8, 100.0, np.where(radius < 0.9, 1000.0, 2.0)).astype(np.float32)
    dark, bright = brain_window(
        np.repeat(plane[None], 5, axis=0) + np.linspace(0, 3, 5, dtype=np.float32)[:, None, None]
    )
    assert bright < 300
    assert dark < 110


@pytest.mark.parametrize("level", [0, 7])
def test_a_constant_scan_has_a_sheet(level: int) -> None:
    volume = Volume("P1", np.full((2, 6, 6, 3), level, np.uint8))
    assert contact_sheet(volume, Mask("P1", np.zeros((2, 6, 6), np.bool_))).ndim == 3


def test_a_mask_of_another_grid_is_refused() -> None:
    volume, _ = patient()
    with pytest.raises(GliosegError, match="patient P1: the mask does not fit the scan"):
        contact_sheet(volume, Mask("P1", np.zeros((9, 44, 37), np.bool_)))
