"""Small made-up patients and scores for the report's tests."""

from collections.abc import Callable

import numpy as np
import pytest

from glioseg.evaluation.scores import PatientScores, Scores, score_patient
from glioseg.report.overlay import Case
from glioseg.volume import Mask, Volume

Cube = tuple[slice, slice, slice]


def mask(patient: str, *cubes: Cube, shape: tuple[int, int, int] = (8, 40, 32)) -> Mask:
    voxels = np.zeros(shape, np.bool_)
    for cube in cubes:
        voxels[cube] = True
    return Mask(patient, voxels)


def scan(patient: str, shape: tuple[int, int, int] = (8, 40, 32)) -> Volume:
    """An ellipse of noise on black."""
    rows, columns = np.mgrid[-1 : 1 : shape[1] * 1j, -1 : 1 : shape[2] * 1j]
    noise = np.random.default_rng(0).integers(60, 200, (*shape, 3))
    return Volume(patient, (noise * (rows**2 + columns**2 < 0.7)[..., None]).astype(np.uint8))


TRUTH: Cube = (slice(2, 6), slice(10, 20), slice(8, 18))


def shifted(columns: int) -> Cube:
    return (TRUTH[0], TRUTH[1], slice(8 + columns, 18 + columns))


@pytest.fixture(scope="session")
def scores() -> Scores:
    """Three patients of Dice 1, 0.8 and 0.5, one without any prediction, and one with neither tumour nor prediction."""
    patients: list[PatientScores] = []
    for name, site, columns in (("CS_0001", "CS", 0), ("DU_0002", "DU", 2), ("HT_0003", None, 5)):
        missing = ("pre", "post") if columns == 5 else ()
        predicted, truth = mask(name, shifted(columns)), mask(name, TRUTH)
        patients.append(score_patient(predicted, truth, site=site, missing_sequences=missing))
    patients.append(score_patient(mask("DU_0004"), mask("DU_0004", TRUTH), site="DU"))
    patients.append(score_patient(mask("FG_0005"), mask("FG_0005"), site="FG"))
    return Scores(tuple(patients))


@pytest.fixture(scope="session")
def make_case() -> Callable[..., Case]:
    def make(label: str = "median", patient: str = "DU_0002", columns: int = 2, dice: float | None = 0.8) -> Case:
        return Case(label, patient, scan(patient), mask(patient, TRUTH), mask(patient, shifted(columns)), dice)

    return make


@pytest.fixture(scope="session")
def history() -> list[dict[str, float | int | None]]:
    return [
        {
            "epoch": epoch,
            "step": epoch * 1000,
            "seconds": epoch * 61.0,
            "loss": 1 / epoch,
            "validation_dice": 0.7 if epoch == 4 else 0.1 * epoch if epoch % 2 == 0 else None,
            "learning_rate": 1e-3,
            "slices_per_second": 40.0 + epoch,
        }
        for epoch in range(1, 7)
    ]
