"""What training minimises: the losses, and the one that belongs to a network.

On logits, always in float32: in bfloat16 a sum over a batch's pixels loses its small terms.
"""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glioseg.errors import BadOptionError
from glioseg.training.devices import gathered, own_slices
from glioseg.training.multitask import multitask_loss


def soft_dice_loss(probabilities: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    """One minus the soft Dice over all elements; ``smooth`` voxels are added to both sides of the fraction."""
    overlap = (probabilities * target).sum()
    return 1 - (2 * overlap + smooth) / (probabilities.sum() + target.sum() + smooth)


def focal_tversky_loss(probabilities: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    """A power of one minus the Tversky index over all elements, to which missed voxels count more than false ones.

    Abraham and Khan, "A Novel Focal Tversky Loss Function with Improved Attention U-Net", ISBI 2019, equations 3 and 4,
    with the paper's weights: 0.7 for false negatives, 0.3 for false positives, 3/4 as the power.
    """
    overlap = (probabilities * target).sum()
    missed, false = target.sum() - overlap, probabilities.sum() - overlap
    return (1 - (overlap + smooth) / (overlap + 0.7 * missed + 0.3 * false + smooth)) ** 0.75


RegionLoss = Callable[[Tensor, Tensor], Tensor]
"""Of probabilities and target, 0 to 1, of the same shape: a scalar, 0 at its best."""

REGION_LOSSES: Mapping[str, RegionLoss] = {"dice": soft_dice_loss, "focal_tversky": focal_tversky_loss}
"""What ``optimisation.region_loss`` may name."""


def region_and_cross_entropy(logits: Tensor, target: Tensor, region_loss: RegionLoss = soft_dice_loss) -> Tensor:
    """A loss of overlap over the whole batch plus binary cross-entropy.

    The sums run over the batch, not over each slice: two thirds of the slices are empty, and a Dice of its own for
    an empty slice is 0 for any prediction above 0 and has next to no gradient. A batch without any tumour
    leaves the Dice term small and the cross-entropy to teach. Dice: Milletari, "V-Net", 3DV 2016, section 3, with
    plain sums in the denominator.

    Args:
        logits: Shape (slice, 1, row, column), any float type.
        target: 0 or 1, same shape.
        region_loss: Soft Dice, or another of :data:`REGION_LOSSES`.

    Returns:
        A float32 scalar, 0 at its best.
    """
    logits, target = logits.float(), target.float()
    return region_loss(torch.sigmoid(logits), target) + F.binary_cross_entropy_with_logits(logits, target)


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
    mine = own_slices(images)
    if is_multitask(network):
        maps = getattr(network, MULTITASK)(mine)
        return multitask_loss(type(maps)(*map(gathered, maps)), target, images)
    return region_and_cross_entropy(gathered(network(mine)), target, region_loss)
