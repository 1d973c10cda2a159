"""The metrics against independent implementations and against their own algebra."""

import monai.metrics
import numpy as np
import pytest
import surface_distance
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from glioseg.evaluation.metrics import dice, patient_metrics
from glioseg.evaluation.surface_distances import hd95, normalised_surface_dice

BoolArray = NDArray[np.bool_]
Pair = tuple[BoolArray, BoolArray]

# The oracle imports from folders that scipy has renamed.
pytestmark = pytest.mark.filterwarnings("ignore:Please import:DeprecationWarning")
quick = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])


@st.composite
def mask_pairs(draw: st.DrawFn) -> Pair:
    shape = draw(array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6))
    return draw(arrays(np.bool_, shape)), draw(arrays(np.bool_, shape))


present_pairs = mask_pairs().filter(lambda pair: bool(pair[0].any() and pair[1].any()))


def ball(radius: float, centre: tuple[float, float, float] = (16, 16, 16), side: int = 34) -> BoolArray:
    grid = np.indices((side, side, side))
    offsets = grid - np.array(centre)[:, None, None, None]
    return np.asarray((offsets**2).sum(axis=0) <= radius**2)


def surface_voxels(mask: BoolArray) -> NDArray[np.intp]:
    """Voxels with at least one of six neighbours outside, found by looking at each neighbour."""
    padded = np.pad(mask, 1)
    shifted = [np.roll(padded, step, axis=axis) for axis in range(3) for step in (1, -1)]
    return np.argwhere(padded & ~np.logical_and.reduce(shifted))


def brute_force(pair: Pair, spacing: tuple[float, float, float], tolerance: float) -> tuple[float, float]:
    """HD95 and NSD from the table of all distances between surface voxels."""
    points = [surface_voxels(mask) * np.array(spacing) for mask in pair]
    table = cdist(*points)
    nearest = table.min(axis=1), table.min(axis=0)
    within = sum(int((d <= tolerance + 1e-6).sum()) for d in nearest)
    return max(float(np.percentile(d, 95)) for d in nearest), within / sum(len(d) for d in nearest)


@pytest.mark.parametrize("spacing", [None, (5.0, 0.5, 0.75)])
@quick
@given(pair=present_pairs)
def test_surface_metrics_equal_brute_force(spacing: tuple[float, float, float] | None, pair: Pair) -> None:
    values = patient_metrics(*pair, spacing_mm=spacing).values
    expected_hd95, expected_nsd = brute_force(pair, spacing or (1, 1, 1), 2.0)
    assert values["hd95_px" if spacing is None else "hd95_mm"] == pytest.approx(expected_hd95, rel=1e-5, abs=1e-5)
    assert values["nsd"] == pytest.approx(expected_nsd, abs=1e-5)


@pytest.mark.filterwarnings("ignore:monai:FutureWarning")
@pytest.mark.parametrize("spacing", [None, (5.0, 0.5, 0.75)])
@quick
@given(pair=present_pairs)
def test_surface_metrics_equal_monai_to_rounding(spacing: tuple[float, float, float] | None, pair: Pair) -> None:
    predicted, truth = (torch.from_numpy(np.pad(mask, 1)[None, None]) for mask in pair)
    steps = None if spacing is None else list(spacing)
    distance = monai.metrics.compute_hausdorff_distance(
        predicted, truth, include_background=True, percentile=95, spacing=steps
    )
    share = monai.metrics.compute_surface_dice(
        predicted, truth, class_thresholds=[2.0], include_background=True, spacing=steps
    )
    # MONAI interpolates the percentile in float32, in an order that is the processor's.
    assert hd95(*pair, spacing) == pytest.approx(float(distance.item()), rel=1e-6)
    assert normalised_surface_dice(*pair, 2.0, spacing) == pytest.approx(float(share.item()), rel=1e-6)


BALLS = {
    "concentric": (ball(12), ball(9)),
    "shifted": (ball(10), ball(10, (16, 16, 20))),
    "two overlapping": (ball(8) | ball(8, (16, 16, 21)), ball(9)),
}


@pytest.mark.parametrize("name", BALLS)
def test_hd95_of_balls_agrees_with_deepmind_to_half_a_pixel(name: str) -> None:
    # Theirs runs on surface elements weighted by area on a half-shifted grid, so agreement is close, not exact.
    predicted, truth = BALLS[name]
    distances = surface_distance.compute_surface_distances(truth, predicted, (1, 1, 1))
    expected = surface_distance.compute_robust_hausdorff(distances, 95)
    assert expected > 1
    assert patient_metrics(predicted, truth).values["hd95_px"] == pytest.approx(expected, abs=0.5)


@pytest.mark.parametrize("name", BALLS)
def test_nsd_of_balls_agrees_with_deepmind(name: str) -> None:
    predicted, truth = BALLS[name]
    distances = surface_distance.compute_surface_distances(truth, predicted, (1, 1, 1))
    # Concentric surfaces lie 3 apart everywhere: next to 3 the two grids differ by right.
    for tolerance in (1.5, 3.5) if name == "concentric" else (1.5, 2.5, 3.5):
        expected = surface_distance.compute_surface_dice_at_tolerance(distances, tolerance)
        value = patient_metrics(predicted, truth, nsd_tolerance=tolerance).values["nsd"]
        assert value == pytest.approx(expected, abs=0.12)


def test_two_voxels_agree_with_deepmind_exactly() -> None:
    predicted, truth = np.zeros((2, 10, 10, 10), dtype=bool)
    predicted[5, 5, 2] = truth[5, 5, 5] = True
    distances = surface_distance.compute_surface_distances(truth, predicted, (4, 1, 2))
    expected = surface_distance.compute_robust_hausdorff(distances, 95)
    assert patient_metrics(predicted, truth, spacing_mm=(4, 1, 2)).values["hd95_mm"] == expected == 6


@quick
@given(pair=mask_pairs())
def test_dice_equals_monai(pair: Pair) -> None:
    predicted, truth = (torch.from_numpy(mask[None, None].astype(np.float32)) for mask in pair)
    metric = monai.metrics.DiceMetric(include_background=True, reduction="none", ignore_empty=False)
    value = dice(*pair)
    if value is None:
        # MONAI scores two empty masks 1, which is just what must not enter a mean.
        assert not pair[0].any()
        assert not pair[1].any()
    else:
        assert value == pytest.approx(float(metric(predicted, truth).item()), rel=1e-6)


@quick
@given(pair=present_pairs)
def test_dice_hd95_and_nsd_are_symmetric(pair: Pair) -> None:
    there, back = patient_metrics(*pair).values, patient_metrics(*reversed(pair)).values
    for name in ("dice", "hd95_px", "nsd", "volumetric_similarity"):
        assert there[name] == back[name]
    assert there["precision"] == back["recall"]


@quick
@given(pair=present_pairs)
def test_dice_is_the_harmonic_mean_of_precision_and_recall(pair: Pair) -> None:
    values = patient_metrics(*pair).values
    precision, recall = values["precision"], values["recall"]
    assert precision is not None
    assert recall is not None
    assume(precision + recall > 0)
    assert values["dice"] == pytest.approx(2 * precision * recall / (precision + recall))


@quick
@given(pair=mask_pairs())
def test_every_share_lies_between_zero_and_one(pair: Pair) -> None:
    values = patient_metrics(*pair).values
    distance = values.pop("hd95_px")
    counts = [values.pop(f"{which}_voxels") for which in ("true", "predicted", "intersection")]
    assert all(value is None or 0 <= value <= 1 for value in values.values())
    assert distance is None or 0 <= distance <= np.linalg.norm(pair[0].shape)
    assert all(count is not None and 0 <= count <= pair[0].size for count in counts)


@quick
@given(pair=mask_pairs(), margin=st.integers(1, 3))
def test_empty_rows_and_columns_around_both_change_nothing(pair: Pair, margin: int) -> None:
    padded = [np.pad(mask, ((0, 0), (margin, 0), (0, margin))) for mask in pair]
    assert patient_metrics(*padded) == patient_metrics(*pair)


@quick
@given(pair=mask_pairs(), axis=st.integers(0, 2))
def test_a_flip_of_both_changes_nothing(pair: Pair, axis: int) -> None:
    flipped = patient_metrics(*(np.flip(mask, axis) for mask in pair))
    original = patient_metrics(*pair)
    assert flipped.undefined == original.undefined
    for name, value in original.values.items():
        assert flipped.values[name] == (None if value is None else pytest.approx(value))
