"""Patients grouped by site, by missing sequences and by the true volume of their tumour."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from glioseg.evaluation.patient_scores import PatientScores

TERCILES = ("smallest third", "middle third", "largest third")


def patient_groups(patients: Sequence[PatientScores]) -> dict[str, dict[str, list[PatientScores]]]:
    """The patients of each group, by grouping and name of the group.

    Returns:
        ``site`` by site code or "unknown"; ``missing_sequences`` by names joined with "and", or "none";
        ``true_volume`` by tercile of the true voxel count, left out below three patients.
    """
    groups = {
        "site": _grouped((patient.site or "unknown", patient) for patient in patients),
        "missing_sequences": _grouped((" and ".join(p.missing_sequences) or "none", p) for p in patients),
    }
    limits = volume_tercile_limits(patients)
    if limits is not None:
        thirds = _grouped((_tercile(patient, limits), patient) for patient in patients)
        groups["true_volume"] = {name: thirds[name] for name in TERCILES if name in thirds}
    return groups


def volume_tercile_limits(patients: Sequence[PatientScores]) -> tuple[float, float] | None:
    """The largest true voxel counts of the smallest and the middle third, or None below three patients."""
    if len(patients) < 3:
        return None
    volumes = [_true_voxels(patient) for patient in patients]
    lower, upper = np.quantile(volumes, (1 / 3, 2 / 3), method="inverted_cdf")
    return float(lower), float(upper)


def _tercile(patient: PatientScores, limits: tuple[float, float]) -> str:
    return TERCILES[sum(_true_voxels(patient) > limit for limit in limits)]


def _true_voxels(patient: PatientScores) -> float:
    return patient.values["true_voxels"] or 0.0


def _grouped(named: Iterable[tuple[str, PatientScores]]) -> dict[str, list[PatientScores]]:
    groups: defaultdict[str, list[PatientScores]] = defaultdict(list)
    for name, patient in named:
        groups[name].append(patient)
    return dict(sorted(groups.items()))
