"""On which side of the head a tumour lies.

The plane x = 0 of a scan is wherever the scanner's isocentre was, often a centimetre or more beside the patient's
middle. The middle is therefore taken from the image of the head; without one the side is unknown.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from glioseg.space.axial import axial_view

Side = Literal["left", "right", "crossing", "both"]

MIDDLE_TOLERANCE_MM = 5.0
"""How well the contour of the head tells where its middle is; tumour closer to it counts to neither side."""

CROSSING_SHARE = 0.05
"""Share of the tumour that lies on a side before the tumour counts as being there."""

NEAR_THE_MIDDLE = f"the tumour lies within {MIDDLE_TOLERANCE_MM:g} mm of the head's middle"

ENOUGH_VOXELS = 1_000_000
"""Of a larger scan evenly spaced voxels are looked at, about so many."""

_HEAD_LEVEL = 0.1
"""Share of the brightest intensities above which a voxel belongs to the head and not to the air around it."""


def head_middle_x_mm(
    intensities: NDArray[np.uint8] | NDArray[np.float32], affine: NDArray[np.float64], tumour: NDArray[np.bool_]
) -> float | None:
    """The x of the head's middle, in RAS+ millimetres, or None where the image shows no head.

    It is the middle between the head's left and right border on the axial slices that hold the tumour. A head that is
    turned or tilted in the scanner by more than a few degrees moves it by some millimetres.

    Args:
        intensities: One sequence, shape (slice, row, column), with or without skull.
        affine: Voxel indices to RAS+ millimetres.
        tumour: The mask on the same grid.
    """
    axis = axial_view(affine).axes[0]
    chosen = np.flatnonzero(tumour.any(axis=tuple({0, 1, 2} - {axis})))
    # A few voxels of many tell the border of a head as well.
    step = max(1, round((chosen.size * intensities.size / intensities.shape[axis] / ENOUGH_VOXELS) ** (1 / 3)))
    places = [np.arange(step // 2, size, step) for size in intensities.shape]
    places[axis] = chosen[(step // 2) % chosen.size :: step]
    slab = intensities[np.ix_(*places)].astype(np.float32)
    dark, bright = float(slab.min()), float(np.percentile(slab, 99))
    head = slab > dark + _HEAD_LEVEL * (bright - dark)
    if bright <= dark or not head.any():
        return None
    indices = np.stack([place[index] for place, index in zip(places, np.nonzero(head), strict=True)], axis=1)
    left, right = np.percentile(_x_mm(indices, affine), (1, 99))
    return float(left + right) / 2


def side_of(voxels: NDArray[np.bool_], affine: NDArray[np.float64], middle_x_mm: float) -> Side | None:
    """The side of a tumour, or None if nearly all of it lies too close to the middle to tell.

    ``crossing``: at least :data:`CROSSING_SHARE` of it lies beyond the middle's tolerance on either side.

    Args:
        voxels: Shape (slice, row, column), not empty.
        affine: Voxel indices to RAS+ millimetres.
        middle_x_mm: As :func:`head_middle_x_mm` gives it.
    """
    beside = _x_mm(np.argwhere(voxels), affine) - middle_x_mm
    # RAS+: x grows towards the patient's right.
    right = float(np.mean(beside > MIDDLE_TOLERANCE_MM)) >= CROSSING_SHARE
    left = float(np.mean(beside < -MIDDLE_TOLERANCE_MM)) >= CROSSING_SHARE
    if left and right:
        return "crossing"
    return "left" if left else "right" if right else None


def _x_mm(indices: NDArray[np.integer], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(indices @ affine[0, :3] + affine[0, 3])
