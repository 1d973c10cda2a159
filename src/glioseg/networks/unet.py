"""U-Net as trained on this dataset by Buda, Saha and Mazurowski.

Architecture: Ronneberger, Fischer, Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation",
MICCAI 2015, section 2. Variant: Buda, Saha, Mazurowski, "Association of genomic subtypes of lower-grade gliomas
with shape features automatically extracted by a deep learning algorithm", Comput Biol Med 2019, section 2.3, with
padded convolutions, batch normalisation and half the channels of the original.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glioseg.networks.padding import crop_to, pad_to_multiple

LEVELS = 5


def double_convolution(in_channels: int, out_channels: int) -> nn.Sequential:
    """Twice a 3x3 convolution, batch normalisation and ReLU; the convolutions leave the bias to the normalisation."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class UNet(nn.Module):
    """Five levels of double convolutions with skip connections from the way down to the way up.

    7,763,041 parameters at width 32 with three input channels.

    Args:
        width: Channels of the first level; each level below doubles them.
        in_channels: Channels of the input.
    """

    size_multiple = 2 ** (LEVELS - 1)

    def __init__(self, width: int = 32, in_channels: int = 3) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(LEVELS)]
        self.down = nn.ModuleList(
            double_convolution(before, after) for before, after in zip([in_channels, *widths], widths, strict=False)
        )
        self.enlarge = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in reversed(widths[:-1]))
        self.up = nn.ModuleList(double_convolution(2 * w, w) for w in reversed(widths[:-1]))
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Intensities (slice, channel, row, column) to logits (slice, 1, row, column)."""
        x = pad_to_multiple(images, self.size_multiple)
        skips: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else F.max_pool2d(x, 2))
            skips.append(x)
        for enlarge, block, skip in zip(self.enlarge, self.up, reversed(skips[:-1]), strict=True):
            x = block(torch.cat((enlarge(x), skip), dim=1))
        return crop_to(self.head(x), *images.shape[-2:])
