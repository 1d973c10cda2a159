"""Summaries and bootstrap intervals against numbers worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glioseg.evaluation.statistics import Summary, bootstrap_mean_interval, summarise

pytestmark = pytest.mark.filterwarnings("error")


def test_a_summary_by_hand() -> None:
    summary = summarise([1.0, 5.0, 2.0, None, 4.0, 3.0])
    assert (summary.mean, summary.median, summary.q1, summary.q3) == (3, 3, 2, 4)
    assert (summary.minimum, summary.maximum) == (1, 5)
    assert (summary.count, summary.undefined) == (5, 1)


def test_a_score_of_zero_is_a_score() -> None:
    summary = summarise([0.0, 1.0])
    assert (summary.mean, summary.minimum, summary.count, summary.undefined) == (0.5, 0, 2, 0)


def test_undefined_values_enter_no_number() -> None:
    with_gaps, without = summarise([None, 0.5, None, 0.7]), summarise([0.5, 0.7])
    assert with_gaps.undefined == 2
    assert Summary(**{**vars(with_gaps), "undefined": 0}) == without


@pytest.mark.parametrize("values", [[], [None], [None, None]])
def test_nothing_defined_gives_nothing(values: list[None]) -> None:
    summary = summarise(values)
    assert (summary.count, summary.undefined) == (0, len(values))
    assert {value for name, value in vars(summary).items() if name not in ("count", "undefined")} == {None}


def test_one_patient_has_a_mean_but_no_interval() -> None:
    summary = summarise([0.8])
    assert (summary.mean, summary.median, summary.minimum, summary.maximum) == (0.8, 0.8, 0.8, 0.8)
    assert (summary.ci_low, summary.ci_high) == (None, None)


def test_the_interval_of_constant_values_is_that_value() -> None:
    assert bootstrap_mean_interval([0.75] * 10) == (0.75, 0.75)


def test_the_interval_of_two_values_by_hand() -> None:
    # Means of two draws from {0, 1} are 0, 1/2, 1 with shares 1/4, 1/2, 1/4.
    assert bootstrap_mean_interval([0, 1], level=0.95) == (0, 1)
    assert bootstrap_mean_interval([0, 1], level=0.4) == (0.5, 0.5)


def test_the_interval_of_many_values_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(3).normal(size=2000)
    half_width = 1.96 * values.std() / 2000**0.5
    low, high = bootstrap_mean_interval(values) or pytest.fail("no interval")
    assert low == pytest.approx(values.mean() - half_width, abs=0.1 * half_width)
    assert high == pytest.approx(values.mean() + half_width, abs=0.1 * half_width)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = [0.1, 0.4, 0.55, 0.9, 0.92]
    assert bootstrap_mean_interval(values) == bootstrap_mean_interval(values)
    few = [bootstrap_mean_interval(values, resamples=50, seed=seed) for seed in range(3)]
    assert len(set(few)) > 1


def test_a_lower_level_gives_a_narrower_interval() -> None:
    values = np.linspace(0, 1, 20)
    wide, narrow = bootstrap_mean_interval(values, level=0.99), bootstrap_mean_interval(values, level=0.5)
    assert wide is not None
    assert narrow is not None
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_the_interval_lies_within_the_values(values: list[float]) -> None:
    low, high = bootstrap_mean_interval(values, resamples=200) or pytest.fail("no interval")
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
