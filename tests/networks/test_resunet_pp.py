"""Counts per block are those of the authors' code, which the Keras and the PyTorch release share."""

import pytest
import torch
from torch import nn

from glioseg.networks.resunet_pp import Attention, DilatedPyramid, ResidualBlock, ResUNetPP, SqueezeExcitation


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.fixture(autouse=True)
def same_weights() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def published() -> ResUNetPP:
    with torch.device("meta"):
        return ResUNetPP()


def test_parameters_per_block(published: ResUNetPP) -> None:
    assert parameters(published.stem) == 2_960
    assert [parameters(block) for block in published.down] == [14_848, 58_880, 234_496]
    assert parameters(published.bridge) == 1_248_512
    assert [parameters(block) for block in published.up] == [1_891_712, 473_792, 118_880]
    assert parameters(published.pyramid) == 18_896
    assert parameters(published.head) == 17


def test_parameters_with_running_statistics_are_the_papers_4_07_million(published: ResUNetPP) -> None:
    statistics = sum(b.numel() for name, b in published.named_buffers() if "running" in name)
    assert statistics == 7_392
    assert parameters(published) + statistics == 4_070_385


@pytest.mark.parametrize(("skip", "channels", "count"), [(64, 256, 1_329_024), (32, 128, 332_736), (16, 64, 83_424)])
def test_parameters_of_the_attention(skip: int, channels: int, count: int) -> None:
    """By hand: three normalised 3x3 convolutions with bias, one from the skip's channels."""
    by_hand = 2 * skip + (9 * skip + 1) * channels + 2 * (2 * channels + (9 * channels + 1) * channels)
    assert parameters(Attention(skip, channels)) == by_hand == count


def test_the_attention_is_an_unbounded_factor() -> None:
    attention = Attention(4, 8).eval()
    nn.init.zeros_(attention.factor[2].weight)
    x, skip = torch.randn(1, 8, 6, 6), torch.randn(1, 4, 12, 12)
    for factor in (-3.0, 0.0, 5.0):
        nn.init.constant_(attention.factor[2].bias, factor)
        torch.testing.assert_close(attention(x, skip), factor * x)


def test_the_attention_looks_at_the_skip_and_at_the_map() -> None:
    attention = Attention(4, 8).eval()
    x, skip = torch.randn(1, 8, 6, 6), torch.randn(1, 4, 12, 12)
    factor = attention(x, skip) / x
    assert not torch.allclose(attention(x, skip + 1) / x, factor, atol=1e-3)
    assert not torch.allclose(attention(2 * x, skip) / (2 * x), factor, atol=1e-3)


def test_the_pyramid_sums_its_branches() -> None:
    pyramid = DilatedPyramid(3, 5).eval()
    x = torch.randn(1, 3, 40, 40)
    summed = torch.stack([branch(x) for branch in pyramid.branches]).sum(dim=0)
    torch.testing.assert_close(pyramid(x), pyramid.mix(summed))
    assert sorted(branch[0].dilation[0] for branch in pyramid.branches) == [1, 6, 12, 18]


def test_squeeze_and_excitation_weighs_channels_between_0_and_1() -> None:
    block = SqueezeExcitation(16)
    x = torch.rand(2, 16, 5, 5) + 1
    weights = block(x) / x
    assert ((weights > 0) & (weights < 1)).all()
    torch.testing.assert_close(weights, weights[:, :, :1, :1].expand_as(weights))


def test_the_shortcut_carries_the_input_around_the_convolutions() -> None:
    block = ResidualBlock(8, 16, stride=2).eval()
    nn.init.zeros_(block.convolutions[1][2].weight)
    nn.init.zeros_(block.convolutions[1][2].bias)
    x = torch.randn(1, 8, 12, 12)
    torch.testing.assert_close(block(x), block.recalibrate(block.shortcut(x)))
    assert block(x).shape == (1, 16, 6, 6)


def test_the_lowest_encoder_map_goes_into_the_bridge_only(published: ResUNetPP) -> None:
    inputs = [block.residual.shortcut[0].in_channels for block in published.up]
    assert inputs == [256 + 64, 128 + 32, 64 + 16]
