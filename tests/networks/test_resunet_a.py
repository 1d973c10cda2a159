"""Counts per layer are those of the paper's table at width 32, and of the released code."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from glioseg.networks import resunet_a as module
from glioseg.networks.resunet_a import Combine, PyramidPooling, ResidualBlock, ResUNetA


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def built(**options: int | bool) -> ResUNetA:
    with torch.device("meta"):
        return ResUNetA(**options)


def images(rows: int = 64, columns: int = 64) -> Tensor:
    return torch.randn(1, 3, rows, columns, generator=torch.Generator().manual_seed(1))


@pytest.fixture(autouse=True)
def same_weights() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def published() -> ResUNetA:
    return built()


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 43_230_694),
        ({"multitask": False}, 43_183_265),
        ({"depth": 7}, 153_351_650),
        ({"depth": 7, "multitask": False}, 153_304_221),
        ({"width": 24}, 24_325_230),
        ({"width": 16}, 10_818_294),
        ({"width": 8}, 2_709_886),
        ({"released": True}, 58_032_902),
        ({"released": True, "multitask": False}, 57_976_161),
        ({"released": True, "depth": 7}, 184_532_994),
        ({"released": True, "depth": 7, "multitask": False}, 184_476_253),
        ({"released": True, "width": 24}, 32_651_046),
        ({"released": True, "width": 16}, 14_518_278),
        ({"released": True, "width": 8}, 3_634_598),
    ],
)
def test_parameters(options: dict[str, int | bool], count: int) -> None:
    assert parameters(built(**options)) == count


@pytest.mark.parametrize(
    ("options", "count"),
    [({}, 29_056), ({"depth": 7}, 49_532), ({"released": True}, 32_672), ({"released": True, "depth": 7}, 53_148)],
)
def test_running_statistics(options: dict[str, int | bool], count: int) -> None:
    assert sum(b.numel() for name, b in built(**options).named_buffers() if "running" in name) == count


def test_parameters_per_layer_of_the_table(published: ResUNetA) -> None:
    assert parameters(published.entrance) == 128
    blocks = [74_496, 296_448, 887_040, 3_543_552, 4_721_664, 18_880_512]
    assert [parameters(block) for block in published.down] == blocks
    assert [parameters(layer) for layer in published.shrink] == [2_112, 8_320, 33_024, 131_584, 525_312]
    assert parameters(published.bottom) == 3_149_824
    assert [parameters(block.residual) for block in published.up] == blocks[-2::-1]
    combined = [parameters(block.narrow) + parameters(block.combine) for block in published.up]
    assert combined == [1_050_624, 263_168, 66_048, 16_640, 4_224]
    assert parameters(published.combine) == 2_112
    assert parameters(published.pyramid) == 3_200
    heads = published.heads
    counts = [parameters(h) for h in (heads.distance, heads.boundary, heads.segmentation, heads.reconstruction)]
    assert counts == [18_593, 9_601, 19_169, 99]


def test_parameters_per_layer_of_the_released_code() -> None:
    network = built(released=True)
    assert parameters(network.entrance) == 160
    assert [parameters(b) for b in network.down] == [74_368, 296_192, 886_656, 3_542_784, 4_721_152, 18_879_488]
    assert [parameters(layer) for layer in network.shrink] == [18_432, 73_728, 294_912, 1_179_648, 4_718_592]
    assert [parameters(b.residual) for b in network.up] == [14_163_456, 3_542_784, 1_182_208, 296_192, 74_368]
    combined = [parameters(block.narrow) + parameters(block.combine) for block in network.up]
    assert combined == [656_896, 164_608, 41_344, 10_432, 2_656]
    assert parameters(network.pyramid) == 5_248
    assert parameters(network.heads.distance) == 27_809
    assert parameters(network.heads.reconstruction) == 195


def dilations(block: ResidualBlock) -> tuple[int, ...]:
    return tuple(branch[2].dilation[0] for branch in block.branches)


def test_dilations(published: ResUNetA) -> None:
    wide, middle = (1, 3, 15, 31), (1, 3, 15)
    assert [dilations(block) for block in published.down] == [wide, wide, middle, middle, (1,), (1,)]
    assert [dilations(block.residual) for block in published.up] == [(1,), middle, middle, wide, wide]
    released = built(released=True)
    assert [dilations(block) for block in released.down] == [wide, wide, middle, (1, 3, 5), (1,), (1,)]
    assert [dilations(block.residual) for block in released.up] == [(1, 3, 5), middle, wide, wide, wide]


def test_the_residual_block_adds_its_branches_to_its_input() -> None:
    block = ResidualBlock(4, (1, 3)).eval()
    x = torch.randn(1, 4, 16, 16)
    kept = x.clone()
    torch.testing.assert_close(block(x), x + block.branches[0](x) + block.branches[1](x))
    assert torch.equal(x, kept), "an operation in place changed the identity"
    for branch in block.branches:
        nn.init.zeros_(branch[-1].weight)
        nn.init.zeros_(branch[-1].bias)
    assert torch.equal(block(x), x)


def test_pyramid_pooling_sees_the_maxima_of_whole_halves_quarters_and_eighths() -> None:
    pooling = PyramidPooling(4, 4).eval()
    seen: list[Tensor] = []
    pooling.mix.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    for convolve in pooling.convolutions:
        nn.init.constant_(convolve.weight, 1 / 4)
    x = torch.arange(256.0).view(1, 1, 16, 16).expand(1, 4, 16, 16)
    pooling(x)
    for channel, window in zip(range(4, 8), (1, 2, 4, 8), strict=True):
        size = 16 // window
        blocks = x[0, 0].view(window, size, window, size).amax(dim=(1, 3))
        expected = blocks.repeat_interleave(size, 0).repeat_interleave(size, 1)
        torch.testing.assert_close(seen[0][0, channel], expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 3), (7, 7), (9, 8)])
def test_pyramid_pooling_takes_maps_not_divisible_by_8(rows: int, columns: int) -> None:
    assert PyramidPooling(8, 8).eval()(torch.randn(2, 8, rows, columns)).shape == (2, 8, rows, columns)


def test_combine_activates_the_map_from_below_only() -> None:
    combine = Combine(2, 2).eval()
    below, skip = torch.randn(1, 2, 4, 4), -torch.rand(1, 2, 4, 4)
    torch.testing.assert_close(combine(below, skip), combine(below.relu(), skip))
    assert not torch.allclose(combine(below, skip), combine(below, skip.relu()))


@pytest.mark.parametrize(
    ("head", "moved"),
    [
        ("distance", {"distance", "boundary", "segmentation"}),
        ("boundary", {"boundary", "segmentation"}),
        ("segmentation", {"segmentation"}),
        ("reconstruction", {"reconstruction"}),
    ],
)
def test_heads_are_conditioned_on_those_before(head: str, moved: set[str]) -> None:
    network = ResUNetA(8).eval()
    layer = getattr(network.heads, head)
    with torch.inference_mode():
        before = network.forward_all(images())
        (layer if isinstance(layer, nn.Conv2d) else layer[-1]).bias += 1
        after = network.forward_all(images())
    pairs = zip(before._fields, before, after, strict=True)
    assert {field for field, old, new in pairs if not torch.equal(old, new)} == moved


def test_heads_hand_on_probabilities() -> None:
    """Logits of 40 and of 80 are both a probability of 1, so the segmentation cannot tell them apart."""
    network = ResUNetA(8).eval()
    answers = []
    with torch.inference_mode():
        for logit in (40.0, 80.0):
            for head in (network.heads.distance, network.heads.boundary):
                nn.init.zeros_(head[-1].weight)
                nn.init.constant_(head[-1].bias, logit)
            answers.append(network(images()))
    assert torch.equal(*answers)


@pytest.mark.parametrize("released", [False, True])
def test_all_maps_have_the_size_of_the_input(released: bool) -> None:
    with torch.inference_mode():
        output = ResUNetA(8, released=released).eval().forward_all(images(50, 37))
    assert [tuple(maps.shape) for maps in output] == [(1, 1, 50, 37)] * 3 + [(1, 3, 50, 37)]


def test_forward_is_the_segmentation_of_all_maps() -> None:
    network = ResUNetA(8).eval()
    with torch.inference_mode():
        assert torch.equal(network(images()), network.forward_all(images()).segmentation)


def test_single_head() -> None:
    network = ResUNetA(8, multitask=False).eval()
    with torch.inference_mode():
        assert network(images(50, 37)).shape == (1, 1, 50, 37)
    with pytest.raises(TypeError, match="multitask=False"):
        network.forward_all(images())


def test_depth_7() -> None:
    network = ResUNetA(8, depth=7).eval()
    assert network.size_multiple == 64
    with torch.inference_mode():
        assert network(images(50, 70)).shape == (1, 1, 50, 70)


def test_one_slice_can_be_trained_on() -> None:
    """The whole of a map has one maximum; normalising it needs more than one value."""
    assert ResUNetA(8).train()(images()).isfinite().all()


@pytest.mark.parametrize("size", [(3, 3), (8, 6), (5, 12)])
def test_windows_of_an_export_hold_the_same_maxima(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)
    for side in (1, 2, 4, 8):
        torch.testing.assert_close(
            module._adaptive_max_pool(x, side), functional.adaptive_max_pool2d(x, side), rtol=0, atol=0
        )
