"""Contours lie exactly where the masks end, and the slices shown are the ones that matter."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from glioseg.display import PREDICTION_COLOUR, TRUTH_COLOUR
from glioseg.report.overlay import contour_layer, informative_slices

Flags = NDArray[np.bool_]
EMPTY = np.zeros((12, 10), np.bool_)


def square() -> Flags:
    flags = EMPTY.copy()
    flags[3:7, 2:6] = True
    return flags


def drawn_in(image: NDArray[np.uint8], colour: tuple[int, int, int]) -> Flags:
    found: Flags = (image == np.array((*colour, 255))).all(axis=-1)
    return found


def ring(outer: tuple[int, int, int, int], inner: tuple[int, int, int, int]) -> Flags:
    """The pixels of one box (first row, end row, first column, end column) that are not in the other."""
    flags = np.zeros((24, 20), np.bool_)
    flags[outer[0] : outer[1], outer[2] : outer[3]] = True
    flags[inner[0] : inner[1], inner[2] : inner[3]] = False
    return flags


def without_corners(flags: Flags) -> Flags:
    """A diagonal step is longer than one pixel, so the outer line leaves the corners out."""
    rows, columns = np.flatnonzero(flags.any(axis=1)), np.flatnonzero(flags.any(axis=0))
    kept = flags.copy()
    kept[np.ix_([rows[0], rows[-1]], [columns[0], columns[-1]])] = False
    return kept


def test_prediction_is_outlined_just_inside_its_edge() -> None:
    image = contour_layer(EMPTY, square(), scale=2, line_px=1)
    np.testing.assert_array_equal(drawn_in(image, PREDICTION_COLOUR), ring((6, 14, 4, 12), (7, 13, 5, 11)))


def test_truth_is_outlined_just_outside_its_edge() -> None:
    image = contour_layer(square(), EMPTY, scale=2, line_px=1)
    expected = without_corners(ring((5, 15, 3, 13), (6, 14, 4, 12)))
    np.testing.assert_array_equal(drawn_in(image, TRUTH_COLOUR), expected)


def test_equal_masks_show_both_contours() -> None:
    agreeing = contour_layer(square(), square())
    for mask, colour in (((square(), EMPTY), TRUTH_COLOUR), ((EMPTY, square()), PREDICTION_COLOUR)):
        alone = contour_layer(*mask)
        np.testing.assert_array_equal(drawn_in(agreeing, colour), drawn_in(alone, colour))


@given(mask=arrays.arrays(np.bool_, (9, 7)), scale=st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_truth_line_never_covers_its_mask_and_prediction_line_never_leaves_its_own(mask: Flags, scale: int) -> None:
    inside = np.kron(mask, np.ones((scale, scale))).astype(np.bool_)
    nothing = np.zeros_like(mask)
    truth = contour_layer(mask, nothing, scale=scale)[..., 3] > 0
    prediction = contour_layer(nothing, mask, scale=scale)[..., 3] > 0
    assert not (truth & inside).any()
    assert not (prediction & ~inside).any()
    assert prediction.any() == mask.any()


def volume_mask(areas: list[int]) -> Flags:
    """A mask with so many voxels in each slice."""
    flags = np.zeros((len(areas), 10, 10), np.bool_)
    for index, area in enumerate(areas):
        flags[index].flat[:area] = True
    return flags


def test_largest_tumour_and_most_disagreement_are_shown() -> None:
    truth = volume_mask([0, 0, 3, 9, 30, 20, 20, 5, 0, 0])
    predicted = volume_mask([0, 0, 3, 9, 30, 20, 0, 5, 0, 0])
    chosen = informative_slices(truth, predicted, 4)
    assert chosen[4] == "largest tumour"
    assert chosen[6] == "most disagreement"
    assert len(chosen) == 4
    assert list(chosen) == sorted(chosen)
    assert set(chosen) <= set(range(2, 8))


def test_one_slice_may_have_both_reasons() -> None:
    chosen = informative_slices(volume_mask([0, 9, 2]), volume_mask([0, 0, 2]), 1)
    assert chosen == {1: "largest tumour"}
    chosen = informative_slices(volume_mask([0, 9, 2]), volume_mask([0, 0, 2]), 2)
    assert chosen == {1: "largest tumour, most disagreement", 2: ""}


def test_prediction_counts_where_the_truth_is_empty() -> None:
    assert informative_slices(volume_mask([0] * 6), volume_mask([0, 0, 1, 7, 0, 0]), 1) == {3: "largest prediction"}


@given(
    areas=st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), min_size=1, max_size=12),
    count=st.integers(1, 6),
)
@settings(max_examples=60, deadline=None)
def test_as_many_slices_as_asked_for_or_all(areas: list[tuple[int, int]], count: int) -> None:
    truth, predicted = (volume_mask([pair[which] for pair in areas]) for which in (0, 1))
    chosen = informative_slices(truth, predicted, count)
    assert len(chosen) == min(count, len(areas))
    assert set(chosen) <= set(range(len(areas)))
    if truth.any():
        assert int(truth.sum(axis=(1, 2)).argmax()) in chosen
