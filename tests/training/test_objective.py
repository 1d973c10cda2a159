import pytest
import torch
from torch import Tensor, nn

from glioseg.networks import NETWORKS, build_network
from glioseg.training.losses import dice_with_cross_entropy
from glioseg.training.objective import batch_loss


def batch() -> tuple[Tensor, Tensor]:
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    target = torch.zeros(2, 1, 32, 32)
    target[..., 8:20, 8:20] = 1
    return images, target


def test_with_one_task_it_is_the_loss_of_the_networks_answer() -> None:
    torch.manual_seed(0)
    network, (images, target) = nn.Conv2d(3, 1, 1), batch()
    assert torch.equal(batch_loss(network, images, target), dice_with_cross_entropy(network(images), target))


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_step_against_its_gradient_lowers_it(name: str) -> None:
    torch.manual_seed(0)
    network, (images, target) = build_network(name, 8), batch()
    before = batch_loss(network, images, target)
    assert before.dtype == torch.float32
    before.backward()
    with torch.no_grad():
        for parameter in network.parameters():
            assert parameter.grad is not None
            parameter -= 0.01 * parameter.grad
    assert batch_loss(network, images, target) < before
