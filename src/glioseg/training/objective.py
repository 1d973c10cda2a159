"""What a network is trained to do well: the loss of a batch."""

from torch import Tensor, nn

from glioseg.errors import BadOptionError
from glioseg.training.devices import gathered, own_part
from glioseg.training.losses import REGION_LOSSES, RegionLoss, region_and_cross_entropy, soft_dice_loss
from glioseg.training.tanimoto import multitask_loss

MULTITASK = "forward_all"
"""The method by which a network answers with the maps of all its tasks."""


def is_multitask(network: nn.Module) -> bool:
    """Whether the network has tasks beside the segmentation, which its paper trains it on together."""
    return hasattr(network, MULTITASK)


def find_region_loss(name: str, network: nn.Module) -> RegionLoss:
    """The loss that ``optimisation.region_loss`` names.

    Raises:
        BadOptionError: If the network has a loss of its own, which would leave the setting without effect.
    """
    if is_multitask(network) and name != "dice":
        raise BadOptionError(
            f"optimisation.region_loss={name} has no effect on {type(network).__name__}",
            expected="a network with one task",
            remedy="Leave the setting out: this network is trained by the loss of its paper",
        )
    return REGION_LOSSES[name]


def batch_loss(network: nn.Module, images: Tensor, target: Tensor, region_loss: RegionLoss = soft_dice_loss) -> Tensor:
    """The loss that training minimises: of the network's own paper where that has several tasks.

    Args:
        network: As the table of networks builds it.
        images: Normalised intensities, shape (slice, channel, row, column).
        target: Masks, 0 or 1, shape (slice, 1, row, column).
        region_loss: What is added to cross-entropy; a network with several tasks has a loss of its own.

    Returns:
        A float32 scalar.
    """
    mine = own_part(images)
    if is_multitask(network):
        maps = getattr(network, MULTITASK)(mine)
        return multitask_loss(type(maps)(*map(gathered, maps)), target, images)
    return region_and_cross_entropy(gathered(network(mine)), target, region_loss)
