"""Intensities as the networks see them: the same arithmetic in training and in use.

A scanner gives arbitrary units, so each sequence of each patient is brought to zero mean and unit deviation over
the head, over the whole volume: slice by slice it would amplify the noise of slices that hold little brain.
"""

from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from glioseg.head import HEAD_ABOVE
from glioseg.inference.binning import Binning
from glioseg.volume import Volume

if TYPE_CHECKING:
    from torch import Tensor

Pictures = TypeVar("Pictures", "NDArray[np.float32]", "Tensor")


class Preprocessing(BaseModel):
    """How a slice becomes what a network sees; part of a bundle's contract.

    Attributes:
        method: The z-score over the head's voxels, the only one so far.
        head_above: Voxels whose FLAIR lies above this belong to the head (intensity of the 0..255 range).
        clip_percentile: Intensities above this percentile of the head are clipped (percent).
        binning: Pixels along rows and columns that the network sees as one, their mean: 1 or 2.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["zscore"] = "zscore"
    head_above: float = Field(HEAD_ABOVE, ge=0, allow_inf_nan=False)
    clip_percentile: float = Field(99.5, gt=50, le=100)
    binning: Binning = 1


def intensity_statistics(volume: Volume, settings: Preprocessing) -> NDArray[np.float32]:
    """What normalisation needs to know of a scan.

    Returns:
        Shape (channel, 3): mean, standard deviation and upper limit of each sequence over the head's voxels, the
        first two after clipping. A scan without any head voxel gives (0, 1, 255).
    """
    head = volume.channel("flair") > settings.head_above
    rows = [_channel_statistics(volume.voxels[..., channel][head], settings) for channel in range(len(volume.channels))]
    return np.array(rows, np.float32)


def clip_and_normalise(images: Pictures, statistics: Pictures) -> Pictures:
    """Bring intensities to zero mean and unit deviation.

    Written for arrays and tensors alike, so that use needs no PyTorch and does what training does.

    Args:
        images: Shape (slice, channel, row, column), float32.
        statistics: Shape (slice, channel, 3) or (channel, 3), from :func:`intensity_statistics`.

    Returns:
        The same shape and kind.
    """
    mean, deviation, limit = (statistics[..., part, None, None] for part in range(3))
    return (images.clip(max=limit) - mean) / deviation


def _channel_statistics(
    values: NDArray[np.uint8] | NDArray[np.float32], settings: Preprocessing
) -> tuple[float, float, float]:
    if values.size == 0:
        return 0.0, 1.0, 255.0
    limit = float(np.percentile(values, settings.clip_percentile))
    clipped = np.minimum(values.astype(np.float32), limit)
    return float(clipped.mean()), max(float(clipped.std()), 1e-3), limit
