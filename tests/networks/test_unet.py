"""Counts per layer are those of the published implementation of Buda at width 32."""

import pytest
import torch
from torch import nn

from glioseg.networks.unet import UNet


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.fixture(scope="module")
def published() -> UNet:
    with torch.device("meta"):
        return UNet()


def test_parameters_per_layer(published: UNet) -> None:
    assert [parameters(block) for block in published.down] == [10_208, 55_552, 221_696, 885_760, 3_540_992]
    assert [parameters(layer) for layer in published.enlarge] == [524_544, 131_200, 32_832, 8_224]
    assert [parameters(block) for block in published.up] == [1_770_496, 442_880, 110_848, 27_776]
    assert parameters(published.head) == 33


def test_running_statistics(published: UNet) -> None:
    assert sum(b.numel() for name, b in published.named_buffers() if "running" in name) == 5_888


@pytest.mark.parametrize(("width", "count"), [(16, 1_942_577), (64, 31_037_633)])
def test_parameters_of_other_widths(width: int, count: int) -> None:
    with torch.device("meta"):
        assert parameters(UNet(width)) == count


def test_every_skip_is_used() -> None:
    torch.manual_seed(0)
    network = UNet(8).eval()
    images = torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        before = network(images)
        for level, block in enumerate(network.down[:-1]):
            # The skip lies behind the enlarged map in the concatenation.
            entrance = network.up[len(network.up) - 1 - level][0]
            kept = entrance.weight.clone()
            entrance.weight[:, entrance.in_channels // 2 :] = 0
            assert not torch.equal(network(images), before), block
            entrance.weight.copy_(kept)
        assert torch.equal(network(images), before)
