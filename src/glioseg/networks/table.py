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
class NetworkEntry:
    """What is known of a network before it is built.

    Attributes:
        title: Its name in tables and figures.
        paper: Where it was published.
        published_width: The width at which the paper's parameter count holds.
        least_width: The smallest width at which every block has a channel left.
        size_multiple: What rows and columns are padded to.
        location: Module and class, ``module:class``; the class takes a width.
    """

    title: str
    paper: str
    published_width: int
    least_width: int
    size_multiple: int
    location: str


NETWORKS: dict[str, NetworkEntry] = {
    "unet": NetworkEntry("U-Net", "Ronneberger 2015; variant of Buda 2019", 32, 1, 16, "glioseg.networks.unet:UNet"),
    "resunet-a": NetworkEntry("ResUNet-a", "Diakogiannis 2020", 32, 4, 32, "glioseg.networks.resunet_a:ResUNetA"),
    "resunet-pp": NetworkEntry("ResUNet++", "Jha 2019", 16, 8, 8, "glioseg.networks.resunet_pp:ResUNetPP"),
}


def build_network(name: str, width: int | None = None) -> "nn.Module":
    """Build a network with fresh weights.

    Args:
        name: A name of the table.
        width: Channels of the first level; the published width if None.

    Raises:
        GliosegError: If the table has no such name, the message offers the nearest; or if the width is too small.
    """
    entry = find_network(name)
    width = entry.published_width if width is None else width
    if width < entry.least_width:
        raise GliosegError(
            f"{entry.title} cannot be built with width {width}",
            expected=f"at least {entry.least_width}, below which a block would have no channel left",
            remedy=f"Use a width between {entry.least_width} and the published {entry.published_width}",
        )
    module, _, class_name = entry.location.partition(":")
    network: nn.Module = getattr(import_module(module), class_name)(width)
    return network


def find_network(name: str) -> NetworkEntry:
    """The table's entry of that name.

    Raises:
        GliosegError: If the table has no such name; the message offers the nearest.
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
