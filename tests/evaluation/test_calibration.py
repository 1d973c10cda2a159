import numpy as np
import pytest
from scipy.special import expit, logit

from glioseg.evaluation.calibration import LogitCounts


def drawn(size: int = 400_000) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and voxels that are tumour as often as they say."""
    chance = np.random.default_rng(0)
    probabilities = expit(chance.normal(-2, 2, size)).astype(np.float32)
    return probabilities, chance.random(size) < probabilities


EVERYWHERE = np.ones(400_000, np.bool_)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7, 3.0])
def test_the_temperature_that_spoilt_probabilities_is_found(temperature: float) -> None:
    honest, truth = drawn()
    spoilt = expit(logit(honest.astype(np.float64)) * temperature).astype(np.float32)
    counts = LogitCounts.of(spoilt, truth, EVERYWHERE)
    assert counts.temperature() == pytest.approx(temperature, rel=0.02)
    assert counts.reliability(counts.temperature()).calibration_error == pytest.approx(0, abs=0.003)


def test_overconfidence_is_an_error_and_honesty_is_none() -> None:
    honest, truth = drawn()
    sure = expit(logit(honest.astype(np.float64)) * 3).astype(np.float32)
    assert LogitCounts.of(honest, truth, EVERYWHERE).reliability().calibration_error < 0.003
    assert LogitCounts.of(sure, truth, EVERYWHERE).reliability().calibration_error > 0.04


def test_the_error_of_hand_made_voxels() -> None:
    """Ten voxels at 0.9 of which six are tumour, thirty at 0.1 of which none is: (10 x 0.3 + 30 x 0.1) / 40."""
    probabilities = np.array([0.9] * 10 + [0.1] * 30, np.float32)
    truth = np.arange(40) < 6
    found = LogitCounts.of(probabilities, truth, np.ones(40, np.bool_)).reliability()
    assert found.calibration_error == pytest.approx(0.15, abs=1e-3)
    assert found.voxels.sum() == 40
    filled = np.flatnonzero(found.voxels)
    np.testing.assert_allclose(found.found[filled], [0, 0.6])
    np.testing.assert_allclose(found.expected[filled], [0.1, 0.9], atol=1e-3)


def test_only_what_lies_inside_counts() -> None:
    probabilities, truth, inside = np.full(10, 0.5, np.float32), np.zeros(10, np.bool_), np.arange(10) < 4
    assert LogitCounts.of(probabilities, truth, inside).voxels.sum() == 4


def test_scans_add_up() -> None:
    probabilities, truth = drawn()
    half = np.arange(truth.size) < truth.size // 2
    parts = LogitCounts.of(probabilities, truth, half) + LogitCounts.of(probabilities, truth, ~half)
    np.testing.assert_array_equal(parts.voxels, LogitCounts.of(probabilities, truth, EVERYWHERE).voxels)


@pytest.mark.parametrize("tumour", [False, True])
def test_with_one_kind_of_voxel_nothing_is_changed(tumour: bool) -> None:
    probabilities = np.array([0.2, 0.9], np.float32)
    counts = LogitCounts.of(probabilities, np.full(2, tumour), np.ones(2, np.bool_))
    assert counts.temperature() == 1


def test_certainty_is_counted_too() -> None:
    counts = LogitCounts.of(np.array([0, 1], np.float32), np.array([False, True]), np.ones(2, np.bool_))
    assert counts.voxels.sum() == 2


def test_nothing_has_no_error() -> None:
    assert LogitCounts.none().reliability().calibration_error is None
    assert LogitCounts.none().temperature() == 1
