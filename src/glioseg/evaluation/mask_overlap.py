"""Where two masks agree and where not: what metrics and checks are computed from, each part once."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class MaskOverlap:
    """The predicted and the true mask of a patient, and how distances between them are measured.

    Attributes:
        predicted_mask: Shape (slice, row, column).
        true_mask: Likewise.
        spacing_mm: Distance between voxels along (slice, row, column), or None to measure in pixels.
        nsd_tolerance: Pixels, or millimetres where a spacing is given.
    """

    predicted_mask: NDArray[np.bool_]
    true_mask: NDArray[np.bool_]
    spacing_mm: tuple[float, float, float] | None = None
    nsd_tolerance: float = 0.0

    @cached_property
    def predicted(self) -> int:
        """Voxels that are predicted."""
        return int(np.count_nonzero(self.predicted_mask))

    @cached_property
    def true(self) -> int:
        """Voxels that are true."""
        return int(np.count_nonzero(self.true_mask))

    @cached_property
    def both(self) -> int:
        """Voxels that are predicted and true."""
        return int(np.count_nonzero(self.predicted_mask & self.true_mask))

    @cached_property
    def has_tumour(self) -> NDArray[np.bool_]:
        """Slices that hold a true voxel, shape (slice,)."""
        return np.asarray(self.true_mask.any(axis=(1, 2)))

    @cached_property
    def is_marked(self) -> NDArray[np.bool_]:
        """Slices that hold a predicted voxel, shape (slice,)."""
        return np.asarray(self.predicted_mask.any(axis=(1, 2)))

    def dice(self) -> float | None:
        """Dice over all voxels, of masks of a slice too; None where both are empty."""
        return ratio(2 * self.both, self.predicted + self.true)

    def slice_dice(self) -> float | None:
        """Mean Dice of the slices with true tumour; None without any."""
        dices = list(self._slice_dices())
        return float(np.mean(dices)) if dices else None

    def hd95(self) -> float | None:
        """As :func:`glioseg.evaluation.surface_distances.hd95`; None where a mask is empty."""
        if not (self.predicted and self.true):
            return None
        from glioseg.evaluation.surface_distances import hd95

        return hd95(self.predicted_mask, self.true_mask, self.spacing_mm)

    def nsd(self) -> float | None:
        """As :func:`glioseg.evaluation.surface_distances.normalised_surface_dice`; 0 where one mask is empty."""
        if not (self.predicted and self.true):
            return 0.0 if self.predicted or self.true else None
        from glioseg.evaluation.surface_distances import normalised_surface_dice

        return normalised_surface_dice(self.predicted_mask, self.true_mask, self.nsd_tolerance, self.spacing_mm)

    def _slice_dices(self) -> Iterator[float]:
        for predicted, true in zip(self.predicted_mask[self.has_tumour], self.true_mask[self.has_tumour], strict=True):
            score = MaskOverlap(predicted, true).dice()
            if score is not None:
                yield score


def ratio(part: int, whole: int) -> float | None:
    """One count as a share of another; None where that is 0."""
    return float(part / whole) if whole else None
