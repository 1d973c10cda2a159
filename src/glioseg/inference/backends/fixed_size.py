"""Slices of any smaller size for an exported model, whose rows and columns are fixed."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from glioseg.errors import GliosegError

Compute = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def at_fixed_size(
    compute: Compute,
    images: NDArray[np.float32],
    size: tuple[int, int] | None,
    downsampling_factor: int,
    folder: object,
) -> NDArray[np.float32]:
    """Pad to the model's size, compute, crop back.

    The edge is repeated because zero means average tissue after normalisation, not background.

    Args:
        compute: Images of the model's size to logits.
        images: Shape (slice, channel, row, column).
        size: Rows and columns that the model takes; None if any.
        downsampling_factor: Pixels of a slice along rows and columns that became one, for the message.
        folder: The bundle, for the message.

    Returns:
        Shape (slice, 1, row, column).

    Raises:
        GliosegError: If the images are larger.
    """
    if size is None:
        return compute(images)
    rows, columns = images.shape[-2:]
    missing = (size[0] - rows, size[1] - columns)
    if min(missing) < 0:
        raise GliosegError(
            f"the slices are too large for the exported model {folder}",
            expected=f"at most {size[0] * downsampling_factor} x {size[1] * downsampling_factor} pixels",
            found=f"{rows * downsampling_factor} x {columns * downsampling_factor}",
            remedy=f"Export it again with --size {max(rows, columns) * downsampling_factor}, or use the backend torch",
        )
    return compute(padded_to(images, size))[..., :rows, :columns]


def padded_to(images: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Repeat the last row and column until images (slice, channel, row, column) have the size."""
    rows, columns = images.shape[-2:]
    if (rows, columns) == size:
        return images
    return np.pad(images, ((0, 0), (0, 0), (0, size[0] - rows), (0, size[1] - columns)), mode="edge")
