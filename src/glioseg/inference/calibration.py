"""Probabilities that mean what they say: the temperature that training leaves to be found (Guo 2017, section 4.2)."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

_SMALLEST = 1e-6


def calibrated(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Divide the logits of probabilities by a temperature.

    The order of voxels stays, so that no mask changes whose threshold moves along. What was not computed stays 0.

    Args:
        probabilities: Any shape, 0 to 1.
        temperature: Above 1 makes them less sure, below 1 surer.
    """
    if temperature == 1:
        return probabilities
    # In its place throughout: a scan of many slices counts in memory.
    moved = np.clip(probabilities, _SMALLEST, 1 - _SMALLEST, dtype=np.float32)
    logit(moved, out=moved)
    moved /= np.float32(temperature)
    expit(moved, out=moved)
    moved[probabilities <= 0] = 0
    return moved
