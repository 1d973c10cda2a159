"""Losses on logits, always in float32: in bfloat16 a sum over a batch's pixels loses its small terms."""

import torch
import torch.nn.functional as F
from torch import Tensor


def dice_with_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Soft Dice over the whole batch plus binary cross-entropy.

    The sums run over the batch, not over each slice: two thirds of the slices are empty, and a Dice of its own for
    an empty slice is 0 for any prediction above 0 and has next to no gradient. A batch without any tumour
    leaves the Dice term small and the cross-entropy to teach. Dice: Milletari, "V-Net", 3DV 2016, section 3, with
    plain sums in the denominator.

    Args:
        logits: Shape (slice, 1, row, column), any float type.
        target: 0 or 1, same shape.

    Returns:
        A float32 scalar, 0 at its best.
    """
    logits, target = logits.float(), target.float()
    return soft_dice_loss(torch.sigmoid(logits), target) + F.binary_cross_entropy_with_logits(logits, target)


def soft_dice_loss(probabilities: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    """One minus the soft Dice over all elements; ``smooth`` voxels are added to both sides of the fraction."""
    overlap = (probabilities * target).sum()
    return 1 - (2 * overlap + smooth) / (probabilities.sum() + target.sum() + smooth)
