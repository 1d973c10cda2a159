"""Tables made by hand, and a study that takes seconds."""

from collections.abc import Callable, Mapping, Sequence

import pytest

from glioseg.study.plan import ModelConfiguration
from glioseg.study.table import PatientFacts, ScoreRow, StudyTable

UNET, RESUNET_A, RESUNET_PP = (
    ModelConfiguration("unet", 32),
    ModelConfiguration("resunet-a", 16),
    ModelConfiguration("resunet-pp", 16),
)
NETWORKS = (UNET, RESUNET_A, RESUNET_PP)


@pytest.fixture(scope="session")
def make_table() -> Callable[..., StudyTable]:
    """A table from the Dice of each network: a list by patient, or one such list for each seed."""

    def make(
        dice: Mapping[ModelConfiguration, Sequence[float | None] | Sequence[Sequence[float | None]]],
    ) -> StudyTable:
        rows = []
        number = 0
        for configuration, given in dice.items():
            seeds = given if isinstance(given[0], list) else [given]
            number = len(seeds[0])
            for seed, values in enumerate(seeds):
                for i, value in enumerate(values):
                    name = f"TCGA_{('CS', 'DU')[i % 2]}_{i:04d}_20000101"
                    metrics = {
                        "dice": value,
                        "hd95_px": None if value is None else 10 * (1 - value),
                        "true_voxels": 100.0 * (i + 1),
                        "predicted_voxels": 100.0 * (i + 1),
                        "intersection_voxels": 100.0 * (i + 1) * (value or 0.0),
                    }
                    rows += [ScoreRow(name, configuration, seed, "fold-0", metric, v) for metric, v in metrics.items()]
        patients = tuple(
            PatientFacts(
                f"TCGA_{('CS', 'DU')[i % 2]}_{i:04d}_20000101",
                ("CS", "DU")[i % 2],
                ("post",) if i == 0 else (),
                100.0 * (i + 1),
            )
            for i in range(number)
        )
        return StudyTable(tuple(rows), tuple(sorted(patients, key=lambda facts: facts.patient)))

    return make
