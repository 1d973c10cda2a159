"""How a network fares on validation patients that were made to look like scans from elsewhere."""

from collections.abc import Sequence

from glioseg.dataset.store import ArrayStore
from glioseg.evaluation.metrics import dice
from glioseg.evaluation.stand_in import stand_in
from glioseg.inference.foreign import predict_foreign
from glioseg.inference.model import Model


def stand_in_dice(model: Model, store: ArrayStore, patients: Sequence[str]) -> dict[str, float | None]:
    """3-D Dice of each patient's stand-in, predicted as a scan from elsewhere is.

    Args:
        model: Ready for use.
        store: The data.
        patients: Whose stand-ins are predicted; a score that decides anything is one of validation patients.
    """
    scores = {}
    for patient in patients:
        volume, truth = stand_in(store.volume(patient), store.mask(patient))
        scores[patient] = dice(predict_foreign(model, volume).mask.voxels, truth.voxels)
    return scores
