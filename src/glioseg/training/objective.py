"""What a network is trained to do well: the loss of a batch."""

from torch import Tensor, nn

from glioseg.training.devices import gathered, own_part
from glioseg.training.losses import dice_with_cross_entropy
from glioseg.training.tanimoto import multitask_loss

MULTITASK = "forward_all"
"""The method by which a network answers with the maps of all its tasks."""


def is_multitask(network: nn.Module) -> bool:
    """Whether the network has tasks beside the segmentation, which its paper trains it on together."""
    return hasattr(network, MULTITASK)


def batch_loss(network: nn.Module, images: Tensor, target: Tensor) -> Tensor:
    """The loss that training minimises: of the network's own paper where that has several tasks.

    Args:
        network: As the table of networks builds it.
        images: Normalised intensities, shape (slice, channel, row, column).
        target: Masks, 0 or 1, shape (slice, 1, row, column).

    Returns:
        A float32 scalar.
    """
    mine = own_part(images)
    if is_multitask(network):
        maps = getattr(network, MULTITASK)(mine)
        return multitask_loss(type(maps)(*map(gathered, maps)), target, images)
    return dice_with_cross_entropy(gathered(network(mine)), target)
