"""The networks, one file each, and the table of their names.

Every network is a ``torch.nn.Module`` that takes intensities (slice, channel, row, column) of any size and
returns logits (slice, 1, row, column) of the same size.
"""

from glioseg.networks.table import NETWORKS, build_network

__all__ = ["NETWORKS", "build_network"]
