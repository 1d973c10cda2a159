"""How deep within the head a pixel lies."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glioseg.head import FOREGROUND_THRESHOLD
from glioseg.machine import side_by_side
from glioseg.volume import Volume

DEEPEST_PX = 127
"""Depths beyond this are not told apart: they fit seven bits, and the brain of an adult is wider in any image."""


def head_depth_px(volume: Volume) -> NDArray[np.uint8]:
    """How far inside the head's contour each pixel lies.

    The head of a slice is what its smoothed FLAIR shows above :data:`glioseg.head.FOREGROUND_THRESHOLD`, dark cavities
    included. The distance is the larger of the distances along rows and along columns, which costs a tenth of the
    Euclidean one.

    Args:
        volume: The scan.

    Returns:
        Pixels to the nearest one outside, shape (slice, row, column): 0 outside, 1 at the edge, at most
        :data:`DEEPEST_PX`.
    """
    flair = volume.channel("flair")
    depths = np.zeros(flair.shape, np.uint8)
    for depth, found in zip(depths, side_by_side(_depth_px, flair), strict=True):
        depth[...] = found
    return depths


def _depth_px(image: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.int32]:
    smooth = ndimage.uniform_filter(image.astype(np.float32), 3, mode="nearest")
    # A head that the frame cuts ends at the frame.
    edged = np.pad(filled(smooth > FOREGROUND_THRESHOLD), 1)
    distance = ndimage.distance_transform_cdt(edged, metric="chessboard")[1:-1, 1:-1]
    return np.minimum(distance, DEEPEST_PX)


def filled(section: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A section, shape (row, column), with its holes, in half the time that SciPy's function takes for the same."""
    air, _ = ndimage.label(np.pad(~section, 1, constant_values=True))
    return np.asarray(air != air[0, 0])[1:-1, 1:-1]
