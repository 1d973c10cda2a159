"""The networks, one file each, and the table of their names.

Every network is a ``torch.nn.Module`` that takes intensities (slice, channel, row, column) of any size and
returns logits (slice, 1, row, column) of the same size. ResUNet-a has three maps more, which its training asks for
by ``forward_all``. Importing this package imports no torch.
"""

from glioseg.networks.table import NETWORKS, NetworkCost, NetworkEntry, build_network, cost_of, find_network

__all__ = ["NETWORKS", "NetworkCost", "NetworkEntry", "build_network", "cost_of", "find_network"]
