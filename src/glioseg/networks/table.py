"""The table of networks: one name, one builder, the width its paper uses."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from torch import nn

from glioseg.errors import GliosegError
from glioseg.networks.unet import UNet


@dataclass(frozen=True)
class NetworkEntry:
    """What is known of a network before it is built.

    Attributes:
        title: Its name in tables and figures.
        paper: Where it was published.
        published_width: The width at which the paper's parameter count holds.
        size_multiple: What rows and columns are padded to.
        build: From a width to the network with fresh weights.
    """

    title: str
    paper: str
    published_width: int
    size_multiple: int
    build: Callable[[int], nn.Module]


NETWORKS: dict[str, NetworkEntry] = {
    "unet": NetworkEntry("U-Net", "Ronneberger 2015; variant of Buda 2019", 32, UNet.size_multiple, UNet),
}


def build_network(name: str, width: int | None = None) -> nn.Module:
    """Build a network with fresh weights.

    Args:
        name: A name of the table.
        width: Channels of the first level; the published width if None.

    Raises:
        GliosegError: If the table has no such name; the message offers the nearest.
    """
    if name not in NETWORKS:
        near = get_close_matches(name, NETWORKS, n=1)
        raise GliosegError(
            f"there is no network {name!r}",
            expected=f"one of {', '.join(NETWORKS)}",
            remedy=f"Did you mean {near[0]!r}" if near else None,
        )
    entry = NETWORKS[name]
    return entry.build(width or entry.published_width)
