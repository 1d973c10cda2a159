"""How large the square is that a network learns from, and is later shown again."""

import math

from glioseg.networks.table import find_network
from glioseg.training.config import TrainingConfig


def crop_px(config: TrainingConfig, *, coarse: bool = False) -> int:
    """Rows and columns that the network computes for a crop: what it would pad shows the slice instead.

    Args:
        config: Every setting.
        coarse: In the first part of the budget, at half the resolution.
    """
    multiple = find_network(config.network.name).size_multiple
    pixels = round(config.sampling.crop_size / crop_downsampling(config, coarse=coarse))
    return math.ceil(pixels / multiple) * multiple


def crop_downsampling(config: TrainingConfig, *, coarse: bool = False) -> int:
    """Pixels of the slice, along rows and columns, that are one in a crop."""
    return config.preprocessing.downsampling_factor * (2 if coarse else 1)
