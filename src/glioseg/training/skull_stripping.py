"""Skull and scalp taken off at random: archives come with or without, and one network should take both.

Either the brain alone is kept, or all that lies deeper than a random distance, so that the network learns no
particular contour. A stripped scan is normalised over what is left, as it would be in use.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glioseg.dataset.head_masks import BRAIN_BIT
from glioseg.head import FOREGROUND_THRESHOLD
from glioseg.inference.preprocessing import Preprocessing
from glioseg.training.config import Augmentation
from glioseg.volume import Volume

BRAIN_SHARE = 0.6
"""Share of the stripped slices in which the brain alone is kept."""


def stripped_statistics(
    volume: Volume, head_masks: NDArray[np.uint8], settings: Preprocessing, deepest_px: int
) -> NDArray[np.float32]:
    """What normalisation needs to know of a scan after stripping, for every way of stripping it.

    Args:
        volume: A stored scan, uint8.
        head_masks: Its depths and brain, from :func:`glioseg.dataset.head_masks.head_masks_of`.
        settings: As for the whole scan.
        deepest_px: The largest distance that may be taken off.

    Returns:
        Shape (1 + deepest_px, channel, 3), float32: mean, deviation and upper limit; the first row for the brain
        alone, row d for all that lies at a depth of d pixels or more.
    """
    head = volume.channel("flair") > FOREGROUND_THRESHOLD
    depth = np.minimum(head_masks & (BRAIN_BIT - 1), deepest_px)[head].astype(np.int64)
    brain = (head_masks & BRAIN_BIT != 0)[head]
    rows = np.empty((1 + deepest_px, len(volume.channels), 3), np.float32)
    for channel in range(len(volume.channels)):
        values = volume.voxels[..., channel][head]
        counts = np.bincount(depth * 256 + values, minlength=(1 + deepest_px) * 256).reshape(-1, 256)
        at_least = counts[::-1].cumsum(axis=0)[::-1]
        at_least[0] = np.bincount(values[brain], minlength=256)
        rows[:, channel] = [_statistics(histogram, settings.clip_percentile) for histogram in at_least]
    return rows


def strip_skulls(
    images: Tensor, head_masks: Tensor, settings: Augmentation, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Blank what is not kept, in some slices of a batch.

    Args:
        images: Shape (slice, seen times channel, row, column), 0 to 255: the slice itself, then those beside it.
        head_masks: Shape (slice, seen, row, column), uint8, from :func:`glioseg.dataset.head_masks.open_head_masks`.
        settings: How often, and how deep.
        generator: The only source of chance; it lies on the batch's device.

    Returns:
        Images, what is kept of the slice itself (slice, 1, row, column), bool, and for each slice which row of
        :func:`stripped_statistics` belongs to it; -1 where nothing was taken off.
    """
    count, device = len(images), images.device
    chance = torch.rand((3, count), device=device, generator=generator)
    low, high = settings.skull_stripping_px
    depth = (low + (chance[2] * (high - low + 1)).floor().clamp(max=high - low)).to(torch.uint8)
    stripped, brain_only = chance[0] < settings.skull_stripping, chance[1] < BRAIN_SHARE
    deep = (head_masks & (BRAIN_BIT - 1)) >= depth[:, None, None, None]
    kept = torch.where(brain_only[:, None, None, None], head_masks >= BRAIN_BIT, deep) | ~stripped[:, None, None, None]
    row = torch.where(brain_only, 0, depth.long())
    channels = images.shape[1] // head_masks.shape[1]
    return images * kept.repeat_interleave(channels, dim=1), kept[:, :1], torch.where(stripped, row, -1)


def _statistics(histogram: NDArray[np.int64], clip_percentile: float) -> tuple[float, float, float]:
    """Mean and deviation after clipping, and the limit, as :func:`intensity_statistics` finds them from voxels."""
    count = int(histogram.sum())
    if count == 0:
        return 0.0, 1.0, 255.0
    place = clip_percentile / 100 * (count - 1)
    below, above = np.searchsorted(histogram.cumsum(), [np.floor(place) + 1, np.ceil(place) + 1])
    limit = float(below + (place - np.floor(place)) * (above - below))
    values = np.minimum(np.arange(256), limit)
    mean = float((histogram * values).sum() / count)
    deviation = float(np.sqrt((histogram * (values - mean) ** 2).sum() / count))
    return mean, max(deviation, 1e-3), limit
