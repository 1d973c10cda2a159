"""What a network sees of a slice: patches as large as the crops of training, laid over the head, or a crop to the head.

A network with wide dilations, or with pooling over the whole image, answers otherwise where the image is larger
than those it was trained on: its black margin alone changes the average. So it sees patches of their size, as nnU-Net
does (Isensee et al. 2021, Nature Methods 18, inference by sliding window); docs/recipe.md has the measurement. A
fully convolutional one answers the same on any size, and sees each slice once, cropped to the head.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from glioseg.inference.backends.fixed_size import padded_to
from glioseg.volume import box_of

OVERLAP = 0.25
"""Share of a patch's side by which neighbours overlap at the least, so that no contour falls on a seam."""
CROP_MULTIPLE_PX = 16
"""Rows and columns of a crop to the head are multiples of it: what four levels of pooling divide without padding."""


@dataclass(frozen=True)
class Patches:
    """Where rectangles of one size lie on slices.

    Attributes:
        slices: Index of the slice that each patch lies on, shape (patch,).
        corners: First row and column of each, shape (patch, 2).
        size_px: Rows and columns of each.
        shape: Slices, rows and columns of what they lie on.
    """

    slices: NDArray[np.intp]
    corners: NDArray[np.intp]
    size_px: tuple[int, int]
    shape: tuple[int, int, int]

    def extract(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the patches show.

        Args:
            images: Shape (slice, channel, row, column). Where they are smaller than a patch their edge is repeated,
                because zero means average tissue after normalisation, not background.

        Returns:
            Shape (patch, channel, patch row, patch column).
        """
        padded = padded_to(images, self._padded_px())
        shown = np.empty((len(self.slices), images.shape[1], *self.size_px), np.float32)
        for patch, (index, corner) in zip(shown, self._each(), strict=True):
            patch[:] = padded[index, :, *self._rectangle(corner)]
        return shown

    def stitch(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """What was found in the patches, brought together; where they overlap, the nearer its middle weighs more.

        Args:
            probabilities: Shape (patch, patch row, patch column).

        Returns:
            Shape (slice, row, column), 0 where no patch lies.
        """
        slices, rows, columns = self.shape
        whole = (slices, *self._padded_px())
        total, weights = np.zeros(whole, np.float32), np.zeros(whole, np.float32)
        weight = np.outer(*(_ramp(side_px) for side_px in self.size_px))
        for (index, corner), found in zip(self._each(), probabilities, strict=True):
            rectangle = self._rectangle(corner)
            total[index, *rectangle] += weight * found
            weights[index, *rectangle] += weight
        stitched: NDArray[np.float32] = np.divide(total, weights, out=total, where=weights > 0)
        return np.ascontiguousarray(stitched[:, :rows, :columns])

    def _each(self) -> Iterator[tuple[np.intp, NDArray[np.intp]]]:
        return zip(self.slices, self.corners, strict=True)

    def _padded_px(self) -> tuple[int, int]:
        """Rows and columns of a slice, or of a patch where that is larger."""
        rows, columns = (max(sides) for sides in zip(self.shape[1:], self.size_px, strict=True))
        return rows, columns

    def _rectangle(self, corner: NDArray[np.intp]) -> tuple[slice, slice]:
        rows, columns = (slice(start, start + side) for start, side in zip(corner, self.size_px, strict=True))
        return rows, columns


def sliding_window(head: NDArray[np.bool_], side_px: int) -> Patches:
    """As few patches as cover the head on each slice; a slice without any head gets none.

    Args:
        head: Shape (slice, row, column).
        side_px: Rows and columns of a patch.
    """
    corners = {}
    for index, box in _boxes(head).items():
        rows, columns = (_starts(span, side_px, length) for span, length in zip(box, head.shape[1:], strict=True))
        corners[index] = list(product(rows, columns))
    return _patches(corners, (side_px, side_px), head)


def crops_to_head(head: NDArray[np.bool_]) -> Patches:
    """One patch around the head on each slice, all as large as the largest head needs; a slice without any gets none.

    Args:
        head: Shape (slice, row, column).
    """
    boxes = _boxes(head)
    size_px = _crop_px([rows for rows, _ in boxes.values()]), _crop_px([columns for _, columns in boxes.values()])
    corners = {}
    for index, box in boxes.items():
        row, column = map(_around_middle, box, size_px, head.shape[1:])
        corners[index] = [(row, column)]
    return _patches(corners, size_px, head)


def _boxes(head: NDArray[np.bool_]) -> dict[int, tuple[slice, ...]]:
    """By the index of each slice that shows a head, its rows and columns."""
    return {index: box_of(shown) for index, shown in enumerate(head) if shown.any()}


def _crop_px(spans: list[slice]) -> int:
    """The side of a crop that holds each of the spans."""
    longest = max((span.stop - span.start for span in spans), default=1)
    return -(-longest // CROP_MULTIPLE_PX) * CROP_MULTIPLE_PX


def _patches(
    corners: Mapping[int, list[tuple[int, int]]], size_px: tuple[int, int], head: NDArray[np.bool_]
) -> Patches:
    """Patches of one size by the index of their slice."""
    slices = np.array([index for index, found in corners.items() for _ in found], np.intp)
    where = np.array([corner for found in corners.values() for corner in found], np.intp).reshape(-1, 2)
    count, rows, columns = head.shape
    return Patches(slices, where, size_px, (count, rows, columns))


def _starts(span: slice, side_px: int, length: int) -> list[int]:
    """Where patches begin along one axis; one lies around the middle of the head, more begin and end with it."""
    extent = span.stop - span.start
    if extent <= side_px:
        return [_around_middle(span, side_px, length)]
    overlap = int(side_px * OVERLAP)
    count = -(-(extent - overlap) // (side_px - overlap))
    return [round(start) for start in np.linspace(span.start, span.stop - side_px, count)]


def _around_middle(span: slice, side_px: int, length: int) -> int:
    """Where a patch begins that lies around the middle of a span, and on a slice of that length."""
    return min(max(0, (span.start + span.stop - side_px) // 2), max(0, length - side_px))


def _ramp(side_px: int) -> NDArray[np.float32]:
    """From 1 at both ends up to the middle."""
    return np.minimum(np.arange(1, side_px + 1), np.arange(side_px, 0, -1)).astype(np.float32)
