"""The scores of a set of patients: summaries, subgroups, and the files they are kept in."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from glioseg.errors import GliosegError
from glioseg.evaluation.definitions import NSD_TOLERANCE, Metric, Spacing, measures, metric_table
from glioseg.evaluation.patient_scores import PatientScores, score_patient
from glioseg.evaluation.statistics import LEVEL, RESAMPLES, SEED, Summary, summarise
from glioseg.evaluation.subgroups import patient_groups
from glioseg.machine import library_versions

__all__ = ["PatientScores", "Scores", "score_patient"]

SCHEMA = 1
"""The version of the JSON file; a reader refuses any other. It rises when a metric of this name means something else;
a new metric leaves it as it is."""
NOT_MEASURED = "the metric is newer than the scores"
"""Why a metric is undefined that a file of before does not hold."""


@dataclass(frozen=True)
class Scores:
    """The scores of several patients under the same settings.

    Attributes:
        patients: One entry per patient.
        spacing_mm: Distance between voxels along (slice, row, column), ``own`` where each patient has that of the scan,
            or None where distances are in pixels.
        nsd_tolerance: Pixels, or millimetres where a spacing is given.
        libraries: Versions of the libraries that computed the scores.

    Raises:
        GliosegError: If a patient appears twice or was scored with other metrics than the settings say.
    """

    patients: tuple[PatientScores, ...]
    spacing_mm: Spacing | Literal["own"] | None = None
    nsd_tolerance: float = NSD_TOLERANCE
    libraries: dict[str, str] = field(default_factory=library_versions)

    def __post_init__(self) -> None:
        names = self.metrics().keys()
        seen: set[str] = set()
        for entry in self.patients:
            if entry.patient in seen:
                raise GliosegError(f"patient {entry.patient} is scored twice")
            seen.add(entry.patient)
            if entry.values.keys() != names:
                raise GliosegError(
                    f"patient {entry.patient}: the metrics do not fit the settings",
                    expected=", ".join(names),
                    found=", ".join(entry.values),
                )

    def metrics(self) -> dict[str, Metric]:
        """The definitions of the metrics under these settings, by name."""
        return metric_table(self.spacing_mm, self.nsd_tolerance)

    def measured(self) -> list[str]:
        """The names of the metrics without those that are newer than these scores."""
        reasons = [entry.undefined for entry in self.patients]
        return [name for name in self.metrics() if not reasons or any(of.get(name) != NOT_MEASURED for of in reasons)]

    def summary(self) -> dict[str, Summary]:
        """Every metric over all patients."""
        return {name: _summarise_metric(self.patients, name) for name in self.metrics()}

    def subgroups(self) -> dict[str, dict[str, Summary]]:
        """The 3-D Dice in groups of patients: by ``site``, ``missing_sequences`` and ``true_volume``."""
        return {
            grouping: {name: _summarise_metric(members, "dice") for name, members in groups.items()}
            for grouping, groups in patient_groups(self.patients).items()
        }

    def pooled_dice(self) -> float | None:
        """Dice over the voxels of all patients together, which large tumours dominate; None without any voxel."""
        both, predicted, true = (
            sum(entry.values[name] or 0.0 for entry in self.patients)
            for name in ("intersection_voxels", "predicted_voxels", "true_voxels")
        )
        return 2 * both / (predicted + true) if predicted + true else None

    def ranked(self) -> list[PatientScores]:
        """The patients by 3-D Dice, worst first, those without one last; equal ones by name."""

        def key(entry: PatientScores) -> tuple[bool, float, str]:
            score = entry.values["dice"]
            return score is None, score or 0.0, entry.patient

        return sorted(self.patients, key=key)

    def to_json(self) -> str:
        """The scores as strict JSON: definitions, settings, patients, and what follows from them.

        Raises:
            ValueError: If a value is not finite, which no metric gives.
        """
        content = {
            "schema": SCHEMA,
            "metrics": [asdict(metric) for metric in self.metrics().values()],
            "settings": self._settings(),
            "patients": [asdict(entry) for entry in self.patients],
            "summary": {name: asdict(summary) for name, summary in self.summary().items()},
            "pooled_dice": self.pooled_dice(),
            "subgroups": {
                grouping: {name: asdict(summary) for name, summary in groups.items()}
                for grouping, groups in self.subgroups().items()
            },
        }
        return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def _settings(self) -> dict[str, Any]:
        return {
            "spacing_mm": self.spacing_mm,
            "distance_unit": "px" if self.spacing_mm is None else "mm",
            "nsd_tolerance": self.nsd_tolerance,
            "bootstrap": {"resamples": RESAMPLES, "level": LEVEL, "seed": SEED},
            "libraries": self.libraries,
        }

    @classmethod
    def from_json(cls, text: str) -> "Scores":
        """Read what :meth:`to_json` wrote; summaries are computed anew from the patients.

        A metric that was not there yet when the file was written is undefined for every patient, :data:`NOT_MEASURED`.

        Raises:
            GliosegError: If the text is no such file.
        """
        content = _parsed(text)
        try:
            kept = _FILE.validate_python({"patients": _with_newer_metrics(content), **_kept_settings(content)})
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise GliosegError(f"the scores file is damaged at {place}", found=first["msg"]) from error
        return kept

    def to_csv(self) -> str:
        """One row per patient under a header, as comma-separated text; undefined metrics stay empty."""
        names = list(self.metrics())
        rows = io.StringIO()
        writer = csv.writer(rows, lineterminator="\n")
        writer.writerow(("patient", "site", "missing_sequences", *names))
        for entry in self.patients:
            values = (entry.values[name] for name in names)
            writer.writerow((entry.patient, entry.site, " ".join(entry.missing_sequences), *values))
        return rows.getvalue()


_FILE = TypeAdapter(Scores)


def _summarise_metric(patients: Sequence[PatientScores], name: str) -> Summary:
    return summarise([entry.values[name] for entry in patients])


def _kept_settings(content: dict[str, Any]) -> dict[str, Any]:
    settings = content.get("settings")
    names = ("spacing_mm", "nsd_tolerance", "libraries")
    return {name: settings.get(name) for name in names} if isinstance(settings, dict) else dict.fromkeys(names)


def _with_newer_metrics(content: dict[str, Any]) -> Any:
    """The patients of a file, to each the metrics that are not in its own table of metrics."""
    try:
        own = {metric["name"] for metric in content["metrics"]}
        unit: Literal["px", "mm"] = "px" if content["settings"]["spacing_mm"] is None else "mm"
        newer = dict.fromkeys(name for name in measures(unit) if name not in own)
        return [_with_newer(patient, newer) for patient in content["patients"]] if newer else content["patients"]
    except (KeyError, TypeError):
        # Damaged: the reader says where.
        return content.get("patients")


def _with_newer(patient: dict[str, Any], newer: dict[str, None]) -> dict[str, Any]:
    undefined = {**patient["undefined"], **dict.fromkeys(newer, NOT_MEASURED)}
    return {**patient, "values": {**patient["values"], **newer}, "undefined": undefined}


def _parsed(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise GliosegError("the scores file is no JSON", found=str(error)) from error
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != SCHEMA:
        raise GliosegError(
            "the scores file has another schema",
            expected=str(SCHEMA),
            found=str(schema),
            remedy="Evaluate again with this version of glioseg",
        )
    return dict(content)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name}, which strict JSON does not know")
