import csv
import io

import numpy as np
import pytest

from glioseg.evaluation.calibration import LogitCounts
from glioseg.evaluation.failure_detection import CoveragePoint, FailureDetection, failure_auc, risk_coverage_curve


def test_failures_ranked_below_all_others_are_found_surely() -> None:
    assert failure_auc([0.2, 0.3, 0.8, 0.9], [0.1, 0.5, 0.8, 0.95]) == 1


def test_failures_ranked_above_all_others_are_missed_surely() -> None:
    assert failure_auc([0.9, 0.8, 0.3], [0.1, 0.8, 0.95]) == 0


def test_one_confidence_for_all_is_guessing() -> None:
    assert failure_auc([0.5] * 4, [0.1, 0.9, 0.8, 0.3]) == 0.5


def test_it_is_the_share_of_pairs_in_order() -> None:
    """Two failures and three others: of the six pairs one is the wrong way round and one is tied."""
    confidence, dice = [0.4, 0.6, 0.5, 0.6, 0.9], [0.1, 0.2, 0.8, 0.75, 0.9]
    assert failure_auc(confidence, dice) == pytest.approx((4 + 0.5) / 6)


@pytest.mark.parametrize("dice", [[0.9, 0.8], [0.1, 0.2]])
def test_without_both_kinds_there_is_nothing_to_rank(dice: list[float]) -> None:
    assert failure_auc([0.1, 0.9], dice) is None


def test_the_curve_leaves_the_least_certain_out_first() -> None:
    curve = risk_coverage_curve([0.9, 0.1, 0.5], [0.9, 0.3, 0.6])
    assert curve == [
        CoveragePoint(1.0, pytest.approx(0.6)),
        CoveragePoint(pytest.approx(2 / 3), pytest.approx(0.75)),
        CoveragePoint(1 / 3, 0.9),
    ]


def test_an_empty_mask_is_the_least_certain() -> None:
    failure_detection = FailureDetection(
        {"A": None, "B": 0.8, "C": 0.5}, {"A": 0.0, "B": 0.9, "C": None}, LogitCounts.none().reliability()
    )
    assert (failure_detection.failures, failure_detection.failure_auc) == (1, 1.0)
    assert [point.mean_dice for point in failure_detection.risk_coverage_curve()] == [pytest.approx(0.45), 0.9]
    rows = list(csv.DictReader(io.StringIO(failure_detection.to_csv())))
    assert rows[0] == {"patient": "A", "expected_dice": "", "dice": "0.0000"}
    assert rows[2] == {"patient": "C", "expected_dice": "0.5000", "dice": ""}


def test_it_agrees_with_the_definition_on_random_numbers() -> None:
    chance = np.random.default_rng(1)
    confidence, dice = chance.random(60).round(1), chance.random(60)
    pairs = [
        1.0 if good > bad else 0.5 if good == bad else 0.0
        for bad in confidence[dice < 0.7]
        for good in confidence[dice >= 0.7]
    ]
    assert failure_auc(confidence.tolist(), dice.tolist()) == pytest.approx(np.mean(pairs))
