"""What is chosen on the validation patients: temperature, threshold and component rule."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from glioseg.dataset.heads import BRAIN_BIT, stored_head
from glioseg.dataset.store import ArrayStore
from glioseg.evaluation.calibration import LogitCounts
from glioseg.evaluation.metrics import dice
from glioseg.inference.calibration import calibrated
from glioseg.inference.postprocessing import Postprocessing, cut_mask

CANDIDATES = [
    Postprocessing(threshold=threshold, components=components)
    # Nearest to the default first: the first of equals is chosen.
    for threshold in (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8)
    for components in ("all", "relative")
]
"""The largest component alone is left out: on a dozen patients its gain is visible, and its rare cost, a whole
patient lost to a larger false positive, is not."""

WORTHWHILE_GAIN = 0.003
"""What a candidate must gain in mean Dice over the default: less is chance with a dozen patients."""


def choose_decision(
    predicted: Iterable[tuple[str, NDArray[np.float32]]], store: ArrayStore, head_above: float
) -> tuple[float, Postprocessing]:
    """How a model's probabilities become a mask.

    Args:
        predicted: Name and uncalibrated probabilities (slice, row, column) of each validation patient.
        store: Holds their scans and masks.
        head_above: FLAIR above this belongs to the head.

    Returns:
        The temperature, and threshold and component rule for probabilities that it has calibrated; 1 and the default
        where there is no patient.
    """
    found = dict(predicted)
    truths = {patient: store.mask(patient).voxels for patient in found}
    counts = LogitCounts.none()
    for patient, values in found.items():
        counts += LogitCounts.of(values, truths[patient], brain_of(store, patient, head_above))
    temperature = counts.temperature()
    sharp = {patient: calibrated(values, temperature) for patient, values in found.items()}
    return temperature, choose_postprocessing(sharp, truths)


def brain_of(store: ArrayStore, patient: str, head_above: float) -> NDArray[np.bool_]:
    """Where calibration is judged: the brain, shape (slice, row, column)."""
    return np.asarray(stored_head(store, patient, head_above) & BRAIN_BIT != 0)


def choose_postprocessing(
    probabilities: Mapping[str, NDArray[np.floating]], truths: Mapping[str, NDArray[np.bool_]]
) -> Postprocessing:
    """Pick the candidate of the highest mean per-patient Dice; the default where none gains enough over it.

    Args:
        probabilities: For each validation patient, shape (slice, row, column), 0 to 1.
        truths: For each, the true mask of the same shape.

    Returns:
        The choice; the default where there is no patient.
    """
    default = Postprocessing()
    scores = {candidate: _mean_dice(probabilities, truths, candidate) for candidate in (default, *CANDIDATES)}
    best = max(scores, key=lambda candidate: scores[candidate])
    return best if scores[best] >= scores[default] + WORTHWHILE_GAIN else default


def _mean_dice(
    probabilities: Mapping[str, NDArray[np.floating]],
    truths: Mapping[str, NDArray[np.bool_]],
    candidate: Postprocessing,
) -> float:
    scores = [dice(cut_mask(values, candidate), truths[patient]) for patient, values in probabilities.items()]
    defined = [score for score in scores if score is not None]
    return float(np.mean(defined)) if defined else 0.0
