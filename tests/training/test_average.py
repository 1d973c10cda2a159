import copy

import pytest
import torch
from torch import Tensor, nn

from glioseg.training.average import moving_average


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
