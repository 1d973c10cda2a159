"""A network that needs no weights."""

import numpy as np


class BrightFlair:
    """A backend that says tumour where the normalised FLAIR lies above a level."""

    name, device, precision = "torch", "test", "32"

    def __init__(self, level: float) -> None:
        self.level = level

    def logits(self, images: np.ndarray) -> np.ndarray:
        return 4 * (images[:, 1:2] - self.level)
