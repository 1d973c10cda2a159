"""What is chosen on the validation patients: temperature, threshold and component rule."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from glioseg.dataset.head_masks import BRAIN_BIT, stored_head_mask
from glioseg.dataset.store import ArrayStore
from glioseg.evaluation.calibration import LogitCounts
from glioseg.evaluation.metrics import dice
from glioseg.inference.postprocessing import Decision, Postprocessing, binarise, calibrated

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


def choose_decision(predicted: Iterable[tuple[str, NDArray[np.float32]]], store: ArrayStore) -> Decision:
    """How a model's probabilities become a mask.

    Args:
        predicted: Name and uncalibrated probabilities (slice, row, column) of each validation patient.
        store: Holds their scans and masks.

    Returns:
        The temperature, and threshold and component rule for probabilities that it has calibrated; the default where
        there is no patient.
    """
    found = dict(predicted)
    temperature = fit_temperature(found, store)
    sharp = [(calibrated(values, temperature), store.mask(patient).voxels) for patient, values in found.items()]
    return Decision(temperature=temperature, postprocessing=choose_postprocessing(sharp))


def fit_temperature(found: Mapping[str, NDArray[np.float32]], store: ArrayStore) -> float:
    """The temperature under which the true masks are likeliest; arguments as :func:`choose_decision`."""
    counts = LogitCounts.none()
    for patient, values in found.items():
        counts += LogitCounts.of(values, store.mask(patient).voxels, brain_of(store, patient))
    return counts.temperature()


def brain_of(store: ArrayStore, patient: str) -> NDArray[np.bool_]:
    """Where calibration is judged: the brain, shape (slice, row, column)."""
    return np.asarray(stored_head_mask(store, patient) & BRAIN_BIT != 0)


def choose_postprocessing(predicted: Sequence[tuple[NDArray[np.floating], NDArray[np.bool_]]]) -> Postprocessing:
    """Pick the candidate of the highest mean per-patient Dice; the default where none gains enough over it.

    Args:
        predicted: For each validation patient its probabilities, 0 to 1, and its true mask, both of shape
            (slice, row, column).

    Returns:
        The choice; the default where there is no patient.
    """
    default = Postprocessing()
    scores = {candidate: _mean_dice(predicted, candidate) for candidate in (default, *CANDIDATES)}
    best = max(scores, key=lambda candidate: scores[candidate])
    return best if scores[best] >= scores[default] + WORTHWHILE_GAIN else default


def _mean_dice(predicted: Sequence[tuple[NDArray[np.floating], NDArray[np.bool_]]], candidate: Postprocessing) -> float:
    scores = [dice(binarise(values, candidate), truth) for values, truth in predicted]
    defined = [score for score in scores if score is not None]
    return float(np.mean(defined)) if defined else 0.0
