"""Thin slices seen as thick ones: networks learnt from slices of 5 to 6 mm, and find less on the noise of 1 mm.

A slab is the mean of what its thickness covers. Slabs overlap by half, so that a border that runs between two of them
is found by both, and what is found in them is interpolated back onto the slices that were there.
"""

from dataclasses import dataclass, field
from math import ceil

import numpy as np
from numpy.typing import NDArray

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
        """From one slab to the next."""
        return STEP_MM

    def averaged(self, voxels: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
        """Slices as slabs; shape (slice, ...) in, (slab, ...) out."""
        slabs = np.empty((len(self.weights), *voxels.shape[1:]), np.float32)
        for slab, weights in zip(slabs, self.weights, strict=True):
            covered = np.flatnonzero(weights)
            # A product over all slices would hold the scan as float32 once more.
            slab[...] = np.tensordot(weights[covered], voxels[covered].astype(np.float32, copy=False), 1)
        return slabs

    def interpolated(self, slabs: NDArray[np.float32]) -> NDArray[np.float32]:
        """What was found in slabs, linear on the slices; beyond the outermost slab's middle as in that slab."""
        below = np.minimum(self.places.astype(int), len(slabs) - 1)
        above = np.minimum(below + 1, len(slabs) - 1)
        slices = np.empty((len(self.places), *slabs.shape[1:]), np.float32)
        for slice_, low, high, part in zip(slices, below, above, self.places - below, strict=True):
            slice_[...] = slabs[low] + np.float32(part) * (slabs[high] - slabs[low])
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
