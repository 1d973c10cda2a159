"""From the table of a study to what it says: which network is better, by how much, and how sure that is.

The unit is the patient: where a patient was scored in several runs of a network, the mean over these runs counts
once. Runs in which the metric is undefined for the patient enter no mean.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from glioseg.evaluation.comparison import (
    Pair,
    PatientValues,
    Spread,
    compare_pairs,
    rank_stability,
    seed_and_patient_spread,
)
from glioseg.evaluation.patient_scores import PatientScores
from glioseg.evaluation.statistics import Summary, mean_of_defined, summarise
from glioseg.evaluation.subgroups import patient_groups
from glioseg.study.plan import ModelConfiguration
from glioseg.study.table import PatientFacts, StudyTable

PRIMARY = "dice"


@dataclass(frozen=True)
class StudyAnalysis:
    """What a study says.

    Attributes:
        configurations: The networks, that of the highest mean Dice first.
        patients: The patients scored, by name.
        values: The primary metric of each network for each patient, mean over runs.
        summaries: Every metric of each network over the patients.
        pooled_dice: Of each network, over the voxels of all patients and runs; None without any voxel.
        pairs: By metric, the primary one and that of the boundary: every two networks, in their order.
        ranks: For each network the share of resamples in which it takes each rank, best first; empty where no patient
            has every score.
        spread: For each network, scatter between seeds and between patients.
        subgroups: The primary metric by grouping, group and network.
        seeds: How many seeds each network was trained from.
    """

    configurations: tuple[ModelConfiguration, ...]
    patients: tuple[PatientFacts, ...]
    values: dict[ModelConfiguration, PatientValues]
    summaries: dict[ModelConfiguration, dict[str, Summary]]
    pooled_dice: dict[ModelConfiguration, float | None]
    pairs: dict[str, tuple[Pair[ModelConfiguration], ...]]
    ranks: dict[ModelConfiguration, tuple[float, ...]]
    spread: dict[ModelConfiguration, Spread]
    subgroups: dict[str, dict[str, dict[ModelConfiguration, Summary]]]
    seeds: int


def analyse(table: StudyTable) -> StudyAnalysis:
    """Compute everything that a study's report says about scores.

    Args:
        table: The scores; every network on the same patients.

    Raises:
        ValueError: If the table is empty.
    """
    if not table.rows:
        raise ValueError("the study has no scores")
    names = [facts.patient for facts in table.patients]
    metrics = list(dict.fromkeys(row.metric for row in table.rows))
    values = {metric: patient_means(table, metric) for metric in metrics}
    configurations = _ranked(table.configurations, values[PRIMARY])
    summaries = {c: {m: summarise([values[m][c].get(n) for n in names]) for m in metrics} for c in configurations}
    compared = [metric for metric in metrics if metric == PRIMARY or metric.startswith("hd95")]
    return StudyAnalysis(
        configurations=configurations,
        patients=table.patients,
        values={c: values[PRIMARY][c] for c in configurations},
        summaries=summaries,
        pooled_dice={c: _pooled_dice(table, c) for c in configurations},
        pairs={metric: compare_pairs({c: values[metric][c] for c in configurations}) for metric in compared},
        ranks=_ranks(configurations, values[PRIMARY], names),
        spread={c: _spread(table, c) for c in configurations},
        subgroups=_subgroups(table.patients, configurations, values[PRIMARY]),
        seeds=len(table.seeds),
    )


def patient_means(table: StudyTable, metric: str) -> dict[ModelConfiguration, PatientValues]:
    """One metric of each network for each patient: the mean over the runs that define it, None where none does."""
    found: dict[ModelConfiguration, dict[str, list[float | None]]] = {
        configuration: {} for configuration in table.configurations
    }
    for row in table.rows:
        if row.metric == metric:
            found[row.configuration].setdefault(row.patient, []).append(row.value)
    return {
        configuration: {patient: mean_of_defined(runs) for patient, runs in patients.items()}
        for configuration, patients in found.items()
    }


def _ranked(
    configurations: Sequence[ModelConfiguration], values: Mapping[ModelConfiguration, PatientValues]
) -> tuple[ModelConfiguration, ...]:
    """By mean, best first; equal ones in the order of the plan."""
    means = {c: summarise(list(values[c].values())).mean for c in configurations}
    return tuple(sorted(configurations, key=lambda c: -1.0 if (mean := means[c]) is None else mean, reverse=True))


def _ranks(
    configurations: Sequence[ModelConfiguration],
    values: Mapping[ModelConfiguration, PatientValues],
    patients: Sequence[str],
) -> dict[ModelConfiguration, tuple[float, ...]]:
    rows = [[values[c].get(name) for c in configurations] for name in patients]
    complete = np.array([row for row in rows if None not in row], dtype=np.float64)
    if not complete.size:
        return {}
    return {c: tuple(map(float, shares)) for c, shares in zip(configurations, rank_stability(complete), strict=True)}


def _spread(table: StudyTable, configuration: ModelConfiguration) -> Spread:
    """Over the patients that every seed scores."""
    scored: dict[str, dict[int, float]] = {}
    for row in table.rows:
        if row.metric == PRIMARY and row.configuration == configuration and row.value is not None:
            scored.setdefault(row.patient, {})[row.seed] = row.value
    complete = [
        [by_seed[seed] for seed in table.seeds] for by_seed in scored.values() if len(by_seed) == len(table.seeds)
    ]
    return seed_and_patient_spread(np.array(complete).T) if complete else Spread(None, None)


def _pooled_dice(table: StudyTable, configuration: ModelConfiguration) -> float | None:
    sums = dict.fromkeys(("intersection_voxels", "predicted_voxels", "true_voxels"), 0.0)
    for row in table.rows:
        if row.configuration == configuration and row.metric in sums:
            sums[row.metric] += row.value or 0.0
    both, predicted, true = sums.values()
    return 2 * both / (predicted + true) if predicted + true else None


def _subgroups(
    patients: Sequence[PatientFacts],
    configurations: Sequence[ModelConfiguration],
    values: Mapping[ModelConfiguration, PatientValues],
) -> dict[str, dict[str, dict[ModelConfiguration, Summary]]]:
    entries = [
        PatientScores(p.patient, p.site, p.missing_sequences, {"true_voxels": p.true_voxels}, {}) for p in patients
    ]
    return {
        grouping: {
            group: {c: summarise([values[c].get(member.patient) for member in members]) for c in configurations}
            for group, members in groups.items()
        }
        for grouping, groups in patient_groups(entries).items()
    }
