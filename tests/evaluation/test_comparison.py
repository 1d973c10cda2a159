"""Comparisons of networks against published examples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glioseg.evaluation.comparison import holm, paired_comparison, rank_stability, seed_and_patient_spread

pytestmark = pytest.mark.filterwarnings("error")

DARWIN = [6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75]
"""Darwin's cross- minus self-fertilised maize in eighths of an inch, the example of Fisher 1935, section 17."""


def test_wilcoxon_of_darwins_maize() -> None:
    result = paired_comparison(DARWIN, [0.0] * 15)
    # The negative ranks 10 and 14 sum to 24; 676 of the 2^14 halves of the sign patterns are as extreme.
    assert result.p_value == pytest.approx(0.041259765625)
    assert result.mean_difference == pytest.approx(314 / 15)
    assert (result.wins, result.losses, result.ties, result.undefined) == (13, 2, 0, 0)
    assert result.reason is None


def test_wilcoxon_by_counting_signs() -> None:
    # Five positive differences: 2 of the 32 equally likely sign patterns are as extreme.
    assert paired_comparison([1, 2, 3, 4, 5], [0] * 5).p_value == pytest.approx(2 / 32)


def test_swapping_the_networks_swaps_the_sign_only() -> None:
    a, b = [0.9, 0.8, 0.7, 0.95, 0.6], [0.85, 0.82, 0.5, 0.9, 0.4]
    there, back = paired_comparison(a, b), paired_comparison(b, a)
    assert there.p_value == back.p_value
    assert there.mean_difference == pytest.approx(-(back.mean_difference or 0))
    assert (there.wins, there.losses) == (back.losses, back.wins) == (4, 1)


def test_patients_without_both_scores_are_left_out_and_counted() -> None:
    result = paired_comparison([0.9, None, 0.5, 0.7], [0.8, 0.5, None, 0.7])
    assert (result.wins, result.losses, result.ties, result.undefined) == (1, 0, 1, 2)
    assert result.mean_difference == pytest.approx(0.05)


def test_the_interval_of_an_equal_lead_is_that_lead() -> None:
    result = paired_comparison([0.3, 0.6, 0.2], [0.2, 0.5, 0.1])
    assert result.ci_low == pytest.approx(0.1)
    assert result.ci_high == pytest.approx(0.1)


def test_differences_equal_but_for_rounding_share_a_rank() -> None:
    # As floats 0.2 - 0.1 is larger than 0.3 - 0.2.
    result = paired_comparison([0.2, 0.2, 0.9, 0.9], [0.1, 0.3, 0.2, 0.1])
    assert result.p_value == paired_comparison([1, -1, 7, 8], [0, 0, 0, 0]).p_value
    assert result.p_value != paired_comparison([2, -1, 7, 8], [0, 0, 0, 0]).p_value


def test_networks_that_never_differ() -> None:
    result = paired_comparison([0.5, 0.7], [0.5, 0.7])
    assert (result.p_value, result.reason) == (1, "both score the same on every patient")
    assert (result.mean_difference, result.ci_low, result.ci_high, result.ties) == (0, 0, 0, 2)


def test_one_patient_gives_a_difference_without_an_interval() -> None:
    result = paired_comparison([0.75], [0.5])
    assert (result.mean_difference, result.ci_low, result.p_value, result.reason) == (0.25, None, 1, None)


@pytest.mark.parametrize("scores", [[], [None]])
def test_no_pair_at_all(scores: list[None]) -> None:
    result = paired_comparison(scores, [0.5] * len(scores))
    assert (result.mean_difference, result.p_value) == (None, 1)
    assert result.reason == "no patient has both scores"


def test_scores_of_different_patients_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        paired_comparison([0.5, 0.6], [0.5])


def test_holm_of_the_textbook() -> None:
    # As R's p.adjust(c(.01, .04, .03, .005), "holm").
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_stops_at_one_and_takes_nothing() -> None:
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_keeps_order_and_lies_between_the_raw_and_bonferroni(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    for raw, p in zip(p_values, adjusted, strict=True):
        assert raw <= p <= 1
    assert min(adjusted) == min(1, len(p_values) * min(p_values))
    by_raw = [p for _, p in sorted(zip(p_values, adjusted, strict=True))]
    assert by_raw == sorted(by_raw)


def test_a_network_better_on_every_patient_always_takes_the_first_rank() -> None:
    table = np.array([[0.5, 0.9, 0.7], [0.2, 0.8, 0.3], [0.6, 0.7, 0.65]])
    shares = rank_stability(table, resamples=500)
    # Rows are networks, columns ranks from best to worst.
    assert shares.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]


def test_rank_shares_by_hand() -> None:
    # Two patients are drawn with replacement: the first twice in 1/4, where the first network leads; the second
    # twice in 1/4 and one of each in 1/2, where the second network leads.
    shares = rank_stability(np.array([[0.5, 0.0], [0.0, 0.9]]), resamples=20_000)
    assert shares == pytest.approx(np.array([[0.25, 0.75], [0.75, 0.25]]), abs=0.02)


def test_equal_networks_share_the_better_rank() -> None:
    column = np.array([0.1, 0.7, 0.4])
    shares = rank_stability(np.stack([column, column, column - 0.1], axis=1), resamples=200)
    assert shares.tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 1]]


def test_every_network_takes_one_rank_each_time() -> None:
    table = np.random.default_rng(0).random((12, 4))
    shares = rank_stability(table, resamples=1000)
    assert shares.sum(axis=1) == pytest.approx(np.ones(4))
    assert np.array_equal(shares, rank_stability(table, resamples=1000))


@pytest.mark.parametrize("table", [np.zeros(3), np.zeros((0, 2)), np.array([[0.5, np.nan]])])
def test_a_table_with_gaps_has_no_ranks(table: np.ndarray) -> None:
    with pytest.raises(ValueError, match="finite scores"):
        rank_stability(table)


def test_seeds_and_patients_are_told_apart() -> None:
    only_seeds = seed_and_patient_spread(np.array([[0.5, 0.5], [0.75, 0.75]]))
    assert only_seeds.seed_sd == pytest.approx(0.25 / 2**0.5)
    assert only_seeds.patient_sd == 0
    only_patients = seed_and_patient_spread(np.array([[0.2, 0.4, 0.6]] * 3))
    assert only_patients.seed_sd == pytest.approx(0)
    assert only_patients.patient_sd == pytest.approx(0.2)


def test_one_seed_or_one_patient_has_no_spread() -> None:
    assert seed_and_patient_spread(np.array([[0.2, 0.4]])).seed_sd is None
    assert seed_and_patient_spread(np.array([[0.2], [0.4]])).patient_sd is None
