"""How large a head is in its images, how large its brain, and whether skull and scalp are there at all."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glioseg.errors import GliosegError
from glioseg.head import FOREGROUND_THRESHOLD, no_head
from glioseg.head.brain import brain_mask
from glioseg.head.depth import head_depth_px
from glioseg.machine import side_by_side
from glioseg.space.interpolation import interpolated, neighbours
from glioseg.volume import Volume, filled_by_flair, joined

MEASURED_ROWS_PX = 232
"""Rows that the head is brought to before it is measured: the dataset's median, for which the depths are meant."""
LARGEST_PX = 512
"""Images that would become larger than this, of heads that fill little of them, are cut to the head."""
LONGEST_SIDE = 3.0
"""Nothing so many times as high as it is wide, or the reverse, is a head."""
MEASURED = ("pre", "flair")
"""Sequences by which a brain is found."""
MEASURED_SLICES = 40
"""Slices that are looked at, evenly spaced: what is sought is centimetres large."""
SCALP_PX, SKULL_PX, INSIDE_PX = (2, 9), (9, 20), (20, 31)
"""Depths at which scalp, skull and brain are sought. Nearer to the edge a dark ring may be the fluid around a brain
that was cut out generously."""
STRIPPED_RIM, WHOLE_RIM = 1.42, 1.55
"""Scalp is brighter than the second share of the inside; the rim of a stripped brain stays below the first."""
STRIPPED_RING, WHOLE_RING = 0.78, 0.7
"""Skull is darker than the second share of the inside; a stripped brain has nothing below the first there."""
PLAUSIBLE_BRAIN_ROWS = (0.6, 1.0)
"""A brain of another share of the head's rows was not found; then the median share stands for it."""
BRAIN_TO_HEAD = 0.86
"""Median share of the head's rows that a brain of the dataset fills."""

Box = tuple[tuple[float, float], tuple[float, float]]
"""First and last row, first and last column."""
Covering = Literal["whole", "stripped", "unsure"]
"""A head with skull and scalp, without, or one that may be either."""


@dataclass(frozen=True)
class HeadBoundingBox:
    """What was measured of a head in the axial view.

    Attributes:
        brain_rows: Rows from the foremost to the hindmost part of the brain, in pixels of the scan.
        centre: Row and column of the brain's middle.
        head: First and last row, first and last column of the head.
        covering: Whether skull and scalp are there.
    """

    brain_rows: float
    centre: tuple[float, float]
    head: Box
    covering: Covering


def head_bounding_box(volume: Volume, row_to_column: float = 1.0) -> HeadBoundingBox:
    """Measure a head.

    Args:
        volume: In the axial view, intensities between 0 and 255.
        row_to_column: The distance between rows over that between columns.

    Raises:
        GliosegError: If the FLAIR shows no head.
    """
    rows, columns = _head_box(volume)
    _check_form(volume, rows, columns, row_to_column)
    scale = (MEASURED_ROWS_PX / (rows[1] - rows[0] + 1),) * 2
    scale = (scale[0], scale[0] / row_to_column)
    small, start = _resized(volume, scale, (rows, columns))
    depth = head_depth_px(small)
    around = covering(small, depth)
    found = []
    if around != "whole":
        found.append(_box(depth > 0))
    if around != "stripped":
        found.append(_plausible(_box(brain_mask(small, depth))))
    placed = [_usual_brain(rows, columns) if box is None else _in_scan(box, start, scale) for box in found]
    # Where it may be either, what lies between both answers is wrong by half of their difference at most.
    (top, bottom), (left, right) = np.mean(placed, axis=0)
    height = min(float(bottom - top), rows[1] - rows[0] + 1)
    return HeadBoundingBox(height, (float(top + bottom) / 2, float(left + right) / 2), (rows, columns), around)


def covering(volume: Volume, depth_px: NDArray[np.uint8]) -> Covering:
    """Whether skull and scalp are there: a bright rim or, deeper, a dark ring along the head's edge.

    Args:
        volume: A head of about :data:`MEASURED_ROWS_PX` rows, intensities between 0 and 255.
        depth_px: From :func:`glioseg.head.depth.head_depth_px`.
    """
    profile = rim_profile(volume, depth_px)
    rim, ring = profile[slice(*SCALP_PX)].max(), profile[slice(*SKULL_PX)].min()
    if rim > WHOLE_RIM or ring < WHOLE_RING:
        return "whole"
    return "stripped" if rim < STRIPPED_RIM and ring > STRIPPED_RING else "unsure"


def rim_profile(volume: Volume, depth_px: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean FLAIR at each depth from 0 to 30 pixels, over that of the inside; of the middle third of the slices."""
    present = np.flatnonzero((depth_px >= INSIDE_PX[0]).any(axis=(1, 2)))
    if not present.size:
        return np.ones(INSIDE_PX[1])
    low, high = np.percentile(present, [40, 75]).astype(int)
    depth, flair = depth_px[low : high + 1], volume.channel("flair")[low : high + 1]
    inside = max(float(np.median(flair[depth >= INSIDE_PX[0]])), 1e-6)
    with np.errstate(invalid="ignore"):
        means = ndimage.mean(flair.astype(np.float64), depth, np.arange(INSIDE_PX[1]))
    return np.nan_to_num(np.asarray(means), nan=1.0) / inside


def _head_box(volume: Volume) -> Box:
    """First and last row and column of what the FLAIR shows, scattered noise left out."""
    head = volume.channel("flair") > FOREGROUND_THRESHOLD
    few = head[:: stride_of(len(head))]
    box = _box(np.array(side_by_side(lambda section: ndimage.binary_opening(section, iterations=2), few)))
    if box is None:
        raise no_head(volume.patient)
    return box


def _box(sections: NDArray[np.bool_]) -> Box | None:
    rows, columns = (np.flatnonzero(sections.any(axis=axes)) for axes in ((0, 2), (0, 1)))
    if not rows.size:
        return None
    return (float(rows[0]), float(rows[-1])), (float(columns[0]), float(columns[-1]))


def _check_form(volume: Volume, rows: tuple[float, float], columns: tuple[float, float], row_to_column: float) -> None:
    height_to_width = (rows[1] - rows[0] + 1) * row_to_column / (columns[1] - columns[0] + 1)
    if not 1 / LONGEST_SIDE <= height_to_width <= LONGEST_SIDE:
        raise GliosegError(
            f"patient {volume.patient}: the FLAIR shows no head",
            expected=f"a head, at most {LONGEST_SIDE:g} times as long as wide in an axial slice",
            found=f"something {height_to_width:.3g} times as long as wide",
            remedy="If it is a head, its spacing is wrong: convert the scan again from DICOM",
        )


def _plausible(box: Box | None) -> Box | None:
    low, high = PLAUSIBLE_BRAIN_ROWS
    if box is None or not low <= (box[0][1] - box[0][0] + 1) / MEASURED_ROWS_PX <= high:
        return None
    return box


def _in_scan(box: Box, start: tuple[int, int], scale: tuple[float, float]) -> Box:
    """First and last row and column at the size of measuring, as edges in the scan about their middle."""
    rows, columns = (
        (first + (low + high - (high - low + 1)) / 2 / step, first + (low + high + (high - low + 1)) / 2 / step)
        for first, (low, high), step in zip(start, box, scale, strict=True)
    )
    return rows, columns


def _usual_brain(rows: tuple[float, float], columns: tuple[float, float]) -> Box:
    """Edges of a brain of the median share of the head's rows, about the head's middle."""
    half = BRAIN_TO_HEAD * (rows[1] - rows[0] + 1) / 2
    middle = (rows[0] + rows[1]) / 2
    return (middle - half, middle + half), columns


def _resized(volume: Volume, scale: tuple[float, float], head: Box) -> tuple[Volume, tuple[int, int]]:
    """A few slices at the size at which heads are measured, and the row and column at which they begin."""
    shape = volume.voxels.shape[1:3]
    rows, columns = (_window(*axis) for axis in zip(head, shape, scale, strict=True))
    few = volume.voxels[:: stride_of(len(volume.voxels)), rows, columns]
    # Image by image, which costs a quarter of what all at once do, and each sequence that was taken once.
    zoomed = {
        sequence: np.array(side_by_side(partial(_zoomed, scale=scale), few[..., volume.channels.index(sequence)]))
        for sequence in MEASURED
        if sequence not in volume.missing
    }
    voxels = joined(filled_by_flair(zoomed, MEASURED))
    small = replace(volume, voxels=voxels, channels=MEASURED, slice_names=(), affine=None)
    return small, (rows.start, columns.start)


def _zoomed(image: NDArray[np.uint8] | NDArray[np.float32], scale: tuple[float, float]) -> NDArray[np.float32]:
    sizes = [(pixels, round(pixels * by)) for pixels, by in zip(image.shape, scale, strict=True)]
    rows, columns = (
        neighbours((np.arange(count) + 0.5) * (pixels / count) - 0.5, pixels, fades=True) for pixels, count in sizes
    )
    return interpolated(image, rows, columns)


def _window(head: tuple[float, float], size: int, scale: float) -> slice:
    """All of an axis, or where that would become too large the head with a third of its length on both sides."""
    if size * scale <= LARGEST_PX:
        return slice(0, size)
    margin = round((head[1] - head[0] + 1) / 3) + 1
    return slice(max(int(head[0]) - margin, 0), min(int(head[1]) + 1 + margin, size))


def stride_of(slices: int) -> int:
    """From one slice that is looked at to the next."""
    return max(1, -(-slices // MEASURED_SLICES))
