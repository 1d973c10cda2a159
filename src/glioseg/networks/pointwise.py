"""A 1x1 convolution that skips pixels, without the fault of PyTorch's own."""

import torch.nn.functional as F
from torch import Tensor, nn


class StridedPointwise(nn.Conv2d):
    """A 1x1 convolution of every n-th row and column: ``Conv2d(in, out, 1, stride=n)`` to the last parameter.

    Rows and columns are skipped before the convolution instead of within it. On a CPU, in channels-last order and
    from 8 channels, the backward pass of oneDNN in PyTorch 2.13.0 writes beyond its buffer where it skips within.

    Args:
        in_channels: Channels coming in.
        out_channels: Channels going out.
        skip: Every how many rows and columns one is kept.
    """

    def __init__(self, in_channels: int, out_channels: int, skip: int) -> None:
        super().__init__(in_channels, out_channels, 1)
        self.skip = skip

    def forward(self, x: Tensor) -> Tensor:
        """Maps (slice, channel, row, column) to (slice, out channel, row / skip, column / skip), rounded up."""
        return F.conv2d(x[..., :: self.skip, :: self.skip], self.weight, self.bias)
