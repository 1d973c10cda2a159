import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy import ndimage
from scipy.special import expit, logit

from glioseg.inference.postprocessing import (
    Postprocessing,
    binarise,
    calibrated,
    expected_dice,
    keep_components,
    sigmoid,
    smoothed_through_plane,
)

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
    np.testing.assert_array_equal(binarise(values, Postprocessing(threshold=threshold)), [[[False, True, True]]])


def test_the_threshold_comes_before_the_components() -> None:
    """Two halves that a bridge of low probability joins are one component at 0.3 and two at 0.5."""
    values = np.array([[[0.9, 0.9, 0.4, 0.9]]], np.float32)
    low, high = (Postprocessing(threshold=level, components="largest") for level in (0.3, 0.5))
    np.testing.assert_array_equal(binarise(values, low), [[[True, True, True, True]]])
    np.testing.assert_array_equal(binarise(values, high), [[[True, True, False, False]]])


@pytest.mark.parametrize(
    "values", [{"threshold": 0}, {"threshold": 1}, {"components": "some"}, {"minimum_share": 1.1}, {"thresh": 0.5}]
)
def test_impossible_settings_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Postprocessing.model_validate(values)


VOLUMES = arrays(np.float32, st.tuples(*[st.integers(1, 5)] * 3), elements=st.floats(0, 1, width=32))


def test_a_speck_fades_and_a_hole_fills() -> None:
    column = np.array([0, 0, 1, 0, 0, 1, 1, 0, 1, 1], np.float32)[:, None, None]
    found = smoothed_through_plane(column, 0.25)[:, 0, 0]
    np.testing.assert_allclose(found, [0, 0.25, 0.5, 0.25, 0.25, 0.75, 0.75, 0.5, 0.75, 1])


def test_rows_and_columns_stay_apart() -> None:
    voxels = np.zeros((3, 3, 3), np.float32)
    voxels[1, 1, 1] = 1
    found = smoothed_through_plane(voxels, 0.1)
    assert np.flatnonzero(found.any(axis=0)).tolist() == [4]


@given(voxels=VOLUMES)
def test_without_a_weight_nothing_changes(voxels: np.ndarray) -> None:
    assert smoothed_through_plane(voxels, 0) is voxels


@given(voxels=VOLUMES, weight=st.floats(0.01, 0.33))
def test_the_sum_stays_and_so_does_the_range(voxels: np.ndarray, weight: float) -> None:
    found = smoothed_through_plane(voxels, weight)
    assert found.dtype == np.float32
    assert found.sum() == pytest.approx(voxels.sum(), abs=1e-3)
    assert found.min() >= voxels.min() - 1e-6
    assert found.max() <= voxels.max() + 1e-6


@given(voxels=VOLUMES, weight=st.floats(0.01, 0.33))
def test_as_the_library_s_filter_also_in_its_own_place(voxels: np.ndarray, weight: float) -> None:
    expected = ndimage.convolve1d(voxels, [weight, 1 - 2 * weight, weight], 0, mode="nearest")
    np.testing.assert_allclose(smoothed_through_plane(voxels, weight), expected, atol=1e-7)
    again = voxels.copy()
    assert smoothed_through_plane(again, weight, out=again) is again
    np.testing.assert_array_equal(again, smoothed_through_plane(voxels, weight))


@given(slice_=arrays(np.float32, (1, 3, 3), elements=st.floats(0, 1, width=32)))
def test_a_slice_alone_is_its_own_neighbour(slice_: np.ndarray) -> None:
    np.testing.assert_allclose(smoothed_through_plane(slice_, 0.1), slice_, atol=1e-6)


PROBABILITIES = np.array([0, 1e-8, 0.2, 0.5, 0.8, 1], np.float32).reshape(1, 2, 3)


def test_a_temperature_of_one_changes_nothing() -> None:
    assert calibrated(PROBABILITIES, 1.0) is PROBABILITIES


@pytest.mark.parametrize("temperature", [0.4, 2.0])
def test_logits_are_divided(temperature: float) -> None:
    found = calibrated(PROBABILITIES, temperature).ravel()
    expected = 1 / (1 + ((1 - 0.8) / 0.8) ** (1 / temperature))
    assert found[4] == pytest.approx(expected, rel=1e-5)
    assert found[3] == pytest.approx(0.5)
    assert found[2] == pytest.approx(1 - expected, rel=1e-4)


@pytest.mark.parametrize("temperature", [0.3, 1.5, 4.0])
def test_order_range_and_kind_stay(temperature: float) -> None:
    found = calibrated(PROBABILITIES, temperature)
    assert found.dtype == np.float32
    assert found.shape == PROBABILITIES.shape
    assert (np.diff(found.ravel()) >= 0).all()
    assert 0 <= found.min() <= found.max() <= 1


@given(voxels=VOLUMES, temperature=st.floats(0.3, 4))
def test_as_the_library_s_functions_also_in_its_own_place(voxels: np.ndarray, temperature: float) -> None:
    inside = np.clip(voxels, 1e-6, 1 - 1e-6, dtype=np.float32)
    expected = np.where(voxels > 0, expit(logit(inside) / np.float32(temperature)), 0)
    np.testing.assert_allclose(calibrated(voxels, temperature), expected, atol=1e-6)
    again = voxels.copy()
    assert calibrated(again, temperature, out=again) is again
    np.testing.assert_array_equal(again, calibrated(voxels, temperature))


def test_the_sigmoid_is_the_library_s_for_any_logit() -> None:
    logits = np.array([[-1e4, -100, -20, -1, 0], [1, 20, 100, 1e4, 3]], np.float32)
    np.testing.assert_allclose(sigmoid(logits), expit(logits), atol=1e-7)


def test_what_was_not_computed_stays_zero() -> None:
    assert calibrated(PROBABILITIES, 5.0).ravel()[0] == 0


def test_certainty_expects_a_perfect_mask() -> None:
    probabilities = np.zeros((2, 4, 4), np.float32)
    probabilities[0, :2] = 1
    assert expected_dice(probabilities, probabilities >= 0.5) == 1


def test_a_hand_made_scan() -> None:
    """Three voxels at 0.8 inside, two at 0.4 outside: 2 x 2.4 / (3.2 + 3)."""
    probabilities = np.array([0.8, 0.8, 0.8, 0.4, 0.4, 0], np.float32).reshape(1, 2, 3)
    assert expected_dice(probabilities, probabilities >= 0.5) == pytest.approx(4.8 / 6.2)


def test_it_is_the_mean_dice_of_truths_drawn_from_the_probabilities() -> None:
    chance = np.random.default_rng(0)
    probabilities = chance.beta(0.5, 0.8, (6, 30, 30)).astype(np.float32)
    mask = probabilities >= 0.5
    drawn = [chance.random(probabilities.shape) < probabilities for _ in range(200)]
    dice = [2 * (truth & mask).sum() / (truth.sum() + mask.sum()) for truth in drawn]
    assert expected_dice(probabilities, mask) == pytest.approx(np.mean(dice), abs=2e-3)


def test_doubt_lowers_it() -> None:
    sure, unsure = np.full((1, 3, 3), 0.95, np.float32), np.full((1, 3, 3), 0.6, np.float32)
    assert expected_dice(unsure, unsure >= 0.5) < expected_dice(sure, sure >= 0.5)


def test_of_an_empty_mask_nothing_is_known() -> None:
    assert expected_dice(np.full((1, 3, 3), 0.2, np.float32), np.zeros((1, 3, 3), np.bool_)) is None
