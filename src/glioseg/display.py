"""How intensities become grey, and the colours of contours, in reports, on the page and in DICOM."""

import numpy as np
from numpy.typing import NDArray

TRUTH_COLOUR = (0, 194, 255)
"""Cyan. With the orange below it stays apart from grey and from each other in every common colour blindness."""

PREDICTION_COLOUR = (255, 149, 0)
"""Orange, also of the segment and the overlay in DICOM."""

WINDOW_PERCENTILES = (1.0, 99.0)


def intensity_window(voxels: NDArray[np.uint8] | NDArray[np.float32]) -> tuple[float, float]:
    """The intensities shown as black and as white: robust percentiles of everything above the background.

    Args:
        voxels: One sequence of a whole scan, so that all its slices share a window; any shape.
    """
    head = voxels[voxels > voxels.min()] if voxels.size else voxels
    if head.size == 0:
        return 0.0, 1.0
    dark, bright = np.percentile(head, WINDOW_PERCENTILES)
    return float(dark), float(max(bright, dark + 1e-6))


def to_grey(
    flair_slice: NDArray[np.uint8] | NDArray[np.float32], window: tuple[float, float] | None = None
) -> NDArray[np.uint8]:
    """Grey levels of a slice, shape (row, column), uint8.

    Args:
        flair_slice: Intensities, shape (row, column).
        window: As :func:`intensity_window` gives it for the scan; of this slice alone where it is None.
    """
    dark, bright = window or intensity_window(flair_slice)
    # In its place throughout: a scan of many slices counts in memory.
    share = flair_slice.astype(np.float32)
    share -= np.float32(dark)
    share /= np.float32(bright - dark)
    share.clip(0.0, 1.0, out=share)
    share *= np.float32(255)
    return np.rint(share, out=share).astype(np.uint8)
