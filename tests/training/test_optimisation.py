import copy
import math
import weakref

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from glioseg.errors import GliosegError
from glioseg.training.config import Budget, Optimisation
from glioseg.training.optimisation import NonFiniteCheck, Progress, learning_rate, moving_average

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


def tiny() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def move(network: nn.Module, step: int) -> dict[str, Tensor]:
    """Other weights and batch statistics, as a training step leaves them."""
    generator = torch.Generator().manual_seed(step)
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point():
                value.copy_(torch.randn(value.shape, generator=generator))
            else:
                value.add_(7)
    return copy.deepcopy(network.state_dict())


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9])
def test_equals_the_recursion(decay: float) -> None:
    """e = k e + (1 - k) w with k = min(decay, (1 + t) / (10 + t)) after t updates; the first takes w as it is."""
    network = tiny()
    average = moving_average(network, decay)
    expected: dict[str, Tensor] = {}
    for t in range(120):
        weights = move(network, t)
        kept = min(decay, (1 + t) / (10 + t)) if t else 0.0
        expected = {
            name: kept * expected[name] + (1 - kept) * value if t and value.is_floating_point() else value
            for name, value in weights.items()
        }
        average.update_parameters(network)
    found = average.module.state_dict()
    assert found.keys() == expected.keys()
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-6)
    assert found["1.num_batches_tracked"] == 120 * 7


@pytest.mark.parametrize(("updates", "kept"), [(1, 2 / 11), (2, 3 / 12), (80, 81 / 90), (400, 0.9)])
def test_the_decay_rises_to_its_value(updates: int, kept: float) -> None:
    """All updates but the last see 0, the last sees 1: what is added is 1 minus the share that is kept."""
    network = tiny()
    average = moving_average(network, 0.9)
    weight = network[0].weight
    with torch.no_grad():
        weight.zero_()
        for _ in range(updates):
            average.update_parameters(network)
        weight.fill_(1)
        average.update_parameters(network)
    torch.testing.assert_close(average.module[0].weight, torch.full((2, 3), 1 - min(kept, 0.9)))


def test_the_random_start_is_forgotten_at_once() -> None:
    network = tiny()
    average = moving_average(network, 0.999)
    weights = move(network, 1)
    average.update_parameters(network)
    for name, value in average.module.state_dict().items():
        assert torch.equal(value, weights[name])


def test_the_average_has_tensors_of_its_own() -> None:
    network = tiny()
    average = moving_average(network, 0.9)
    average.update_parameters(network)
    before = copy.deepcopy(average.module.state_dict())
    move(network, 1)
    assert all(torch.equal(value, before[name]) for name, value in average.module.state_dict().items())


def test_a_half_way_average_goes_on_from_the_disk_as_if_nothing_had_been() -> None:
    """The count of updates travels too: it decides the decay."""
    network = tiny()
    average = moving_average(network, 0.9)
    for t in range(3):
        move(network, t)
        average.update_parameters(network)
    other = moving_average(tiny(), 0.9)
    other.load_state_dict(copy.deepcopy(average.state_dict()))
    move(network, 3)
    for one in (average, other):
        one.update_parameters(network)
    for name, value in other.state_dict().items():
        assert torch.equal(value, average.state_dict()[name])


def test_it_reads_nothing_from_the_device_of_the_weights() -> None:
    """A device that computes nothing stands for a GPU: to read from it is an error."""
    network = tiny().to("meta")
    average = moving_average(network, 0.9)
    for _ in range(3):
        average.update_parameters(network)
    assert average.n_averaged == 3


def non_finite() -> NonFiniteCheck:
    return NonFiniteCheck(lambda step: [f"PATIENT_{step}_1", f"PATIENT_{step}_9"])


def watch(watched: NonFiniteCheck, *rows: tuple[int, float, float]) -> None:
    for step, loss, norm in rows:
        watched.record(step, torch.tensor(loss), torch.tensor(norm))


def test_gives_the_losses_since_the_last_check() -> None:
    watched = non_finite()
    assert watched.check() == []
    watch(watched, (0, 0.5, 1.0), (1, 0.25, 2.0))
    assert watched.check() == [0.5, 0.25]
    assert watched.check() == []
    watch(watched, (2, 0.125, 1.0))
    assert watched.check() == [0.125]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("what", ["loss", "gradient norm"])
def test_names_the_very_step_and_its_slices(bad: float, what: str) -> None:
    watched = non_finite()
    row = (41, bad, 1.0) if what == "loss" else (41, 0.5, bad)
    watch(watched, (40, 0.5, 1.0), row, (42, math.nan, math.nan))
    with pytest.raises(GliosegError) as caught:
        watched.check()
    assert f"training stopped at step 41: {what} {bad}" in str(caught.value)
    assert "a batch of PATIENT_41_1, PATIENT_41_9" in str(caught.value)
    assert "PATIENT_40" not in str(caught.value)
    assert "PATIENT_42" not in str(caught.value)


def test_keeps_no_graph_alive() -> None:
    watched = non_finite()
    parameter = torch.ones(1, requires_grad=True)
    between = parameter * 2
    graph = weakref.ref(between)
    watched.record(0, between.sum(), torch.tensor(1.0, dtype=torch.bfloat16))
    del between
    assert graph() is None
    assert watched.check() == [2.0]
