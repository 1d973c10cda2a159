"""ResUNet++ as its authors released it.

Jha, Smedsrud, Riegler, Johansen, de Lange, Halvorsen, Johansen, "ResUNet++: An Advanced Architecture for Medical
Image Segmentation", ISM 2019, section III. Where the paper leaves details open the authors' code decides: the
branches of the pyramid are summed, not concatenated; the attention multiplies by an unbounded map without a sigmoid;
it acts on the decoder's map before enlargement, and the skip is concatenated as it is.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glioseg.networks.padding import crop_to, pad_to_multiple
from glioseg.networks.pointwise import StridedPointwise

RATES = (1, 6, 12, 18)
"""Dilations of the pyramid's branches."""
REDUCTION = 8
"""By how much squeeze and excitation narrows the channels."""


def activated_convolution(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    """Batch normalisation, ReLU and a 3x3 convolution, in this order."""
    return nn.Sequential(
        nn.BatchNorm2d(in_channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1),
    )


class SqueezeExcitation(nn.Module):
    """Weigh every channel by a number between 0 and 1 drawn from the means of all channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, channels // REDUCTION, bias=False)
        self.excite = nn.Linear(channels // REDUCTION, channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (slice, channel, row, column) to the same, reweighted."""
        weights = self.excite(F.relu(self.squeeze(x.mean(dim=(2, 3))))).sigmoid()
        return x * weights[:, :, None, None]


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, a 1x1 shortcut around them, squeeze and excitation of their sum.

    Args:
        in_channels: Channels coming in.
        out_channels: Channels going out.
        stride: 2 halves rows and columns.
        stem: True for the first block of the network, whose input is neither normalised nor activated.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, stem: bool = False) -> None:
        super().__init__()
        entrance: nn.Module = (
            nn.Conv2d(in_channels, out_channels, 3, padding=1)
            if stem
            else activated_convolution(in_channels, out_channels, stride)
        )
        self.convolutions = nn.Sequential(entrance, activated_convolution(out_channels, out_channels))
        self.shortcut = nn.Sequential(StridedPointwise(in_channels, out_channels, stride), nn.BatchNorm2d(out_channels))
        self.recalibrate = SqueezeExcitation(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (slice, channel, row, column) to (slice, out channel, row / stride, column / stride)."""
        shortcut = self.shortcut(x)
        return self.recalibrate(self.convolutions(x) + shortcut)


class DilatedPyramid(nn.Module):
    """Atrous spatial pyramid pooling: 3x3 convolutions of four dilations, normalised, summed, mixed by a 1x1."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 3, padding=rate, dilation=rate), nn.BatchNorm2d(out_channels)
            )
            for rate in RATES
        )
        self.mix = nn.Conv2d(out_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (slice, channel, row, column) to (slice, out channel, row, column)."""
        total = self.branches[0](x)
        for branch in self.branches[1:]:
            total = total + branch(x)
        return self.mix(total)


class Attention(nn.Module):
    """Multiply the decoder's map by a map drawn from it and from the encoder's map of twice the size.

    The factor is the plain output of a convolution: any sign, any size, as the authors confirmed.
    """

    def __init__(self, skip_channels: int, channels: int) -> None:
        super().__init__()
        self.from_skip = activated_convolution(skip_channels, channels)
        self.from_map = activated_convolution(channels, channels)
        self.factor = activated_convolution(channels, channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """A map (slice, channel, row, column) and its skip (slice, skip channel, 2 row, 2 column) to the first."""
        return self.factor(F.max_pool2d(self.from_skip(skip), 2) + self.from_map(x)) * x


class DecoderBlock(nn.Module):
    """Attention, enlargement to twice the size, concatenation with the skip, residual block."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        self.attention = Attention(skip_channels, in_channels)
        self.residual = ResidualBlock(in_channels + skip_channels, out_channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """A map and its skip of twice the size to (slice, out channel, 2 row, 2 column)."""
        enlarged = F.interpolate(self.attention(x, skip), scale_factor=2.0, mode="nearest")
        return self.residual(torch.cat((enlarged, skip), dim=1))


class ResUNetPP(nn.Module):
    """Four levels of residual blocks, a dilated pyramid below and above, three decoders with attention.

    4,062,993 parameters at width 16 with three input channels.

    Args:
        width: Channels of the first level, at least 8; each level below doubles them.
        in_channels: Channels of the input.
    """

    size_multiple = 8

    def __init__(self, width: int = 16, in_channels: int = 3) -> None:
        super().__init__()
        w1, w2, w4, w8, w16 = (width * 2**level for level in range(5))
        self.stem = ResidualBlock(in_channels, w1, stem=True)
        self.down = nn.ModuleList(
            ResidualBlock(before, after, stride=2) for before, after in ((w1, w2), (w2, w4), (w4, w8))
        )
        self.bridge = DilatedPyramid(w8, w16)
        self.up = nn.ModuleList(
            DecoderBlock(below, skip, after) for below, skip, after in ((w16, w4, w8), (w8, w2, w4), (w4, w1, w2))
        )
        self.pyramid = DilatedPyramid(w2, w1)
        self.head = nn.Conv2d(w1, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Intensities (slice, channel, row, column) to logits (slice, 1, row, column)."""
        x = self.stem(pad_to_multiple(images, self.size_multiple))
        skips: list[Tensor] = []
        for block in self.down:
            skips.append(x)
            x = block(x)
        x = self.bridge(x)
        for block, skip in zip(self.up, reversed(skips), strict=True):
            x = block(x, skip)
        return crop_to(self.head(self.pyramid(x)), *images.shape[-2:])
