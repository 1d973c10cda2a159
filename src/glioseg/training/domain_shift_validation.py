"""How a network fares on validation patients that were made to look like external scans."""

from collections.abc import Sequence

from glioseg.dataset.store import ArrayStore
from glioseg.evaluation.domain_shift import simulate_domain_shift
from glioseg.evaluation.metrics import dice
from glioseg.inference.external import predict_external
from glioseg.inference.model import Model


def domain_shift_dice(model: Model, store: ArrayStore, patients: Sequence[str]) -> dict[str, float | None]:
    """3-D Dice of each patient under a simulated domain shift, predicted as an external scan is.

    Args:
        model: Ready for use.
        store: The data.
        patients: Who is predicted so; a score that decides anything is one of validation patients.
    """
    scores = {}
    for patient in patients:
        volume, truth = simulate_domain_shift(store.volume(patient), store.mask(patient))
        scores[patient] = dice(predict_external(model, volume).mask.voxels, truth.voxels)
    return scores
