import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glioseg.inference.sliding_window import CROP_MULTIPLE_PX, OVERLAP, Patches, crops_to_head, sliding_window


def head(*squares: tuple[int, int, int, int], shape: tuple[int, int] = (40, 50)) -> np.ndarray:
    """A slice with a rectangle (first row, row beyond, first column, column beyond) for each."""
    found = np.zeros((len(squares), *shape), np.bool_)
    for shown, (top, bottom, left, right) in zip(found, squares, strict=True):
        shown[top:bottom, left:right] = True
    return found


def corners(patches: Patches) -> list[tuple[int, int, int]]:
    places = zip(patches.slices.tolist(), patches.corners.tolist(), strict=True)
    return [(index, row, column) for index, (row, column) in places]


def test_one_window_lies_around_the_middle_of_a_head_that_fits() -> None:
    assert corners(sliding_window(head((10, 20, 20, 36)), 16)) == [(0, 7, 20)]


@pytest.mark.parametrize(("rectangle", "corner"), [((0, 4, 0, 4), (0, 0)), ((38, 40, 45, 50), (24, 34))])
def test_a_window_stays_on_the_slice(rectangle: tuple[int, int, int, int], corner: tuple[int, int]) -> None:
    assert corners(sliding_window(head(rectangle), 16)) == [(0, *corner)]


def test_a_head_that_is_too_large_gets_windows_from_edge_to_edge() -> None:
    assert corners(sliding_window(head((5, 25, 20, 36)), 16)) == [(0, 5, 20), (0, 9, 20)]
    assert corners(sliding_window(head((0, 40, 10, 20)), 16)) == [(0, 0, 7), (0, 12, 7), (0, 24, 7)]


def test_a_slice_without_head_gets_no_window() -> None:
    patches = sliding_window(head((0, 0, 0, 0), (10, 20, 20, 36)), 16)
    assert corners(patches) == [(1, 7, 20)]
    assert patches.stitch(np.ones((1, 16, 16), np.float32)).sum() == 16 * 16
    nothing = sliding_window(head((0, 0, 0, 0)), 16)
    assert nothing.extract(np.ones((1, 3, 40, 50), np.float32)).shape == (0, 3, 16, 16)
    assert not nothing.stitch(np.empty((0, 16, 16), np.float32)).any()


@given(
    seed=st.integers(0, 2**31),
    side=st.sampled_from([8, 16, 32, 64]),
    rows=st.integers(5, 70),
    columns=st.integers(5, 70),
)
def test_what_is_cut_and_joined_again_is_the_same_wherever_there_is_head(
    seed: int, side: int, rows: int, columns: int
) -> None:
    chance = np.random.default_rng(seed)
    shown = chance.random((3, rows, columns)) < chance.choice([0.002, 0.05, 0.9])
    images = chance.random((3, 2, rows, columns), dtype=np.float32)
    for patches, size in ((sliding_window(shown, side), (side, side)), (crops_to_head(shown), None)):
        seen = patches.extract(images)
        assert seen.shape == (len(patches.slices), 2, *(size or patches.size_px))
        stitched = patches.stitch(seen[:, 0])
        assert stitched.shape == shown.shape
        np.testing.assert_allclose(stitched[shown], images[:, 0][shown], rtol=1e-5)


@given(extent=st.integers(17, 300))
def test_neighbours_overlap(extent: int) -> None:
    rows = sorted({row for _, row, _ in corners(sliding_window(head((0, extent, 0, 4), shape=(300, 16)), 16))})
    assert (rows[0], rows[-1]) == (0, extent - 16)
    assert max(np.diff(rows)) <= 16 * (1 - OVERLAP)


def test_where_windows_overlap_the_nearer_its_middle_weighs_more() -> None:
    patches = sliding_window(head((5, 25, 20, 36)), 16)
    both = patches.stitch(np.stack([np.zeros((16, 16)), np.ones((16, 16))]).astype(np.float32))[0, :, 28]
    assert not both[5:9].any()
    assert (both[21:25] == 1).all()
    assert (np.diff(both[8:22]) > 0).all()
    assert both[14] + both[15] == pytest.approx(1)


def test_a_slice_smaller_than_a_window_repeats_its_edge() -> None:
    images = np.arange(12, dtype=np.float32).reshape(1, 1, 3, 4)
    patches = sliding_window(np.ones((1, 3, 4), np.bool_), 8)
    seen = patches.extract(images)[0, 0]
    np.testing.assert_array_equal(seen[:3, :4], images[0, 0])
    assert (seen[3:, 0] == 8).all()
    assert (seen[0, 4:] == 3).all()
    np.testing.assert_allclose(patches.stitch(seen[None]), images[0])


def test_a_crop_lies_around_the_middle_of_each_head_and_is_as_large_as_the_largest_needs() -> None:
    patches = crops_to_head(head((2, 10, 20, 38), (0, 0, 0, 0), (12, 33, 4, 10)))
    assert patches.size_px == (32, 32)
    assert corners(patches) == [(0, 0, 13), (2, 6, 0)]


@given(rows=st.integers(1, 300), columns=st.integers(1, 300))
def test_a_crop_has_the_least_size_that_the_network_divides(rows: int, columns: int) -> None:
    patches = crops_to_head(head((0, rows, 0, columns), shape=(300, 300)))
    for side, needed in zip(patches.size_px, (rows, columns), strict=True):
        assert side % CROP_MULTIPLE_PX == 0
        assert needed <= side < needed + CROP_MULTIPLE_PX


def test_slices_without_head_get_no_crop() -> None:
    patches = crops_to_head(np.zeros((2, 40, 50), np.bool_))
    seen = patches.extract(np.ones((2, 3, 40, 50), np.float32))
    assert len(seen) == 0
    assert not patches.stitch(seen[:, 0]).any()
