"""Scans as the page gets them: raw voxels on the scan's own grid, a window to begin with, and small images."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glioseg.display import PREDICTION_COLOUR, to_grey
from glioseg.report.contact_sheet import DARKEST_OF_HEAD, brain_window
from glioseg.report.overlay import head_box
from glioseg.space.axial import axial_view, to_axial
from glioseg.volume import Volume

NAMES = {"flair": "FLAIR", "pre": "T1", "post": "T1 post"}
THUMBNAIL_PX = 128
PROBABILITY_STEPS = 200
"""Of which each position of the page's slider, in hundredths, is one."""

# Of a step: in float32 0.29 is a little less than 58 steps.
_ROUNDING = 1e-3
_WHOLE = (np.dtype("<i2"), np.dtype("<u2"))


@dataclass(frozen=True)
class Sequence:
    """One sequence; a voxel's intensity is stored * slope + intercept.

    Attributes:
        channel: As in :data:`glioseg.volume.CHANNELS`.
        stored: Shape (slice, row, column), uint8, int16 or uint16, little endian.
        slope: See above.
        intercept: See above.
        window: Intensities shown as black and as white.
        copy_of_flair: Whether the sequence was not taken, and the FLAIR stands in its place.
    """

    channel: str
    stored: NDArray[Any]
    slope: float
    intercept: float
    window: tuple[float, float]
    copy_of_flair: bool

    def as_json(self) -> dict[str, Any]:
        """What the page asks before the voxels: name, type, scale, window, whether it is a copy of the FLAIR."""
        return {
            "channel": self.channel,
            "name": NAMES.get(self.channel, self.channel),
            "dtype": self.stored.dtype.name,
            "slope": self.slope,
            "intercept": self.intercept,
            "window": self.window,
            "copy_of_flair": self.copy_of_flair,
        }


def sequences_of(volume: Volume) -> tuple[Sequence, ...]:
    """The sequences of a scan, the FLAIR first."""
    missing = volume.missing
    channels = sorted(volume.channels, key=lambda channel: channel != "flair")
    return tuple(_sequence(channel, volume.channel(channel), channel in missing) for channel in channels)


def as_steps(probabilities: NDArray[np.float32]) -> NDArray[np.uint8]:
    """How many whole steps a probability has reached: it has reached a threshold if its steps have."""
    steps = np.clip(probabilities, 0, 1)
    steps *= np.float32(PROBABILITY_STEPS)
    steps += np.float32(_ROUNDING)
    return steps.astype(np.uint8)


def thumbnail(
    flair: Sequence,
    mask: NDArray[np.bool_],
    affine: NDArray[np.float64] | None,
    candidate: NDArray[np.bool_] | None = None,
) -> bytes:
    """The axial slice with most tumour, or most of a candidate, or the middle one, with the tumour's edge: PNG."""
    view = axial_view(affine)
    tumour, slices = to_axial(mask, view), to_axial(flair.stored, view)
    areas = (tumour if candidate is None else to_axial(candidate, view)).sum(axis=(1, 2))
    place = int(areas.argmax()) if areas.any() else len(areas) // 2
    real = slices[place].astype(np.float32) * np.float32(flair.slope) + np.float32(flair.intercept)
    grey = to_grey(real, flair.window)
    shown = np.repeat(grey[..., None], 3, axis=2)
    shown[_edge(tumour[place])] = PREDICTION_COLOUR
    image = Image.fromarray(shown[head_box(grey > DARKEST_OF_HEAD, tumour[place])])
    image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def _sequence(channel: str, voxels: NDArray[Any], copy_of_flair: bool) -> Sequence:
    stored, slope, intercept = _stored(voxels)
    # A quarter of the pixels tells the window as well as all of them.
    dark, bright = brain_window(voxels[:, ::2, ::2])
    return Sequence(channel, stored, slope, intercept, (float(dark), float(bright)), copy_of_flair)


def _stored(voxels: NDArray[Any]) -> tuple[NDArray[Any], float, float]:
    """Two bytes a voxel at most: whole numbers as they are, others in 65536 steps, which no screen can show."""
    if voxels.dtype == np.uint8:
        return np.ascontiguousarray(voxels), 1.0, 0.0
    low, high = float(voxels.min()), float(voxels.max())
    for kind in _WHOLE:
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            whole = voxels.astype(kind, order="C")
            if np.array_equal(whole, voxels):
                return whole, 1.0, 0.0
    slope = (high - low) / 65535 or 1.0
    return np.rint((voxels - np.float32(low)) / np.float32(slope)).clip(0, 65535).astype("<u2", order="C"), slope, low


def _edge(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    padded = np.pad(inside, 1)
    core = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return inside & ~core
