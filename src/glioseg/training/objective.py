"""What a network is trained to do well: the loss of a batch."""

from torch import Tensor, nn

from glioseg.training.losses import dice_with_cross_entropy


def batch_loss(network: nn.Module, images: Tensor, target: Tensor) -> Tensor:
    """The loss that training minimises.

    Args:
        network: As the table of networks builds it.
        images: Normalised intensities, shape (slice, channel, row, column).
        target: Masks, 0 or 1, shape (slice, 1, row, column).

    Returns:
        A float32 scalar.
    """
    return dice_with_cross_entropy(network(images), target)
