"""ResUNet-a with its four conditioned tasks.

Diakogiannis, Waldner, Caccetta, Wu, "ResUNet-a: A deep learning framework for semantic segmentation of remotely
sensed data", ISPRS J. Photogramm. Remote Sens. 162, 2020, sections 3.1 and 3.2, tables of d6 and d7; order and form
of the heads from the code that the authors released.

Deviation: the paper's fourth task predicts the image's colour in HSV. Three MRI sequences are no colours, so the
fourth head gives back the normalised intensities themselves, linearly; it is conditioned on nothing, as in the paper.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glioseg.networks.padding import crop_to, pad_to_multiple
from glioseg.networks.pointwise import StridedPointwise

WIDE = (1, 3, 15, 31)
MIDDLE = (1, 3, 15)
TABLE_DILATIONS = (WIDE, WIDE, MIDDLE, MIDDLE, (1,), (1,), (1,))
"""The paper's dilations of each level, the same on the way down and on the way up."""
RELEASED_DOWN = (WIDE, WIDE, MIDDLE, (1, 3, 5), (1,), (1,), (1,))
RELEASED_UP = {6: (WIDE, WIDE, WIDE, MIDDLE, (1, 3, 5)), 7: (WIDE, WIDE, WIDE, WIDE, MIDDLE, (1,))}
"""The released code's dilations on the way up by depth, from the first level to the last but one."""


class ResUNetAOutput(NamedTuple):
    """The four maps, each (slice, channel, row, column).

    Attributes:
        segmentation: Logits of the tumour, one channel.
        boundary: Logits of the tumour's boundary, one channel.
        distance: Logits of the distance to the boundary inside the tumour, one channel.
        reconstruction: Normalised intensities of the input, as many channels as it has.
    """

    segmentation: Tensor
    boundary: Tensor
    distance: Tensor
    reconstruction: Tensor


def normalised_convolution(in_channels: int, out_channels: int, size: int = 1) -> nn.Sequential:
    """A convolution and batch normalisation; the convolution leaves the bias to the normalisation."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, size, padding=size // 2, bias=False), nn.BatchNorm2d(out_channels)
    )


class ResidualBlock(nn.Module):
    """ResBlock-a: the input plus parallel branches, each twice normalisation, ReLU and a 3x3 of one dilation."""

    def __init__(self, channels: int, dilations: tuple[int, ...], first_bias: bool = True) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm2d(channels),
                nn.ReLU(inplace=True),
                nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation, bias=first_bias),
                nn.BatchNorm2d(channels),
                nn.ReLU(inplace=True),
                nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation),
            )
            for dilation in dilations
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps (slice, channel, row, column) to the same shape."""
        total = x
        for branch in self.branches:
            total = total + branch(x)
        return total


class PyramidPooling(nn.Module):
    """PSPPooling: the input beside its maxima over the whole, halves, quarters and eighths, mixed by a 1x1.

    The windows adapt to the map, so its size need not be divisible by 8. Convolution goes before enlargement, which
    is the same and cheaper; normalisation goes after it, so that a batch of one slice has values to normalise.
    """

    def __init__(self, in_channels: int, out_channels: int, windows: tuple[int, ...] = (1, 2, 4, 8)) -> None:
        super().__init__()
        narrow = out_channels // len(windows)
        self.windows = windows
        self.convolutions = nn.ModuleList(nn.Conv2d(in_channels, narrow, 1, bias=False) for _ in windows)
        self.normalisations = nn.ModuleList(nn.BatchNorm2d(narrow) for _ in windows)
        self.mix = normalised_convolution(in_channels + narrow * len(windows), out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (slice, channel, row, column) to (slice, out channel, row, column)."""
        maps = [x]
        for window, convolve, normalise in zip(self.windows, self.convolutions, self.normalisations, strict=True):
            pooled = convolve(_adaptive_max_pool(x, window))
            maps.append(normalise(F.interpolate(pooled, size=x.shape[-2:], mode="nearest")))
        return self.mix(torch.cat(maps, dim=1))


def _adaptive_max_pool(x: Tensor, side: int) -> Tensor:
    """The maxima of side x side windows that cover a map; in an export by operations that every runtime has."""
    if not torch.compiler.is_exporting():
        return F.adaptive_max_pool2d(x, side)
    for axis in (-2, -1):
        size = x.shape[axis]
        bounds = ((part * size // side, -(-(part + 1) * size // side)) for part in range(side))
        x = torch.cat([x.narrow(axis, low, high - low).amax(axis, keepdim=True) for low, high in bounds], axis)
    return x


class Combine(nn.Module):
    """ReLU of the map from below beside the skip, mixed by a 1x1."""

    def __init__(self, below_channels: int, skip_channels: int) -> None:
        super().__init__()
        self.mix = normalised_convolution(below_channels + skip_channels, skip_channels)

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        """Two maps of one size to a map like the skip."""
        return self.mix(torch.cat((below.relu(), skip), dim=1))


class DecoderBlock(nn.Module):
    """UpSample (nearest, then 1x1), Combine with the skip, residual block."""

    def __init__(self, skip_channels: int, dilations: tuple[int, ...], released: bool) -> None:
        super().__init__()
        enlarged_channels = skip_channels // 2 if released else skip_channels
        self.narrow = normalised_convolution(2 * skip_channels, enlarged_channels)
        self.combine = Combine(enlarged_channels, skip_channels)
        self.residual = ResidualBlock(skip_channels, dilations, first_bias=not released)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """A map (slice, 2 channel, row, column) and its skip (slice, channel, 2 row, 2 column) to the latter shape."""
        enlarged = F.interpolate(x, scale_factor=2.0, mode="nearest")
        return self.residual(self.combine(self.narrow(enlarged), skip))


class ConditionedHeads(nn.Module):
    """Distance, then boundary, then segmentation, each fed with the probabilities of those before; reconstruction.

    Args:
        last_channels: Channels of the last map before pyramid pooling.
        width: Channels of that map after pyramid pooling.
        image_channels: Channels to reconstruct.
    """

    def __init__(self, last_channels: int, width: int, image_channels: int) -> None:
        super().__init__()
        self.distance = self._head(last_channels, width, convolutions=2)
        self.boundary = self._head(width + 1, width, convolutions=1)
        self.segmentation = self._head(width + 2, width, convolutions=2)
        self.reconstruction = nn.Conv2d(last_channels, image_channels, 1)

    @staticmethod
    def _head(in_channels: int, width: int, convolutions: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for before in (in_channels, *[width] * (convolutions - 1)):
            layers += [normalised_convolution(before, width, size=3), nn.ReLU(inplace=True)]
        return nn.Sequential(*layers, nn.Conv2d(width, 1, 1))

    def forward(self, last: Tensor, pooled: Tensor) -> ResUNetAOutput:
        """The last map and its pyramid pooling, both of the input's size, to the four maps."""
        features = pooled.relu()
        distance = self.distance(last)
        boundary = self.boundary(torch.cat((features, distance.sigmoid()), dim=1))
        segmentation = self.segmentation(torch.cat((features, boundary.sigmoid(), distance.sigmoid()), dim=1))
        return ResUNetAOutput(segmentation, boundary, distance, self.reconstruction(last))


class ResUNetA(nn.Module):
    """Six or seven levels of dilated residual blocks, pyramid pooling at the bottom and at the end, four tasks.

    43,230,694 parameters at width 32 with depth 6, 153,351,650 with depth 7.

    Args:
        width: Channels of the first level, at least 8; each level below doubles them.
        in_channels: Channels of the input.
        depth: Levels, 6 (the paper's d6) or 7 (d7).
        multitask: False for the paper's single segmentation head.
        released: True for the released code's layers (58,032,902 parameters) instead of the paper's table: other
            dilations, 3x3 convolutions of stride 2, half as many channels from below, no Combine at the end.
    """

    size_multiple = 32

    def __init__(
        self,
        width: int = 32,
        in_channels: int = 3,
        depth: int = 6,
        multitask: bool = True,
        released: bool = False,
    ) -> None:
        super().__init__()
        self.size_multiple = 2 ** (depth - 1)
        self.released = released
        widths = [width * 2**level for level in range(depth)]
        down, up = (RELEASED_DOWN, RELEASED_UP[depth]) if released else (TABLE_DILATIONS, TABLE_DILATIONS)
        self.entrance = (
            nn.Sequential(normalised_convolution(in_channels, width), nn.ReLU())
            if released
            else nn.Conv2d(in_channels, width, 1)
        )
        self.shrink = nn.ModuleList(
            nn.Conv2d(w, 2 * w, 3, stride=2, padding=1, bias=False) if released else StridedPointwise(w, 2 * w, 2)
            for w in widths[:-1]
        )
        self.down = nn.ModuleList(
            ResidualBlock(w, dilations, first_bias=not released)
            for w, dilations in zip(widths, down[:depth], strict=True)
        )
        # At 256 pixels the bottom of depth 7 has 4 rows and columns: no eighths to pool.
        self.bottom = PyramidPooling(widths[-1], widths[-1], (1, 2, 4, 8) if depth == 6 else (1, 2, 4))
        self.up = nn.ModuleList(DecoderBlock(widths[i], up[i], released) for i in reversed(range(depth - 1)))
        self.combine = None if released else Combine(width, width)
        last_channels = 2 * width if released else width
        self.pyramid = PyramidPooling(last_channels, width)
        self.heads = ConditionedHeads(last_channels, width, in_channels) if multitask else nn.Conv2d(width, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Intensities (slice, channel, row, column) to logits of the tumour (slice, 1, row, column)."""
        if isinstance(self.heads, ConditionedHeads):
            return self.forward_all(images).segmentation
        return crop_to(self.heads(self.pyramid(self._last_map(images))), *images.shape[-2:])

    def forward_all(self, images: Tensor) -> ResUNetAOutput:
        """Intensities (slice, channel, row, column) to all four maps of the same rows and columns.

        Raises:
            TypeError: If the network was built with ``multitask=False``.
        """
        if not isinstance(self.heads, ConditionedHeads):
            raise TypeError("a network built with multitask=False has one head only; call it instead of forward_all")
        last = self._last_map(images)
        output = self.heads(last, self.pyramid(last))
        return ResUNetAOutput(*(crop_to(maps, *images.shape[-2:]) for maps in output))

    def _last_map(self, images: Tensor) -> Tensor:
        """Everything before the last pyramid pooling, on the padded size."""
        first = self.entrance(pad_to_multiple(images, self.size_multiple))
        x = self.down[0](first)
        skips: list[Tensor] = []
        for shrink, block in zip(self.shrink, self.down[1:], strict=True):
            skips.append(x)
            x = block(shrink(x))
        x = self.bottom(x)
        if self.released:
            x = x.relu()
        for block, skip in zip(self.up, reversed(skips), strict=True):
            x = block(x, skip)
        return torch.cat((first, x), dim=1) if self.combine is None else self.combine(x, first)
