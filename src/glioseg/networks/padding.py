"""Any size in, the same size out: pad to the multiple a network needs, crop back."""

import torch.nn.functional as F
from torch import Tensor


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Pad rows and columns at their end to the next multiple, repeating the edge.

    The edge is repeated because zero means average tissue after normalisation, not background.

    Args:
        images: Shape (slice, channel, row, column).
        multiple: What rows and columns must be divisible by.

    Returns:
        Shape (slice, channel, padded row, padded column); the input itself where nothing is missing.
    """
    rows, columns = images.shape[-2:]
    missing = (-rows % multiple, -columns % multiple)
    if missing == (0, 0):
        return images
    return F.pad(images, (0, missing[1], 0, missing[0]), mode="replicate")


def crop_to(maps: Tensor, rows: int, columns: int) -> Tensor:
    """Undo :func:`pad_to_multiple`: keep the first rows and columns of (slice, channel, row, column)."""
    return maps if maps.shape[-2:] == (rows, columns) else maps[..., :rows, :columns]
