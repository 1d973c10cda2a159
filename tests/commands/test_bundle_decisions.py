import numpy as np
import pytest
from numpy.typing import NDArray

from glioseg.commands.bundle_decisions import Predictions, Probabilities, decide, decide_for_all
from glioseg.dataset.splits import Split
from glioseg.dataset.store import ArrayStore
from glioseg.inference.postprocessing import Postprocessing


def split(store: ArrayStore, fold: int, validation: tuple[int, ...], test: tuple[int, ...]) -> Split:
    names = [entry.patient for entry in store.patients]
    return Split(
        name=f"fold {fold}",
        train=tuple(names[n] for n in range(len(names)) if n not in (*validation, *test)),
        validation=tuple(names[n] for n in validation),
        test=tuple(names[n] for n in test),
    )


def found(store: ArrayStore, patient: str, tumour: float) -> NDArray[np.float32]:
    """Tumour found with a probability, everything else at 0.05."""
    return np.where(store.mask(patient).voxels, tumour, 0.05).astype(np.float32)


def predictions(
    store: ArrayStore, of: Split, tumour: float, architecture: str = "unet-8", temperature: float = 1.0
) -> Predictions:
    return Predictions(
        architecture, of, temperature, {patient: found(store, patient, tumour) for patient in of.validation}
    )


def test_the_rule_is_that_of_all_folds_together(store: ArrayStore) -> None:
    """One fold's patient is found at 0.5 and above, two other folds' at 0.35: a threshold of 0.3 suits all three."""
    own = predictions(store, split(store, 0, (0,), (3,)), 0.9)
    siblings = [predictions(store, split(store, fold, (fold,), ()), 0.35) for fold in (1, 2)]
    assert decide(own, [own], store).postprocessing == Postprocessing()
    assert decide(own, [own, *siblings], store).postprocessing == Postprocessing(threshold=0.3)


def test_no_patient_decides_that_the_fold_tests(store: ArrayStore) -> None:
    own = predictions(store, split(store, 0, (0,), (1,)), 0.9)
    sibling = predictions(store, split(store, 1, (1,), (0,)), 0.35)
    assert decide(own, [own, sibling], store).postprocessing == Postprocessing()
    assert decide(sibling, [own, sibling], store).postprocessing == Postprocessing(threshold=0.3)


def test_other_kinds_of_network_do_not_decide(store: ArrayStore) -> None:
    own = predictions(store, split(store, 0, (0,), (3,)), 0.9)
    other = predictions(store, split(store, 1, (1,), ()), 0.35, architecture="resunet-a-8")
    assert decide(own, [own, other], store).postprocessing == Postprocessing()


def test_the_temperature_is_the_folds_own(store: ArrayStore) -> None:
    own = predictions(store, split(store, 0, (0,), (3,)), 0.9, temperature=1.25)
    sibling = predictions(store, split(store, 1, (1,), ()), 0.9, temperature=0.5)
    assert decide(own, [own, sibling], store).temperature == 1.25


def test_answers_are_calibrated_by_the_temperature_that_is_fitted(store: ArrayStore) -> None:
    """Of voxels at 0.9 too few are tumour: they become less sure, and 0.5 stays."""
    of = split(store, 0, (0,), ())
    (patient,) = of.validation
    chance = np.random.default_rng(0)
    truth = store.mask(patient).voxels
    sure = np.where(truth ^ (chance.random(truth.shape) < 0.3), 0.9, 0.1).astype(np.float32)
    fitted = Predictions.fitted("unet-8", of, {patient: sure}, store)
    assert fitted.temperature > 1.5
    assert fitted.calibrated[patient].max() == pytest.approx(0.7, abs=0.1)


def test_a_patient_of_two_folds_is_decided_on_by_the_mean_of_both(store: ArrayStore) -> None:
    """As if one network had said the mean; the fainter of the two alone would call for a low threshold."""
    patient = store.patients[0].patient
    faint: Probabilities = {patient: np.where(store.mask(patient).voxels, 0.34, 0.05).astype(np.float32)}
    bright: Probabilities = {patient: np.where(store.mask(patient).voxels, 0.99, 0.05).astype(np.float32)}
    both = decide_for_all([faint, bright], store)
    assert both == decide_for_all([{patient: (faint[patient] + bright[patient]) / np.float32(2)}], store)
    assert both != decide_for_all([faint], store)
