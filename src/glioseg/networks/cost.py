"""What a network costs before it has seen a patient: parameters, arithmetic, memory.

Counted on PyTorch's meta device, which knows shapes and holds no numbers, so that the largest network takes a moment.
"""

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from glioseg.networks.table import NetworkCost, build_network

SIZE_PX = 256
FLOAT32_BYTES = 4


def network_cost(name: str, width: int | None = None, *, size_px: int = SIZE_PX) -> NetworkCost:
    """Count a network of the table.

    Args:
        name: A name of the table of networks.
        width: Channels of the first level; the published width if None.
        size_px: Rows and columns of the slice.

    Raises:
        GliosegError: As :func:`glioseg.networks.table.build_network`.
    """
    with torch.device("meta"):
        network = build_network(name, width).eval()
        images = torch.empty(1, 3, size_px, size_px)
    written = _count_convolution_outputs(network)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(images)
    return NetworkCost(
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        gmacs=counter.get_total_flops() / 2 / 1e9,
        activations_mb=sum(written) * FLOAT32_BYTES / 1e6,
    )


def _count_convolution_outputs(network: nn.Module) -> list[int]:
    """A list that fills, as the network runs, with the size of every convolution's output."""
    written: list[int] = []

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        written.append(output.numel())

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.register_forward_hook(count)
    return written
