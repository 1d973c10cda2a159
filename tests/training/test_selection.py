from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from glioseg.dataset.store import ArrayStore
from glioseg.inference.postprocessing import Decision, Postprocessing
from glioseg.training.selection import CANDIDATES, brain_of, choose_decision, choose_postprocessing

SHAPE = (14, 30, 30)
Place = tuple[slice, slice, slice]
TUMOUR = (slice(2, 12), slice(2, 12), slice(2, 12))  # 1000 voxels


def probabilities(tumour: float, *elsewhere: tuple[Place, float]) -> NDArray[np.float32]:
    values = np.full(SHAPE, 0.05, np.float32)
    values[TUMOUR] = tumour
    for place, value in elsewhere:
        values[place] = value
    return values


def truth() -> NDArray[np.bool_]:
    mask = np.zeros(SHAPE, np.bool_)
    mask[TUMOUR] = True
    return mask


def blob(side: int) -> Place:
    """A cube apart from the tumour."""
    return (slice(2, 2 + side), slice(18, 18 + side), slice(18, 18 + side))


def choose(*volumes: NDArray[np.float32]) -> Postprocessing:
    return choose_postprocessing([(volume, truth()) for volume in volumes])


def test_no_patient_gives_the_default() -> None:
    assert choose_postprocessing([]) == Postprocessing()


def test_a_prediction_without_fault_keeps_the_default() -> None:
    assert choose(probabilities(0.9)) == Postprocessing()


@pytest.mark.parametrize(
    ("tumour", "elsewhere", "threshold"), [(0.35, 0.05, 0.3), (0.45, 0.35, 0.4), (0.95, 0.65, 0.7)]
)
def test_a_better_threshold_wins(tumour: float, elsewhere: float, threshold: float) -> None:
    """Elsewhere lies more than the tumour, so that no component rule helps."""
    assert choose(probabilities(tumour, (blob(11), elsewhere))) == Postprocessing(threshold=threshold)


def test_the_largest_component_alone_is_never_chosen() -> None:
    """It would gain here, 125 voxels being more than a tenth of the tumour's 1000, but may cost a patient elsewhere."""
    assert choose(probabilities(0.9, (blob(5), 0.9))) == Postprocessing()


def test_the_relative_rule_wins_where_a_tumour_has_two_parts() -> None:
    """A speck of 24 voxels is false, a second part of 216 is true: only the rule of a tenth tells them apart."""
    values, true = probabilities(0.9, (blob(6), 0.9)), truth()
    values[12:14, 26:29, 2:6] = 0.9
    true[blob(6)] = True
    assert choose_postprocessing([(values, true)]) == Postprocessing(components="relative")


def test_a_tie_goes_to_the_threshold_nearest_the_default() -> None:
    """Every threshold cuts the same mask here; only the component rule matters."""
    assert choose(probabilities(0.9, (blob(4), 0.9))) == Postprocessing(components="relative", threshold=0.5)


@pytest.mark.parametrize(("side", "changed"), [(1, False), (2, True)])
def test_the_default_gives_way_to_a_worthwhile_gain_only(side: int, changed: bool) -> None:
    """One false voxel costs 1 - 2000/2001 = 0.0005 of Dice, eight cost 0.004; 0.003 is worth a change."""
    chosen = choose(probabilities(0.9, (blob(side), 0.9)))
    assert (chosen != Postprocessing()) is changed


def test_a_small_tumour_counts_as_much_as_a_large_one() -> None:
    """At 0.3 a faint tumour of 8 voxels is found, and a large one gets a false part as large again grown to it.

    Mean of patients: 0 + 1 + 1 at the default, 1 + 2/3 + 2/3 at 0.3; over all voxels the default would win.
    """
    small = np.zeros(SHAPE, np.bool_)
    small[2:4, 2:4, 2:4] = True
    faint = np.where(small, 0.35, 0.05).astype(np.float32)
    grown = probabilities(0.9, ((slice(2, 12), slice(12, 22), slice(2, 12)), 0.35))
    assert choose_postprocessing([(faint, small), (grown, truth()), (grown, truth())]) == Postprocessing(threshold=0.3)
    assert choose(grown) == Postprocessing()


def test_a_patient_without_tumour_and_prediction_does_not_count() -> None:
    sick, healthy = (probabilities(0.35), truth()), (np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.bool_))
    assert choose_postprocessing([sick, healthy]) == Postprocessing(threshold=0.3)


def test_the_default_is_among_the_candidates() -> None:
    assert Postprocessing() in CANDIDATES
    assert len(set(CANDIDATES)) == len(CANDIDATES) == 14


def test_the_temperature_is_fitted_inside_the_brain_and_the_rule_on_what_it_calibrates(store: ArrayStore) -> None:
    """Probabilities that are far too sure get a temperature above 1, whatever they say of the air."""
    patients = [entry.patient for entry in store.patients[:2]]
    chance = np.random.default_rng(0)

    def predicted(air: float) -> Iterator[tuple[str, NDArray[np.float32]]]:
        for patient in patients:
            inside = brain_of(store, patient)
            sure = np.where(store.mask(patient).voxels ^ (chance.random(inside.shape) < 0.1), 0.99, 0.01)
            yield patient, np.where(inside, sure, air).astype(np.float32)

    decision = choose_decision(predicted(air=0.0), store)
    assert decision.temperature > 1.5
    chance = np.random.default_rng(0)
    assert choose_decision(predicted(air=0.3), store).temperature == decision.temperature
    assert decision.postprocessing in CANDIDATES


def test_without_patients_nothing_is_chosen(store: ArrayStore) -> None:
    assert choose_decision([], store) == Decision()
