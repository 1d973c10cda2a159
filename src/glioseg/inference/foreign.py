"""Prediction of a scan that does not come from the dataset: fit it, predict, and bring the result back."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glioseg.inference.intensities import to_dataset_range
from glioseg.inference.placement import Placement, find_placement
from glioseg.inference.postprocessing import cut_mask
from glioseg.inference.predictor import Predictor
from glioseg.volume import Mask, Volume


@dataclass(frozen=True)
class ForeignPrediction:
    """What came of a foreign scan.

    Attributes:
        probabilities: On the scan's own grid, shape (slice, row, column).
        mask: Likewise.
        placement: How the scan was brought to the network.
    """

    probabilities: NDArray[np.float32]
    mask: Mask
    placement: Placement

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader of the result should know, a sentence each."""
        kind = "without skull and scalp" if self.placement.extent.is_stripped else "with skull and scalp"
        fitted = "brought to the size of the training pictures" if self.placement.is_resampled else "left as it is"
        return (f"The scan was taken as one {kind} and {fitted}.",)


def predict_foreign(predictor: Predictor, volume: Volume) -> ForeignPrediction:
    """Predict a scan on whatever grid, in whatever direction and intensities.

    Args:
        predictor: A bundle ready for use.
        volume: On its source's grid.

    Raises:
        GliosegError: If the scan shows no head or lacks a channel that the model needs.
    """
    ranged = to_dataset_range(volume)
    placement = find_placement(ranged)
    slices, rows, columns = volume.voxels.shape[:3]
    probabilities = placement.restore(predictor.probabilities(placement.place(ranged)), (slices, rows, columns))
    # Components are judged in the axial view's grid and in the source's alike; the source's is what the user sees.
    inside = cut_mask(probabilities, predictor.contract.postprocessing)
    mask = Mask(volume.patient, inside, slice_names=volume.slice_names, affine=volume.affine)
    return ForeignPrediction(probabilities, mask, placement)
