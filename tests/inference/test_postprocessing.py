import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from pydantic import ValidationError

from glioseg.inference.postprocessing import Postprocessing, cut_mask, keep_components

ALL, LARGEST, RELATIVE = (Postprocessing(components=rule) for rule in ("all", "largest", "relative"))
RULES = (ALL, LARGEST, RELATIVE, Postprocessing(components="relative", minimum_share=0.5))
MASKS = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=3, max_dims=3, max_side=7))
Cube = tuple[slice, slice, slice]


def cube(slice_: int, row: int, column: int, side: int) -> Cube:
    return (slice(slice_, slice_ + side), slice(row, row + side), slice(column, column + side))


LARGE, MIDDLE, SMALL = cube(0, 0, 0, 5), cube(0, 0, 7, 3), cube(0, 7, 0, 2)  # 125, 27 and 8 voxels


def drawn(*cubes: Cube) -> NDArray[np.bool_]:
    mask = np.zeros((6, 12, 12), np.bool_)
    for place in cubes:
        mask[place] = True
    return mask


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        (ALL, (LARGE, MIDDLE, SMALL)),
        (LARGEST, (LARGE,)),
        (RELATIVE, (LARGE, MIDDLE)),
        (Postprocessing(components="relative", minimum_share=0.064), (LARGE, MIDDLE, SMALL)),
        (Postprocessing(components="relative", minimum_share=0.5), (LARGE,)),
        (Postprocessing(components="relative", minimum_share=0), (LARGE, MIDDLE, SMALL)),
    ],
)
def test_what_each_rule_keeps_of_three_cubes(rule: Postprocessing, kept: tuple[Cube, ...]) -> None:
    np.testing.assert_array_equal(keep_components(drawn(LARGE, MIDDLE, SMALL), rule), drawn(*kept))


@pytest.mark.parametrize("shift", [(1, 1, 1), (1, -1, 1), (-1, 1, 1), (1, 1, -1), (1, 1, 0), (0, 1, 1), (1, 0, 0)])
def test_voxels_that_touch_at_a_corner_are_connected(shift: tuple[int, int, int]) -> None:
    mask = np.zeros((3, 3, 3), np.bool_)
    mask[1, 1, 1] = mask[tuple(1 + d for d in shift)] = True
    np.testing.assert_array_equal(keep_components(mask, LARGEST), mask)


def test_voxels_two_apart_are_not_connected() -> None:
    mask = np.zeros((1, 1, 6), np.bool_)
    mask[0, 0, [0, 1, 3]] = True
    np.testing.assert_array_equal(keep_components(mask, LARGEST)[0, 0], [True, True, False, False, False, False])


def test_components_are_of_the_volume_and_not_of_a_slice() -> None:
    """A thread over slices is larger than what lies flat in one."""
    mask = np.zeros((6, 5, 5), np.bool_)
    mask[:, 0, 0] = True
    mask[2, 2:4, 3:5] = True
    expected = np.zeros_like(mask)
    expected[:, 0, 0] = True
    np.testing.assert_array_equal(keep_components(mask, LARGEST), expected)


@pytest.mark.parametrize("rule", RULES)
def test_an_empty_mask_stays_empty_and_a_full_one_full(rule: Postprocessing) -> None:
    assert not keep_components(np.zeros((3, 4, 5), np.bool_), rule).any()
    assert keep_components(np.ones((3, 4, 5), np.bool_), rule).all()


@settings(max_examples=60, deadline=None)
@given(mask=MASKS, rule=st.sampled_from(RULES))
def test_a_second_time_changes_nothing_and_nothing_is_added(mask: NDArray[np.bool_], rule: Postprocessing) -> None:
    before = mask.copy()
    once = keep_components(mask, rule)
    assert once.dtype == np.bool_
    assert once.shape == mask.shape
    assert not (once & ~mask).any()
    assert once.any() == mask.any()
    np.testing.assert_array_equal(keep_components(once, rule), once)
    np.testing.assert_array_equal(mask, before)


@settings(max_examples=60, deadline=None)
@given(mask=MASKS)
def test_the_rules_keep_ever_less(mask: NDArray[np.bool_]) -> None:
    largest, relative = keep_components(mask, LARGEST), keep_components(mask, RELATIVE)
    assert not (largest & ~relative).any()


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_a_probability_at_the_threshold_belongs_to_the_tumour(threshold: float) -> None:
    level = np.float32(threshold)
    values = np.array([[[np.nextafter(level, np.float32(0)), level, np.nextafter(level, np.float32(1))]]])
    assert values.dtype == np.float32
    np.testing.assert_array_equal(cut_mask(values, Postprocessing(threshold=threshold)), [[[False, True, True]]])


def test_the_threshold_comes_before_the_components() -> None:
    """Two halves that a bridge of low probability joins are one component at 0.3 and two at 0.5."""
    values = np.array([[[0.9, 0.9, 0.4, 0.9]]], np.float32)
    low, high = (Postprocessing(threshold=level, components="largest") for level in (0.3, 0.5))
    np.testing.assert_array_equal(cut_mask(values, low), [[[True, True, True, True]]])
    np.testing.assert_array_equal(cut_mask(values, high), [[[True, True, False, False]]])


@pytest.mark.parametrize(
    "values", [{"threshold": 0}, {"threshold": 1}, {"components": "some"}, {"minimum_share": 1.1}, {"thresh": 0.5}]
)
def test_impossible_settings_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Postprocessing.model_validate(values)
