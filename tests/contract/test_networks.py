"""What every network of the table promises."""

import copy
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from glioseg.networks import NETWORKS, build_network, cost_of
from glioseg.networks.cost import network_cost
from glioseg.networks.resunet_a import ResUNetA

SMALL = 8

pytestmark = pytest.mark.parametrize("name", sorted(NETWORKS))


@pytest.fixture(autouse=True)
def same_weights() -> None:
    torch.manual_seed(0)


def small(name: str) -> nn.Module:
    return build_network(name, SMALL)


def images(slices: int, rows: int, columns: int) -> Tensor:
    return torch.randn(slices, 3, rows, columns, generator=torch.Generator().manual_seed(1))


def discs(size: int) -> tuple[Tensor, Tensor]:
    """Four slices, each with a brighter disc of another place and radius, and their masks."""
    row, column = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    places = ((8, 8, 5), (20, 12, 7), (16, 22, 4), (23, 23, 6))
    mask = torch.stack([((row - r) ** 2 + (column - c) ** 2 <= radius**2).float() for r, c, radius in places])[:, None]
    return images(4, size, size) * 0.3 + 2 * mask, mask


def all_maps(network: nn.Module, batch: Tensor) -> Tensor:
    """A scalar that depends on everything the network can answer."""
    if isinstance(network, ResUNetA):
        return sum((maps.square().mean() for maps in network.forward_all(batch)), torch.zeros(()))
    return network(batch).square().mean()


def test_costs_of_the_table_are_those_of_the_network(name: str) -> None:
    counted, kept = network_cost(name), cost_of(name)
    assert counted.parameters == kept.parameters
    assert counted.gmacs == pytest.approx(kept.gmacs, abs=0.005)
    assert counted.activations_mb == pytest.approx(kept.activations_mb, abs=0.05)


def test_multiple_of_the_table_is_that_of_the_network(name: str) -> None:
    assert small(name).size_multiple == NETWORKS[name].size_multiple


@pytest.mark.parametrize(("rows", "columns"), [(50, 37), (96, 80), (64, 64), (1, 1)])
def test_output_has_the_size_of_the_input(name: str, rows: int, columns: int) -> None:
    with torch.inference_mode():
        assert small(name).eval()(images(2, rows, columns)).shape == (2, 1, rows, columns)


@pytest.mark.parametrize("width", [12, 16])
def test_other_widths_work(name: str, width: int) -> None:
    with torch.inference_mode():
        assert build_network(name, width).eval()(images(1, 32, 32)).shape == (1, 1, 32, 32)


def test_output_is_logits(name: str) -> None:
    """A bias added to the last layer moves the output by as much: nothing squashes it."""
    network = small(name).eval()
    last = [module for module in network.modules() if isinstance(module, nn.Conv2d) and module.out_channels == 1]
    with torch.inference_mode():
        before = network(images(1, 32, 32))
        segmentation = network.heads.segmentation[-1] if isinstance(network, ResUNetA) else last[-1]
        segmentation.bias += 100
        torch.testing.assert_close(network(images(1, 32, 32)), before + 100)


def test_gradient_reaches_every_parameter(name: str) -> None:
    # Evaluation mode: in training mode a normalisation takes away the gradient of the bias before it.
    network = small(name).eval()
    all_maps(network, images(2, 64, 64)).backward()
    without = [key for key, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []
    assert all(p.grad.isfinite().all() for p in network.parameters())


def test_slices_of_a_batch_do_not_meet_in_evaluation(name: str) -> None:
    network, batch = small(name).eval(), images(3, 40, 40)
    with torch.inference_mode():
        singles = torch.cat([network(batch[i : i + 1]) for i in range(3)])
        torch.testing.assert_close(network(batch), singles, rtol=1e-4, atol=1e-4)


def test_weights_survive_the_disk(name: str, tmp_path: Path) -> None:
    network = small(name)
    network(images(2, 64, 64))  # moves the normalisation's running statistics, which must travel too
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    torch.manual_seed(99)
    other = small(name)
    with torch.inference_mode():
        assert not torch.equal(other.eval()(images(1, 50, 37)), network.eval()(images(1, 50, 37)))
        other.load_state_dict(load_file(tmp_path / "weights.safetensors"))
        assert torch.equal(other.eval()(images(1, 50, 37)), network.eval()(images(1, 50, 37)))


def test_compiled_network_answers_the_same(name: str) -> None:
    network = small(name).eval()
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    with torch.inference_mode():
        torch.testing.assert_close(compiled(images(1, 50, 37)), network(images(1, 50, 37)))


def test_bfloat16_stays_close_to_float32(name: str) -> None:
    network, batch = small(name).eval(), images(1, 32, 32)
    with torch.inference_mode():
        exact = network(batch)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = network(batch).float()
    assert (rounded - exact).abs().max() < 0.05 * exact.abs().max()


def test_learns_one_batch_by_heart_within_60_steps(name: str) -> None:
    network = small(name)
    batch, mask = discs(32)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    dices: list[float] = []
    while len(dices) < 6 and (not dices or dices[-1] < 0.95):
        for _ in range(10):
            optimiser.zero_grad()
            binary_cross_entropy_with_logits(network(batch), mask).backward()
            optimiser.step()
        dices.append(dice(network, batch, mask))
    assert dices[-1] >= 0.95, dices


def dice(network: nn.Module, batch: Tensor, mask: Tensor) -> float:
    """In evaluation mode, so the running statistics must have been learned too."""
    with torch.inference_mode():
        found = copy.deepcopy(network).eval()(batch) > 0
    return float(2 * (found * mask).sum() / (found.sum() + mask.sum()))


def test_takes_the_slices_beside_a_slice_as_further_channels(name: str) -> None:
    network = build_network(name, SMALL, 9).eval()
    batch = torch.randn(1, 9, 50, 37, generator=torch.Generator().manual_seed(1))
    other = batch.clone()
    other[:, 5] += 1
    with torch.inference_mode():
        assert network(batch).shape == (1, 1, 50, 37)
        assert not torch.equal(network(batch), network(other))
