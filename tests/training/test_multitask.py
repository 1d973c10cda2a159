"""ResUNet-a trains with the loss of its paper, everything else with Dice and cross-entropy."""

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from glioseg.networks import build_network
from glioseg.networks.resunet_a import ResUNetA
from glioseg.training.losses import region_and_cross_entropy
from glioseg.training.objective import MULTITASK, batch_loss, is_multitask
from glioseg.training.tanimoto import multitask_loss


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    mask = torch.zeros(2, 1, 32, 32)
    mask[0, :, 8:20, 10:22] = 1
    return torch.randn(2, 3, 32, 32, generator=generator) + mask, mask


def test_resunet_a_is_the_one_network_with_several_tasks() -> None:
    assert [is_multitask(build_network(name, 8)) for name in ("unet", "resunet-a", "resunet-pp")] == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_loss_through_fabric_is_that_of_the_paper_in_the_chosen_precision(precision: str) -> None:
    torch.manual_seed(0)
    images, mask = batch()
    fabric = Fabric(accelerator="cpu", devices=1, precision=precision)
    network = ResUNetA(8).eval()
    wrapped = fabric.setup_module(network)
    wrapped.mark_forward_method(MULTITASK)
    dtypes = []
    network.entrance.register_forward_hook(lambda module, inputs, output: dtypes.append(output.dtype))
    with fabric.autocast():
        loss = batch_loss(wrapped, images, mask)
    assert dtypes == [torch.bfloat16 if precision == "bf16-mixed" else torch.float32]
    tolerance = 0.02 if precision == "bf16-mixed" else 1e-6
    expected = multitask_loss(network.forward_all(images), mask, images)
    torch.testing.assert_close(loss, expected, rtol=tolerance, atol=tolerance)
    fabric.backward(loss)
    assert all(p.grad is not None and np.isfinite(float(p.grad.sum())) for p in network.parameters())


def test_unet_through_fabric_has_its_loss_to_the_last_bit() -> None:
    torch.manual_seed(0)
    images, mask = batch()
    fabric = Fabric(accelerator="cpu", devices=1, precision="32-true")
    network = build_network("unet", 8)
    wrapped = fabric.setup_module(network)
    with fabric.autocast():
        loss = batch_loss(wrapped, images, mask)
    assert torch.equal(loss, region_and_cross_entropy(network(images), mask))
