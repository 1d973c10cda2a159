"""The table of networks: one name, where to find it, the width its paper uses.

The table itself imports no torch, so that a question about the networks is answered at once; a network's module is
imported when it is built.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING

from glioseg.errors import GliosegError

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class NetworkCost:
    """The cost of one slice of 256 x 256 pixels with three channels.

    Attributes:
        parameters: Trainable numbers.
        gmacs: Thousand million multiply-accumulates of convolutions and products in one forward pass.
        activations_mb: Megabytes (10^6 bytes) of float32 that the convolutions of one forward pass write, which
            training has to keep.
    """

    parameters: int
    gmacs: float
    activations_mb: float


@dataclass(frozen=True)
class NetworkEntry:
    """What is known of a network before it is built.

    Attributes:
        title: Its name in tables and figures.
        paper: Where it was published.
        published_width: The width at which the paper's parameter count holds.
        matched_width: The width at which a study compares it unless told otherwise: 10 to 16 GMAC.
        least_width: The smallest width at which every block has a channel left.
        size_multiple: What rows and columns are padded to.
        location: Module and class, ``module:class``; the class takes a width and the channels of the input.
        planes: Whether float32 convolutions of a CPU without AVX-512 take large images faster plane by plane than
            channels last; ResUNet-a, whose layers are many and narrow, is a quarter slower so.
        fully_convolutional: Whether it answers the same on a crop as on the whole image, but for the crop's edge: no
            pooling over the image, no wide dilations.
        cost: At the published width, kept so that it is known without torch; :func:`cost_of` counts it where it is not.
    """

    title: str
    paper: str
    published_width: int
    matched_width: int
    least_width: int
    size_multiple: int
    location: str
    planes: bool = False
    fully_convolutional: bool = False
    cost: NetworkCost | None = None

    def width(self, chosen: int | None) -> int:
        """The chosen width; the published one if None."""
        return self.published_width if chosen is None else chosen

    def titled(self, width: int | None) -> str:
        """Its name with its width, as "U-Net 32"; the published width if None."""
        return f"{self.title} {self.width(width)}"


NETWORKS: dict[str, NetworkEntry] = {
    "unet": NetworkEntry(
        title="U-Net",
        paper="Ronneberger 2015; variant of Buda 2019",
        published_width=32,
        matched_width=32,
        least_width=1,
        size_multiple=16,
        location="glioseg.networks.unet:UNet",
        planes=True,
        fully_convolutional=True,
        cost=NetworkCost(7_763_041, 12.07, 80.0),
    ),
    "resunet-a": NetworkEntry(
        title="ResUNet-a",
        paper="Diakogiannis 2020",
        published_width=32,
        matched_width=16,
        least_width=8,
        size_multiple=32,
        location="glioseg.networks.resunet_a:ResUNetA",
        cost=NetworkCost(43_230_694, 42.48, 351.4),
    ),
    "resunet-pp": NetworkEntry(
        title="ResUNet++",
        paper="Jha 2019",
        published_width=16,
        matched_width=16,
        least_width=8,
        size_multiple=8,
        location="glioseg.networks.resunet_pp:ResUNetPP",
        planes=True,
        cost=NetworkCost(4_062_993, 15.67, 138.1),
    ),
}


def build_network(name: str, width: int | None = None, in_channels: int = 3) -> "nn.Module":
    """Build a network with fresh weights.

    Args:
        name: A name of the table.
        width: Channels of the first level; the published width if None.
        in_channels: Channels of the input.

    Raises:
        GliosegError: If the table has no such name, the message offers the nearest; or if the width is too small.

    Example:
        >>> import torch
        >>> network = build_network("unet", width=8)
        >>> network(torch.zeros(1, 3, 64, 64)).shape  # logits
        torch.Size([1, 1, 64, 64])
    """
    entry = find_network(name)
    width = entry.width(width)
    if width < entry.least_width:
        raise GliosegError(
            f"{entry.title} cannot be built with width {width}",
            expected=f"at least {entry.least_width}, below which a block would have no channel left",
            remedy=f"Use a width between {entry.least_width} and the published {entry.published_width}",
        )
    module, _, class_name = entry.location.partition(":")
    network: nn.Module = getattr(import_module(module), class_name)(width, in_channels)
    return network


def cost_of(name: str) -> NetworkCost:
    """What a network costs at its published width: as the table says, or counted, which imports torch."""
    known = find_network(name).cost
    if known is not None:
        return known
    from glioseg.networks.cost import network_cost

    return network_cost(name)


def find_network(name: str) -> NetworkEntry:
    """The table's entry of that name.

    Raises:
        GliosegError: If the table has no such name; the message offers the nearest.

    Example:
        >>> find_network("resunet-pp").title
        'ResUNet++'
    """
    if name in NETWORKS:
        return NETWORKS[name]
    spellings = {entry.title.lower(): known for known, entry in NETWORKS.items()} | {known: known for known in NETWORKS}
    near = [spellings[match] for match in get_close_matches(name.lower(), spellings, n=1)]
    raise GliosegError(
        f"there is no network {name!r}",
        expected=f"one of {', '.join(NETWORKS)}",
        remedy=f"Use {near[0]!r}, the nearest name" if near else f"Use {next(iter(NETWORKS))!r} to begin with",
    )
