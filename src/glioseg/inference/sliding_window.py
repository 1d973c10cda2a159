"""Patches as large as the crops of training, laid over the head.

A network with wide dilations, or with pooling over the whole image, answers otherwise where the image is larger
than those it was trained on: its black margin alone changes the average. So it sees patches of their size, as nnU-Net
does (Isensee et al. 2021, Nature Methods 18, inference by sliding window); docs/recipe.md has the measurement.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from glioseg.inference.backends.fixed_size import padded_to

OVERLAP = 0.25
"""Share of a patch's side by which neighbours overlap at the least, so that no contour falls on a seam."""


@dataclass(frozen=True)
class Patches:
    """Where squares lie on slices.

    Attributes:
        slices: Index of the slice that each patch lies on, shape (patch,).
        corners: First row and column of each, shape (patch, 2).
        side_px: Rows and columns of each.
        shape: Slices, rows and columns of what they lie on.
    """

    slices: NDArray[np.intp]
    corners: NDArray[np.intp]
    side_px: int
    shape: tuple[int, int, int]

    def extract(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the patches show.

        Args:
            images: Shape (slice, channel, row, column). Where they are smaller than a patch their edge is repeated,
                because zero means average tissue after normalisation, not background.

        Returns:
            Shape (patch, channel, side, side).
        """
        rows, columns = images.shape[-2:]
        padded = padded_to(images, (max(rows, self.side_px), max(columns, self.side_px)))
        shown = np.empty((len(self.slices), images.shape[1], self.side_px, self.side_px), np.float32)
        for patch, (index, corner) in zip(shown, self._each(), strict=True):
            patch[:] = padded[index, :, *self._square(corner)]
        return shown

    def stitch(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """What was found in the patches, brought together; where they overlap, the nearer its middle weighs more.

        Args:
            probabilities: Shape (patch, side, side).

        Returns:
            Shape (slice, row, column), 0 where no patch lies.
        """
        slices, rows, columns = self.shape
        whole = (slices, max(rows, self.side_px), max(columns, self.side_px))
        total, weights = np.zeros(whole, np.float32), np.zeros(whole, np.float32)
        weight = _weight(self.side_px)
        for (index, corner), found in zip(self._each(), probabilities, strict=True):
            square = self._square(corner)
            total[index, *square] += weight * found
            weights[index, *square] += weight
        stitched: NDArray[np.float32] = np.divide(total, weights, out=total, where=weights > 0)
        return np.ascontiguousarray(stitched[:, :rows, :columns])

    def _each(self) -> Iterator[tuple[np.intp, NDArray[np.intp]]]:
        return zip(self.slices, self.corners, strict=True)

    def _square(self, corner: NDArray[np.intp]) -> tuple[slice, slice]:
        row, column = corner
        return slice(row, row + self.side_px), slice(column, column + self.side_px)


def sliding_window(head: NDArray[np.bool_], side_px: int) -> Patches:
    """As few patches as cover the head on each slice; a slice without any head gets none.

    Args:
        head: Shape (slice, row, column).
        side_px: Rows and columns of a patch.
    """
    slices: list[int] = []
    corners: list[tuple[int, int]] = []
    for index, shown in enumerate(head):
        on_slice = list(product(_starts(shown.any(axis=1), side_px), _starts(shown.any(axis=0), side_px)))
        slices += [index] * len(on_slice)
        corners += on_slice
    count, rows, columns = head.shape
    where = np.array(corners, np.intp).reshape(-1, 2)
    return Patches(np.array(slices, np.intp), where, side_px, (count, rows, columns))


def _starts(shown: NDArray[np.bool_], side_px: int) -> list[int]:
    """Where patches begin along one axis; one lies around the middle of the head, more begin and end with it."""
    inside = np.flatnonzero(shown)
    if len(inside) == 0:
        return []
    first, beyond = int(inside[0]), int(inside[-1]) + 1
    last_start = max(0, len(shown) - side_px)
    if beyond - first <= side_px:
        return [min(max(0, (first + beyond - side_px) // 2), last_start)]
    overlap = int(side_px * OVERLAP)
    count = -(-(beyond - first - overlap) // (side_px - overlap))
    return [round(start) for start in np.linspace(first, beyond - side_px, count)]


def _weight(side_px: int) -> NDArray[np.float32]:
    """A pyramid, 1 at the edge."""
    ramp = np.minimum(np.arange(1, side_px + 1), np.arange(side_px, 0, -1)).astype(np.float32)
    return np.outer(ramp, ramp)
