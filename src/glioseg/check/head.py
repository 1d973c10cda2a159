"""The head in small images: where it is, how much of the frame it fills, where it is cut."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glioseg.head import FOREGROUND_THRESHOLD

FOG_TIMES, MOST_FOG = 2.0, 60.0
"""Slices scaled one by one may have a background as bright as that; the head is at least so many times as bright."""

IN_PLANE = np.stack([np.zeros((3, 3), bool), ndimage.generate_binary_structure(2, 1), np.zeros((3, 3), bool)])
"""Neighbours within a slice only, for arrays (slice, row, column)."""


def shrink(images: NDArray[np.generic], size: int) -> NDArray[np.float32]:
    """Area means on a square grid: (slice, row, column) to (slice, size, size)."""
    rows, columns = (_area_means(extent, size) for extent in images.shape[1:3])
    return np.asarray(rows @ images.astype(np.float32) @ columns.T, np.float32)


def head_masks(flair: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The head with everything that it encloses, shape (slice, row, column) in and out."""
    bright = ndimage.uniform_filter(flair, (0, 3, 3)) > _thresholds(flair)[:, None, None]
    areas, count = ndimage.label(~bright, IN_PLANE)
    open_to_frame = np.zeros(count + 1, bool)
    for edge in (areas[:, [0, -1], :], areas[:, :, [0, -1]]):
        open_to_frame[edge.ravel()] = True
    open_to_frame[0] = False
    return np.asarray(ndimage.binary_opening(~open_to_frame[areas], IN_PLANE, iterations=2))


def _thresholds(flair: NDArray[np.float32]) -> NDArray[np.float32]:
    """Per slice, from the border of the frame, most of which shows background."""
    frame = np.concatenate([flair[:, 0], flair[:, -1], flair[:, :, 0], flair[:, :, -1]], axis=1)
    return np.asarray(np.clip(FOG_TIMES * np.median(frame, axis=1), FOREGROUND_THRESHOLD, MOST_FOG), np.float32)


def longest_runs(flags: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The longest unbroken run of True along the last axis."""
    longest = run = np.zeros(flags.shape[:-1], np.intp)
    for place in range(flags.shape[-1]):
        run = np.where(flags[..., place], run + 1, 0)
        longest = np.maximum(longest, run)
    return longest


def _area_means(extent: int, size: int) -> NDArray[np.float32]:
    """Weights (size, extent) by which each small pixel averages the large ones that it covers."""
    edges = np.linspace(0, extent, size + 1)
    pixels = np.arange(extent)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.asarray(np.clip(covered, 0, None) * size / extent, np.float32)
