"""Intensities of any scanner or archive, brought to the range of the dataset's pictures.

The networks normalise by mean and deviation, so that scale and offset are free; but which voxels are head is told by a
threshold on intensities between 0 and 255.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from glioseg.volume import Volume

BRIGHTEST = 255.0
FAINTEST_PICTURE = 64.0
"""A FLAIR between 0 and 255 whose brightest voxel exceeds this is in the range already."""
FAINTEST_HEAD = 15.0
"""Where intensities may be negative, the head's begin here, so that none falls below the threshold."""
BACKGROUND_SHARE = 0.02
"""Voxels below this share of the brightest count as background."""


def to_dataset_range(volume: Volume) -> Volume:
    """Bring every sequence to intensities between 0 and about 255; what lies there already is left as it is.

    Background comes to 0 also in scans that were normalised to zero mean, as archives of features hold them.
    """
    if volume.voxels.dtype == np.uint8 or _is_in_range(volume):
        return volume
    # Each sequence on its own and straight to its place: a large scan counts in memory.
    scaled = np.empty(volume.voxels.shape, np.float32)
    for channel in range(len(volume.channels)):
        scaled[..., channel] = _scaled(volume.voxels[..., channel].astype(np.float32))
    return replace(volume, voxels=scaled)


def _is_in_range(volume: Volume) -> bool:
    brightest = float(volume.channel("flair").max(initial=0))
    return bool(
        volume.voxels.min(initial=0) >= 0 and volume.voxels.max(initial=0) <= BRIGHTEST and brightest > FAINTEST_PICTURE
    )


def _scaled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    if values.min() < 0:
        return _scaled_around_zero(values)
    bright = values[values > BACKGROUND_SHARE * values.max()]
    top = float(np.percentile(bright, 99.9)) if bright.size else 1.0
    return (values * np.float32(BRIGHTEST / top)).astype(np.float32)


def _scaled_around_zero(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Negative intensities: what equals the picture's border is background, the rest is spread above it."""
    border = np.concatenate([values[:, [0, -1]].ravel(), values[:, :, [0, -1]].ravel()])
    head = values != np.float32(np.median(border))
    if not head.any():
        return np.zeros_like(values)
    low, high = np.percentile(values[head], [0.1, 99.9])
    spread = (values - low) / max(float(high - low), 1e-6) * (BRIGHTEST - FAINTEST_HEAD)
    return np.where(head, np.maximum(spread, 0) + FAINTEST_HEAD, 0).astype(np.float32)
