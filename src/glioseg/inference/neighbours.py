"""A slice's probabilities together with those of the slices beside it: a network that sees one slice at a time finds
specks in one and holes in another that a tumour, which goes on through the slices, does not have.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def with_neighbours(probabilities: NDArray[np.float32], weight: float) -> NDArray[np.float32]:
    """The weighted mean of each slice and the two beside it; the first and the last count as their own neighbours.

    Args:
        probabilities: Shape (slice, row, column), slices in the order of their places.
        weight: Of each neighbour, 0 to below a third; the slice itself has the rest.

    Returns:
        Shape as given, float32; the very array where the weight is 0.
    """
    if weight == 0:
        return probabilities
    mean: NDArray[np.float32] = ndimage.convolve1d(probabilities, [weight, 1 - 2 * weight, weight], 0, mode="nearest")
    return mean
