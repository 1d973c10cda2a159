"""How a model's probabilities become masks: decided on validation patients, those of sibling folds among them.

Eight patients choose a threshold half by chance. The same network trained on other folds has validation patients of
its own, and what suits those suits this one, so that a rule is chosen on all of them: but never on a patient that the
fold tests.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glioseg.dataset.splits import Split
from glioseg.dataset.store import ArrayStore
from glioseg.inference.model import mean_of
from glioseg.inference.postprocessing import Decision, calibrated
from glioseg.training.validation import choose_decision, choose_postprocessing, fit_temperature

Probabilities = dict[str, NDArray[np.float32]]
"""By patient, each of shape (slice, row, column)."""


@dataclass(frozen=True)
class Predictions:
    """What a network, or several together, say of the validation patients of their split.

    Attributes:
        architecture: What they are, as ``unet-16``: alike in every fold.
        split: Whose validation patients these are.
        temperature: Fitted on them.
        calibrated: Their probabilities, divided by it.
    """

    architecture: str
    split: Split
    temperature: float
    calibrated: Probabilities

    @classmethod
    def fitted(
        cls, architecture: str, split: Split, found: Mapping[str, NDArray[np.float32]], store: ArrayStore
    ) -> "Predictions":
        """Calibrate what was found; arguments as :func:`glioseg.training.validation.choose_decision`."""
        temperature = fit_temperature(found, store)
        sharp = {patient: calibrated(values, temperature) for patient, values in found.items()}
        return cls(architecture, split, temperature, sharp)


def decide(predictions: Predictions, siblings: Iterable[Predictions], store: ArrayStore) -> Decision:
    """The temperature of these predictions, and the rule that suits them and those of the same architecture in other
    folds.

    Args:
        predictions: Of one fold.
        siblings: Of every fold, these among them; other architectures are passed over.
        store: Holds the true masks.
    """
    tested = set(predictions.split.test)
    pool = [
        (values, store.mask(patient).voxels)
        for sibling in siblings
        if sibling.architecture == predictions.architecture
        for patient, values in sibling.calibrated.items()
        if patient not in tested
    ]
    return Decision(temperature=predictions.temperature, postprocessing=choose_postprocessing(pool))


def decide_for_all(found: Iterable[Probabilities], store: ArrayStore) -> Decision:
    """How the mean of every network becomes a mask.

    Args:
        found: For each fold the mean of its networks on its validation patients. A patient of several folds is
            predicted by the networks of each, none of which was fitted to it.
        store: Holds the true masks.
    """
    pooled: dict[str, list[NDArray[np.float32]]] = {}
    for fold in found:
        for patient, values in fold.items():
            pooled.setdefault(patient, []).append(values)
    means = ((patient, mean_of(values)) for patient, values in pooled.items())
    return choose_decision(means, store)
