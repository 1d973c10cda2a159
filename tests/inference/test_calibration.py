import numpy as np
import pytest

from glioseg.inference.calibration import calibrated

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


def test_what_was_not_computed_stays_zero() -> None:
    assert calibrated(PROBABILITIES, 5.0).ravel()[0] == 0
