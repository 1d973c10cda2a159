import pytest
import torch

from glioseg.networks import build_network, cost_of
from glioseg.networks.cost import network_cost


def test_unet_by_hand() -> None:
    """Multiply-accumulates of every layer of the U-Net of width 8, written out: pixels x 9 x in x out."""
    widths = [8, 16, 32, 64, 128]
    down = sum(
        (256 >> i) ** 2 * 9 * (a * b + b * b) for i, (a, b) in enumerate(zip([3, *widths], widths, strict=False))
    )
    up = sum((256 >> i) ** 2 * (9 * (2 * w * w + w * w) + 2 * w * w) for i, w in enumerate(widths[:-1]))
    cost = network_cost("unet", 8)
    assert cost.gmacs == pytest.approx((down + up + 256**2 * 8) / 1e9)
    maps = sum(2 * (256 >> i) ** 2 * w for i, w in enumerate(widths))
    maps += sum(3 * (256 >> i) ** 2 * w for i, w in enumerate(widths[:-1])) + 256**2
    assert cost.activations_mb == pytest.approx(4 * maps / 1e6)


@pytest.mark.parametrize(
    ("name", "parameters"), [("unet", 7_763_041), ("resunet-a", 43_230_694), ("resunet-pp", 4_062_993)]
)
def test_parameter_count_at_the_published_width(name: str, parameters: int) -> None:
    with torch.device("meta"):
        network = build_network(name)
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert network_cost(name).parameters == cost_of(name).parameters == parameters


@pytest.mark.parametrize(
    ("name", "width", "gmacs"), [("unet", 32, 12.07), ("resunet-a", 32, 42.5), ("resunet-pp", 16, 15.67)]
)
def test_published_widths_cost_what_the_literature_counts(name: str, width: int, gmacs: float) -> None:
    assert network_cost(name, width).gmacs == pytest.approx(gmacs, rel=2e-3)
