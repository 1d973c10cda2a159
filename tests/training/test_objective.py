import pytest
import torch
from torch import Tensor, nn

from glioseg.errors import BadOptionError
from glioseg.networks import NETWORKS, build_network
from glioseg.training.losses import focal_tversky_loss, region_and_cross_entropy
from glioseg.training.objective import batch_loss, find_region_loss


def batch(size: int = 32) -> tuple[Tensor, Tensor]:
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    target = torch.zeros(2, 1, size, size)
    target[..., 8:20, 8:20] = 1
    return images, target


def test_with_one_task_it_is_the_loss_of_the_networks_answer() -> None:
    torch.manual_seed(0)
    network, (images, target) = nn.Conv2d(3, 1, 1), batch()
    assert torch.equal(batch_loss(network, images, target), region_and_cross_entropy(network(images), target))


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_step_against_its_gradient_lowers_it_as_the_gradient_says(name: str) -> None:
    """By step times squared gradient. Of 32 pixels the deepest layer would hold one, which no short step describes."""
    torch.manual_seed(0)
    step = 1e-4
    network, (images, target) = build_network(name, 8), batch(64)
    before = batch_loss(network, images, target)
    assert before.dtype == torch.float32
    before.backward()
    squared = 0.0
    with torch.no_grad():
        for parameter in network.parameters():
            assert parameter.grad is not None
            squared += parameter.grad.square().sum().item()
            parameter -= step * parameter.grad
        after = batch_loss(network, images, target)
    assert (before - after).item() == pytest.approx(step * squared, rel=0.1)


def test_the_region_loss_is_the_named_one() -> None:
    network, (images, target) = nn.Conv2d(3, 1, 1), batch()
    expected = region_and_cross_entropy(network(images), target, focal_tversky_loss)
    assert torch.equal(batch_loss(network, images, target, find_region_loss("focal_tversky", network)), expected)


def test_a_network_with_a_loss_of_its_own_takes_no_other() -> None:
    network = build_network("resunet-a", 8)
    with pytest.raises(BadOptionError, match="no effect on ResUNetA"):
        find_region_loss("focal_tversky", network)
    find_region_loss("dice", network)
