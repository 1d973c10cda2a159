"""Contours of the truth and of the prediction on a patient's FLAIR.

Two contours that agree must both stay visible, so the truth runs along the outer side of the mask's edge and the
prediction along the inner side: where both masks agree, the two lines lie next to each other.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glioseg.display import PREDICTION_COLOUR, TRUTH_COLOUR


def contour_layer(
    truth: NDArray[np.bool_], predicted: NDArray[np.bool_], *, scale: int = 2, line_px: int = 2
) -> NDArray[np.uint8]:
    """The two contours alone, on a transparent ground: shape (scale * row, scale * column, 4), uint8 RGBA.

    The truth's line is the ring of output pixels just outside its mask, the prediction's the ring just inside its own.

    Args:
        truth: The true mask, shape (row, column).
        predicted: The predicted mask, shape (row, column).
        scale: Output pixels for each pixel of the mask, along each axis.
        line_px: The width of each line in output pixels.
    """
    truth, predicted = _magnify(truth, scale), _magnify(predicted, scale)
    layer = np.zeros((*truth.shape, 4), np.uint8)
    layer[ndimage.binary_dilation(truth, iterations=line_px) & ~truth] = (*TRUTH_COLOUR, 255)
    layer[predicted & ~ndimage.binary_erosion(predicted, iterations=line_px)] = (*PREDICTION_COLOUR, 255)
    return layer


def informative_slices(truth: NDArray[np.bool_], predicted: NDArray[np.bool_], count: int = 4) -> dict[int, str]:
    """The slices worth showing and why, in the scan's order.

    First the slice with the largest tumour, then the one where the masks differ most, then slices spread evenly over
    the extent of both masks; over the whole scan where both are empty.

    Args:
        truth: The true mask, shape (slice, row, column).
        predicted: The predicted mask, shape (slice, row, column).
        count: How many slices at most.
    """
    largest, of = (_area_px(truth), "tumour") if truth.any() else (_area_px(predicted), "prediction")
    difference = _area_px(truth ^ predicted)
    reasons: dict[int, str] = {}
    if largest.any():
        reasons[int(largest.argmax())] = f"largest {of}"
    if difference.any() and count > 1:
        widest = int(difference.argmax())
        reasons[widest] = f"{reasons[widest]}, most disagreement" if widest in reasons else "most disagreement"
    occupied = np.flatnonzero(_area_px(truth | predicted))
    first, last = (int(occupied[0]), int(occupied[-1])) if occupied.size else (0, len(truth) - 1)
    for candidates in (_middles(first, last, 2 * count), range(first, last + 1), range(len(truth))):
        while len(reasons) < count and (unchosen := set(candidates) - set(reasons)):
            reasons[max(sorted(unchosen), key=lambda index: _distance(index, reasons))] = ""
    return dict(sorted(reasons.items()))


def _magnify(mask: NDArray[np.bool_], scale: int) -> NDArray[np.bool_]:
    return mask.repeat(scale, axis=0).repeat(scale, axis=1)


def _area_px(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    area: NDArray[np.intp] = mask.sum(axis=(1, 2))
    return area


def _middles(first: int, last: int, count: int) -> list[int]:
    """The middles of equal parts of the extent: its very ends show hardly any tumour."""
    return [first + int((last - first + 1) * (part + 0.5) / count) for part in range(count)]


def _distance(index: int, chosen: Iterable[int]) -> int:
    """How many slices lie between this one and the nearest that is chosen."""
    return min((abs(index - other) for other in chosen), default=0)


def head_box(head: NDArray[np.bool_], tumour: NDArray[np.bool_], margin_px: int = 4) -> tuple[slice, slice]:
    """Rows and columns that hold the head and all masks; everything where the scan is empty.

    Args:
        head: Where any slice of the scan is brighter than the background, shape (row, column).
        tumour: Where any slice has a mask, shape (row, column).
        margin_px: Pixels around them.
    """
    kept = ndimage.binary_opening(head, iterations=2) | tumour
    if not kept.any():
        kept = np.ones_like(head)
    (rows, columns), shape = np.nonzero(kept), head.shape
    return (
        slice(max(int(rows.min()) - margin_px, 0), min(int(rows.max()) + margin_px + 1, shape[0])),
        slice(max(int(columns.min()) - margin_px, 0), min(int(columns.max()) + margin_px + 1, shape[1])),
    )
