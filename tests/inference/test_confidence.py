import numpy as np
import pytest

from glioseg.inference.confidence import expected_dice


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
