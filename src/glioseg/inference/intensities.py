"""Intensities of any scanner or archive, brought to the range of the dataset's images.

The networks normalise by mean and deviation, so that scale and offset are free; but which voxels are head is told by a
threshold on intensities between 0 and 255.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from glioseg.head import FOREGROUND_THRESHOLD
from glioseg.machine import side_by_side
from glioseg.volume import Volume, Voxels, filled_by_flair, joined

BRIGHTEST = 255.0
FAINTEST_PICTURE = 64.0
"""A FLAIR between 0 and 255 is in the range already if its brightest voxel exceeds this and its darkest is not head."""
FAINTEST_HEAD = 15.0
"""Where intensities may be negative, the head's begin here, so that none falls below the threshold."""
BACKGROUND_SHARE = 0.02
"""Voxels below this share of the brightest count as background."""
RINGING_SHARE = 0.15
"""Of the range from the background to the brightest: what lies less far below the background is noise, or the ringing
of an interpolation. Of a head normalised to zero mean, the darkest lie half as far below as the brightest above."""
HOT_PERCENTILE, HOT_RATIO = 99.9, 5.0
"""Voxels that lie farther above the darkest than this many times the percentile are hot: defects, no part of the head.
The brightest of eleven scans of other archives and two samples lie at 1.2 to 2.4 times."""


@dataclass(frozen=True)
class Scaling:
    """How the intensities of one sequence come to the dataset's range.

    Attributes:
        factor: What they are multiplied by, or None.
        offset: What is taken off before, and what lies below it is 0; or None.
        border: What lies at the image's border and is background, where the head's intensities lie on both sides of it
            or far from it; else None.
        low: The intensity that comes to where the head begins, likewise.
        high: The intensity that comes to :data:`BRIGHTEST`, likewise.
        ceiling: What a few hot voxels are brought down to before all else, or None where there are none.
    """

    factor: float | None = None
    offset: float | None = None
    border: float | None = None
    low: float = 0.0
    high: float = 1.0
    ceiling: float | None = None

    def scaled(self, values: Voxels) -> Voxels:
        """Some of the sequence's voxels; the very array where they lie in the range already."""
        values = _below(values, self.ceiling)
        if self.border is not None:
            return self._around_zero(values)
        if self.offset is not None:
            values = np.maximum(values - np.float32(self.offset), 0)
        return values if self.factor is None else np.multiply(values, np.float32(self.factor), dtype=np.float32)

    def _around_zero(self, values: Voxels) -> NDArray[np.float32]:
        """What equals the image's border is background, the rest is spread above it."""
        head = values != np.float32(self.border)
        spread = (values - self.low) / max(self.high - self.low, 1e-6) * (BRIGHTEST - FAINTEST_HEAD)
        return np.where(head, np.maximum(spread, 0) + FAINTEST_HEAD, 0).astype(np.float32)


def find_scaling(volume: Volume) -> dict[str, Scaling]:
    """By sequence, how its intensities come to lie between 0 and about 255; those that lie there already stay.

    Background comes to 0 also in scans that were normalised to zero mean, as archives of features hold them. A scan is
    scaled where a part of it is looked at: a large one counts in memory.
    """
    own = volume.taken
    if volume.voxels.dtype == np.uint8:
        return dict.fromkeys(volume.channels, Scaling())
    ranges = dict(zip(own, side_by_side(lambda sequence: _range(volume.channel(sequence)), own), strict=True))
    if _is_in_range(ranges):
        scaling = [Scaling(ceiling=ranges[sequence].ceiling) for sequence in own]
    else:
        scaling = side_by_side(lambda sequence: _scaling_of(volume.channel(sequence), ranges[sequence]), own)
    found = filled_by_flair(dict(zip(own, scaling, strict=True)), volume.channels)
    return dict(zip(volume.channels, found, strict=True))


def to_dataset_range(volume: Volume) -> Volume:
    """A scan with all of its intensities in the range that :func:`find_scaling` brings them to."""
    scaling = find_scaling(volume)
    if all(one == Scaling() for one in scaling.values()):
        return volume
    scaled = {sequence: scaling[sequence].scaled(volume.channel(sequence)) for sequence in volume.taken}
    return replace(volume, voxels=joined(filled_by_flair(scaled, volume.channels)))


class _Range(NamedTuple):
    """The darkest and the brightest voxel, hot ones apart; and the latter again where there are hot ones."""

    darkest: float
    brightest: float
    ceiling: float | None = None


def _range(values: Voxels) -> _Range:
    darkest, brightest = float(values.min()), float(values.max())
    # A quarter of the voxels tells as well as all.
    seen = values[:, ::2, ::2]
    bright = np.count_nonzero(seen > np.float32(darkest + (brightest - darkest) / HOT_RATIO))
    # The percentile, which takes longer, lies above that where enough voxels do.
    if bright > (1 - HOT_PERCENTILE / 100) * seen.size + 1:
        return _Range(darkest, brightest)
    usual = float(np.percentile(seen, HOT_PERCENTILE)) - darkest
    if usual <= 0 or brightest - darkest <= HOT_RATIO * usual:
        return _Range(darkest, brightest)
    ceiling = float(values[values <= darkest + HOT_RATIO * usual].max())
    return _Range(darkest, ceiling, ceiling)


def _below(values: Voxels, ceiling: float | None) -> Voxels:
    return values if ceiling is None else np.minimum(values, np.float32(ceiling))


def _is_in_range(ranges: Mapping[str, _Range]) -> bool:
    inside = all(one.darkest >= 0 and one.brightest <= BRIGHTEST for one in ranges.values())
    flair = ranges["flair"]
    return inside and flair.darkest <= FOREGROUND_THRESHOLD and flair.brightest > FAINTEST_PICTURE


def _scaling_of(values: Voxels, found: _Range) -> Scaling:
    values = _below(values, found.ceiling)
    return replace(_scaling_without_hot(values, found.darkest, found.brightest), ceiling=found.ceiling)


def _scaling_without_hot(values: Voxels, darkest: float, brightest: float) -> Scaling:
    if darkest < 0:
        return _scaling_around_border(values, brightest)
    if darkest > BACKGROUND_SHARE * brightest:
        return _scaling_above(values, darkest, brightest)
    return Scaling(factor=_factor(values, brightest))


def _scaling_around_border(values: Voxels, brightest: float) -> Scaling:
    border = np.float32(np.median(np.concatenate([values[:, [0, -1]].ravel(), values[:, :, [0, -1]].ravel()])))
    others = values[values != border]
    if not others.size:
        return Scaling(border=float(border))
    low, high = map(float, np.percentile(others, [0.1, 99.9]))
    if abs(low - border) <= RINGING_SHARE * (high - border):
        return _scaling_above(values, float(border), brightest)
    return Scaling(border=float(border), low=low, high=high)


def _scaling_above(values: Voxels, background: float, brightest: float) -> Scaling:
    above = values[values > np.float32(background)] - np.float32(background)
    return Scaling(factor=_factor(above, brightest - background), offset=background)


def _factor(values: Voxels, brightest: float) -> float:
    bright = values[values > np.float32(BACKGROUND_SHARE * brightest)]
    return BRIGHTEST / (float(np.percentile(bright, 99.9)) if bright.size else 1.0)
