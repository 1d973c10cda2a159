import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glioseg.training.config import Budget, Optimisation
from glioseg.training.schedule import Progress, learning_rate

SETTINGS = Optimisation(learning_rate=0.8, warmup_share=0.2, final_share=0.1)


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.0, 0.008),
        (0.05, 0.2),
        (0.1, 0.4),
        (0.2, 0.8),
        (0.4, 0.8 * (0.1 + 0.9 * (1 + math.cos(math.pi / 4)) / 2)),
        (0.6, 0.8 * 0.55),
        (1.0, 0.08),
    ],
)
def test_rate_by_hand(share: float, expected: float) -> None:
    assert learning_rate(share, SETTINGS) == pytest.approx(expected)


@given(st.floats(0, 1), st.floats(0, 1))
def test_rises_in_the_warm_up_and_falls_after_it(one: float, other: float) -> None:
    early, late = sorted((one, other))
    before, after = learning_rate(early, SETTINGS), learning_rate(late, SETTINGS)
    assert 0 < before <= 0.8
    if late < 0.2:
        assert before <= after
    if early >= 0.2:
        assert before >= after - 1e-15


def test_without_warm_up_it_begins_at_the_peak() -> None:
    assert learning_rate(0.0, Optimisation(learning_rate=0.8, warmup_share=0)) == pytest.approx(0.8)


def test_a_final_share_of_one_keeps_the_peak() -> None:
    settings = Optimisation(learning_rate=0.8, warmup_share=0.2, final_share=1)
    assert [learning_rate(share, settings) for share in (0.2, 0.5, 1.0)] == pytest.approx([0.8, 0.8, 0.8])


@pytest.mark.parametrize(
    ("budget", "spent"),
    [
        (Budget(steps=40), [(0, 0.0), (10, 0.25), (40, 1.0), (41, 1.0)]),
        (Budget(epochs=4), [(0, 0.0), (25, 0.25), (100, 1.0), (200, 1.0)]),
    ],
)
def test_progress_in_steps_takes_no_account_of_time(budget: Budget, spent: list[tuple[int, float]]) -> None:
    progress = Progress.of(budget, steps_per_epoch=25)
    for step, share in spent:
        assert progress.share(step, seconds=0.0) == progress.share(step, seconds=1e9) == pytest.approx(share)


def test_progress_in_minutes_takes_no_account_of_steps() -> None:
    progress = Progress.of(Budget(minutes=2), steps_per_epoch=25)
    for seconds, share in ((0, 0.0), (30, 0.25), (119, 119 / 120), (120, 1.0), (500, 1.0)):
        assert progress.share(0, seconds) == progress.share(10**6, seconds) == pytest.approx(share)
