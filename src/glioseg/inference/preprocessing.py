"""Intensities as the networks see them: the same arithmetic in training and in use.

A scanner gives arbitrary units, so each sequence of each patient is brought to zero mean and unit deviation over
the head, over the whole volume: slice by slice it would amplify the noise of slices that hold little brain.

Pixels may be seen by twos, as detectors bin them: half the resolution shows a hand-drawn contour on interpolated slices
nearly as well as the full one does, at a quarter of the arithmetic; docs/results.md has the measurement.
"""

from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from glioseg.former_names import with_present_names
from glioseg.head import FOREGROUND_THRESHOLD
from glioseg.machine import side_by_side
from glioseg.volume import CHANNELS, Volume, filled_by_flair

if TYPE_CHECKING:
    from torch import Tensor

DownsamplingFactor = Literal[1, 2]
Images = TypeVar("Images", "NDArray[np.float32]", "Tensor")


class Preprocessing(BaseModel):
    """How a slice becomes what a network sees; part of a bundle's contract.

    Attributes:
        method: The z-score over the head's voxels, the only one so far.
        clip_percentile: Intensities above this percentile of the head are clipped (percent).
        downsampling_factor: Pixels along rows and columns that the network sees as one, their mean: 1 or 2.
        context: Slices to either side that the network sees beside a slice, as further channels: 0 or 1. Beyond the
            first and the last slice of a scan that slice itself is repeated.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["zscore"] = "zscore"
    clip_percentile: float = Field(99.5, gt=50, le=100)
    downsampling_factor: DownsamplingFactor = 1
    context: Literal[0, 1] = 0

    @property
    def input_channels(self) -> int:
        """Channels that the network sees: those of the slice, of the slice before it and of the one after it."""
        return len(CHANNELS) * (1 + 2 * self.context)

    @model_validator(mode="before")
    @classmethod
    def _as_now(cls, content: Any) -> Any:
        return without_head_threshold(with_present_names(content))


def without_head_threshold(content: Any) -> Any:
    """Settings without ``head_above``, which files of older versions hold; it was always :data:`FOREGROUND_THRESHOLD`.

    Another value is left in its place, to be refused as an unknown setting.
    """
    if isinstance(content, dict) and content.get("head_above") == FOREGROUND_THRESHOLD:
        return {name: value for name, value in content.items() if name != "head_above"}
    return content


def slices_seen(slices: NDArray[np.int64], first: int, last: int, context: int) -> NDArray[np.int64]:
    """The slices that a network sees for each slice: itself, then those before it, then those after it.

    Args:
        slices: Numbers of slices of one scan.
        first: Number of the scan's first slice; what would lie before it is that slice again.
        last: Number of its last slice, likewise.
        context: Slices to either side.

    Returns:
        Shape (slice, 1 + 2 context).
    """
    beside = range(1, context + 1)
    offsets = np.array([0, *(-distance for distance in beside), *beside])
    return np.clip(slices[:, None] + offsets, first, last)


def intensity_statistics(volume: Volume, settings: Preprocessing) -> NDArray[np.float32]:
    """What normalisation needs to know of a scan.

    Returns:
        Shape (channel, 3): mean, standard deviation and upper limit of each sequence over the head's voxels, the
        first two after clipping. A scan without any head voxel gives (0, 1, 255).
    """
    head = volume.channel("flair") > FOREGROUND_THRESHOLD

    def statistics(sequence: str) -> tuple[float, float, float]:
        return _channel_statistics(volume.channel(sequence)[head], settings)

    taken = dict(zip(volume.taken, side_by_side(statistics, volume.taken), strict=True))
    return np.array(filled_by_flair(taken, volume.channels), np.float32)


def clip_and_normalise(images: Images, statistics: Images) -> Images:
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


def downsample(images: NDArray[np.float32], downsampling_factor: DownsamplingFactor) -> NDArray[np.float32]:
    """Squares of pixels become their mean; an odd last row or column counts twice.

    Args:
        images: Shape (slice, channel, row, column).
        downsampling_factor: Pixels along rows and columns that become one.

    Returns:
        Shape (slice, channel, row / downsampling, column / downsampling), rounded up.
    """
    if downsampling_factor == 1:
        return images
    rows, columns = images.shape[-2:]
    even = np.pad(images, ((0, 0), (0, 0), (0, rows % 2), (0, columns % 2)), mode="edge")
    mean: NDArray[np.float32] = (
        even[..., ::2, ::2] + even[..., 1::2, ::2] + even[..., ::2, 1::2] + even[..., 1::2, 1::2]
    ) / np.float32(4)
    return mean


def upsample(
    probabilities: NDArray[np.float32], downsampling_factor: DownsamplingFactor, rows: int, columns: int
) -> NDArray[np.float32]:
    """Probabilities on the slices' own grid again, linear between the middles of the squares.

    Args:
        probabilities: Shape (slice, row, column), of downsampled images.
        downsampling_factor: As for :func:`downsample`.
        rows: Rows of the slices.
        columns: Their columns.

    Returns:
        Shape (slice, rows, columns).
    """
    if downsampling_factor == 1:
        return probabilities
    spread = np.empty((len(probabilities), rows, columns), np.float32)
    # Slice by slice, which stays in the cache; in float64 the sums are exact, and rounded once.
    for out, image in zip(spread, probabilities, strict=True):
        out[:] = _twice_as_wide(_twice_as_high(image.astype(np.float64)))[:rows, :columns]
    return spread


def _twice_as_high(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row becomes two, a quarter of the way to either neighbour; the first and the last are their own."""
    own, beside = image * 0.75, np.pad(image * 0.25, ((1, 1), (0, 0)), mode="edge")
    high = np.empty((2 * len(image), image.shape[1]))
    np.add(own, beside[:-2], out=high[::2])
    np.add(own, beside[2:], out=high[1::2])
    return high


def _twice_as_wide(image: NDArray[np.float64]) -> NDArray[np.float32]:
    """The same of columns, not by the transposed image, which would cost twice as much."""
    own, beside = image * 0.75, np.pad(image * 0.25, ((0, 0), (1, 1)), mode="edge")
    wide = np.empty((len(image), 2 * image.shape[1]), np.float32)
    np.add(own, beside[:, :-2], out=wide[:, ::2], casting="same_kind")
    np.add(own, beside[:, 2:], out=wide[:, 1::2], casting="same_kind")
    return wide


def _channel_statistics(
    values: NDArray[np.uint8] | NDArray[np.float32], settings: Preprocessing
) -> tuple[float, float, float]:
    if values.size == 0:
        return 0.0, 1.0, 255.0
    limit = float(np.percentile(values, settings.clip_percentile))
    clipped = np.minimum(values.astype(np.float32, copy=False), np.float32(limit))
    return float(clipped.mean()), max(float(clipped.std()), 1e-3), limit
