"""Voxels that are no numbers: programs that strip the skull write them for the air outside."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FOREGROUND_THRESHOLD = 0.1
"""Of the range from the darkest to the brightest voxels: above it lies the head, below it air and noise."""


def roughly_head(voxels: NDArray[np.float32], counted: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """Roughly the voxels of the head; all, where nothing stands out.

    Args:
        voxels: Of any shape.
        counted: Which of them are numbers; all if None.
    """
    counted = np.ones(voxels.shape, np.bool_) if counted is None else counted
    dark, bright = np.percentile(voxels[counted], (0.5, 99.5))
    head: NDArray[np.bool_] = counted & (voxels > dark + FOREGROUND_THRESHOLD * (bright - dark))
    return head if head.any() else counted


def nan_as_background(name: str, voxels: NDArray[np.float32]) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Take NaN outside the head for background; what lies within stays, so that the scan is refused for it alone.

    Args:
        name: The file's name, for the remark.
        voxels: Shape (slice, row, column).

    Returns:
        The voxels, and what is to be remarked.
    """
    # The least of voxels is none where one of them is, which takes no memory to find out.
    if not voxels.size or not np.isnan(voxels.min()):
        return voxels, ()
    missing = np.isnan(voxels)
    if missing.all() or np.isinf(voxels).any():
        return voxels, ()
    background = min(0.0, float(voxels[~missing].min()))
    missing &= ~_within_head(voxels, missing)
    if not missing.any():
        return voxels, ()
    told = f"{name}: {int(missing.sum()):,} voxels outside the head are no numbers and are taken for background"
    return np.where(missing, np.float32(background), voxels), (told,)


def _within_head(voxels: NDArray[np.float32], missing: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What the head encloses in sections along two axes or more, and lost sections between others of the head.

    A gap that a stripped brain encloses along one axis, as beside the brain stem, is open along the others.
    """
    head = roughly_head(voxels, ~missing)
    enclosed, lost = np.zeros(head.shape, np.uint8), np.zeros_like(head)
    for axis in range(3):
        sections, filled = np.moveaxis(head, axis, 0), np.moveaxis(enclosed, axis, 0)
        for section, count in zip(sections, filled, strict=True):
            count += ndimage.binary_fill_holes(section)
        shown = np.flatnonzero(sections.any(axis=(1, 2)))
        empty = np.flatnonzero(np.moveaxis(missing, axis, 0).all(axis=(1, 2)))
        np.moveaxis(lost, axis, 0)[empty[(empty > shown[0]) & (empty < shown[-1])]] = True
    within: NDArray[np.bool_] = lost | (enclosed > 1)
    return within
