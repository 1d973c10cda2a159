"""The moving average of the weights, which is what validates and ships."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """An exponential moving average of parameters and batch statistics.

    The decay rises to its value over the first steps, so that the random weights of the start are forgotten in a
    short run too. Batch statistics are averaged as well: they belong to the weights they were taken with.

    The count of updates stays on the CPU, where reading it waits for no GPU: build it of a network that lies on its
    device, rather than move it there.

    Args:
        network: The weights being trained.
        decay: Share of the average that is kept at each step, 0 to below 1.
    """

    def blend(averaged: Sequence[Tensor], current: Sequence[Tensor], _: Tensor | int) -> None:
        updates = int(average.n_averaged)
        kept = min(decay, (1 + updates) / (10 + updates))
        if torch.is_floating_point(averaged[0]):
            torch._foreach_lerp_(list(averaged), list(current), 1 - kept)
        else:
            torch._foreach_copy_(list(averaged), list(current))

    average = AveragedModel(network, multi_avg_fn=blend, use_buffers=True)
    return average
