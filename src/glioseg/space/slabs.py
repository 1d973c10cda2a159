"""Thin slices seen as thick ones: networks learnt from slices of 5 to 6 mm, and find less on the noise of 1 mm.

A slab is the mean of what its thickness covers. Slabs overlap by half, so that a border that runs between two of them
is found by both, and what is found in them is interpolated back onto the slices that were there.
"""

from dataclasses import dataclass, field
from math import ceil

import numpy as np
from numpy.typing import NDArray

from glioseg.machine import side_by_side

THICKNESS_MM = 5.0
"""Of the slices that the networks learnt from, 5 to 6 mm, the thinner."""
STEP_MM = THICKNESS_MM / 2
"""From one slab to the next. Slices further apart than this are thick enough and stay as they are."""


@dataclass(frozen=True)
class Slabs:
    """Which slices make which slab, and how each slice lies between slabs.

    Attributes:
        weights: The share of each slice in each slab, shape (slab, slice), every row a sum of 1.
        places: Of each slice, in slabs from 0; between two slabs it is no whole number.
    """

    weights: NDArray[np.float32] = field(repr=False)
    places: NDArray[np.float64] = field(repr=False)

    @property
    def step_mm(self) -> float:
        """Millimetres from one slab to the next."""
        return STEP_MM

    def covered(self, slab: int) -> slice:
        """The slices that a slab lies over."""
        slices = np.flatnonzero(self.weights[slab])
        return slice(int(slices[0]), int(slices[-1]) + 1)

    def mean(self, slab: int, covered: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
        """A slab of the slices that it lies over; shape (slice, ...) in, (...) out."""
        weights = self.weights[slab][self.covered(slab)]
        return np.tensordot(weights, covered.astype(np.float32, copy=False), 1)

    def averaged(self, voxels: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
        """Slices as slabs; shape (slice, ...) in, (slab, ...) out."""
        slabs = np.empty((len(self.weights), *voxels.shape[1:]), np.float32)
        for index, slab in enumerate(slabs):
            # A product over all slices would hold the scan as float32 once more.
            slab[...] = self.mean(index, voxels[self.covered(index)])
        return slabs

    def interpolated(
        self, slabs: NDArray[np.float32], slices: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """What was found in slabs, linear on the slices; beyond the outermost slab's middle as in that slab.

        Args:
            slabs: Shape (slab, ...).
            slices: Shape (slice, ...), where it is written; a new array if None.
        """
        below = np.minimum(self.places.astype(int), len(slabs) - 1)
        above = np.minimum(below + 1, len(slabs) - 1)
        slices = np.empty((len(self.places), *slabs.shape[1:]), np.float32) if slices is None else slices
        parts = (self.places - below).astype(np.float32)

        def interpolate(index: int) -> None:
            low, found = slabs[below[index]], slices[index]
            np.subtract(slabs[above[index]], low, out=found)
            np.multiply(found, parts[index], out=found)
            np.add(found, low, out=found)

        side_by_side(interpolate, range(len(slices)))
        return slices


def slabs_of(slices: int, spacing_mm: float) -> Slabs | None:
    """The slabs of a scan; None for slices that are thick enough, or too few for a slab.

    Args:
        slices: How many.
        spacing_mm: From one slice to the next.
    """
    length_mm = slices * spacing_mm
    if spacing_mm > STEP_MM or length_mm < THICKNESS_MM:
        return None
    # Rounded up, so that no slice is left out; the outermost slabs are a little thinner then.
    count = ceil(round((length_mm - THICKNESS_MM) / STEP_MM, 6)) + 1
    middles = (length_mm - (count - 1) * STEP_MM) / 2 + np.arange(count) * STEP_MM
    edges = np.arange(slices + 1) * spacing_mm
    first, last = middles[:, None] - THICKNESS_MM / 2, middles[:, None] + THICKNESS_MM / 2
    covered = np.minimum(edges[1:], last) - np.maximum(edges[:-1], first)
    weights = np.maximum(covered, 0).astype(np.float32)
    places = ((np.arange(slices) + 0.5) * spacing_mm - middles[0]) / STEP_MM
    return Slabs(weights / weights.sum(axis=1, keepdims=True), places.clip(0, count - 1))
