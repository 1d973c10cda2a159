"""How a network fares on validation patients that were made to look like scans from elsewhere."""

from collections.abc import Sequence

from glioseg.dataset.store import ArrayStore
from glioseg.evaluation.metrics import dice
from glioseg.evaluation.stand_in import stand_in
from glioseg.inference.foreign import predict_foreign
from glioseg.inference.predictor import Predictor


def stand_in_dice(predictor: Predictor, store: ArrayStore, patients: Sequence[str]) -> dict[str, float | None]:
    """3-D Dice of each patient's stand-in, predicted as a scan from elsewhere is.

    Args:
        predictor: The trained network.
        store: The data.
        patients: Whose stand-ins are predicted: none of the test patients.
    """
    scores = {}
    for patient in patients:
        volume, truth = stand_in(
            store.volume(patient), store.mask(patient), head_above=predictor.contract.preprocessing.head_above
        )
        scores[patient] = dice(predict_foreign(predictor, volume).mask.voxels, truth.voxels)
    return scores
