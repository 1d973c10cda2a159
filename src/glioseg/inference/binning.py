"""Pixels seen by twos, as detectors bin them: a quarter of the arithmetic, and twice the view for each layer.

Half the resolution shows a hand-drawn outline on interpolated slices nearly as well as the full one does, so that
a network that is slow, or is given little time, sees four times the slices; docs/results.md has the measurement.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

Binning = Literal[1, 2]


def binned(images: NDArray[np.float32], binning: Binning) -> NDArray[np.float32]:
    """Squares of pixels become their mean; an odd last row or column counts twice.

    Args:
        images: Shape (slice, channel, row, column).
        binning: Pixels along rows and columns that become one.

    Returns:
        Shape (slice, channel, row / binning, column / binning), rounded up.
    """
    if binning == 1:
        return images
    rows, columns = images.shape[-2:]
    even = np.pad(images, ((0, 0), (0, 0), (0, rows % 2), (0, columns % 2)), mode="edge")
    mean: NDArray[np.float32] = (
        even[..., ::2, ::2] + even[..., 1::2, ::2] + even[..., ::2, 1::2] + even[..., 1::2, 1::2]
    ) / np.float32(4)
    return mean


def unbinned(probabilities: NDArray[np.float32], binning: Binning, rows: int, columns: int) -> NDArray[np.float32]:
    """Probabilities on the slices' own grid again, linear between the middles of the squares.

    Args:
        probabilities: Shape (slice, row, column), of binned images.
        binning: As for :func:`binned`.
        rows: Rows of the slices.
        columns: Their columns.

    Returns:
        Shape (slice, rows, columns).
    """
    if binning == 1:
        return probabilities
    spread = zoom(probabilities, (1, binning, binning), order=1, mode="nearest", grid_mode=True)
    return np.ascontiguousarray(spread[:, :rows, :columns])
