"""The table that every statistic of a study comes from: a row for each patient, run and metric."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from glioseg.atomic import write_text_atomically
from glioseg.errors import BadFileError
from glioseg.evaluation.scores import Scores
from glioseg.study.plan import ModelConfiguration, Run

SCORE_COLUMNS = ("patient", "network", "width", "seed", "fold", "metric", "value")
PATIENT_COLUMNS = ("patient", "site", "missing_sequences", "true_voxels")


@dataclass(frozen=True)
class ScoreRow:
    """One metric of one patient in one run.

    Attributes:
        patient: The patient's identifier.
        configuration: The network and its width.
        seed: The run's seed.
        fold: The short name of the run's split.
        metric: The metric's name.
        value: Its value, or None where the patient's masks do not define it.
    """

    patient: str
    configuration: ModelConfiguration
    seed: int
    fold: str
    metric: str
    value: float | None


@dataclass(frozen=True)
class PatientFacts:
    """What tells subgroups apart.

    Attributes:
        patient: The patient's identifier.
        site: The hospital's code, or None where unknown.
        missing_sequences: Sequences that were not taken.
        true_voxels: The tumour's volume.
    """

    patient: str
    site: str | None
    missing_sequences: tuple[str, ...]
    true_voxels: float


@dataclass(frozen=True)
class StudyTable:
    """All scores of a study.

    Attributes:
        rows: In the order of the plan's runs.
        patients: In the order of their names.
    """

    rows: tuple[ScoreRow, ...]
    patients: tuple[PatientFacts, ...]

    @classmethod
    def of_runs(cls, runs: Iterable[tuple[Run, Scores]]) -> Self:
        """Gather the scores of runs."""
        rows: list[ScoreRow] = []
        patients: dict[str, PatientFacts] = {}
        for run, scores in runs:
            for entry in scores.patients:
                voxels = entry.values["true_voxels"] or 0.0
                facts = PatientFacts(entry.patient, entry.site, entry.missing_sequences, voxels)
                patients[entry.patient] = facts
                rows += [
                    ScoreRow(entry.patient, run.configuration, run.seed, run.fold, name, value)
                    for name, value in entry.values.items()
                ]
        return cls(tuple(rows), tuple(patients[name] for name in sorted(patients)))

    @property
    def configurations(self) -> tuple[ModelConfiguration, ...]:
        """The networks in the order of the rows."""
        return tuple(dict.fromkeys(row.configuration for row in self.rows))

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds in the order of the rows."""
        return tuple(dict.fromkeys(row.seed for row in self.rows))

    def write(self, scores: Path, patients: Path) -> None:
        """Write rows and patients as two CSV files; numbers keep every digit.

        Raises:
            GliosegError: If a file cannot be written.
        """
        lines = [
            (r.patient, r.configuration.name, r.configuration.width, r.seed, r.fold, r.metric, _text(r.value))
            for r in self.rows
        ]
        write_text_atomically(scores, csv_text(SCORE_COLUMNS, lines))
        facts = [(p.patient, p.site or "", " ".join(p.missing_sequences), _text(p.true_voxels)) for p in self.patients]
        write_text_atomically(patients, csv_text(PATIENT_COLUMNS, facts))

    @classmethod
    def read(cls, scores: Path, patients: Path) -> Self:
        """Read what :meth:`write` wrote.

        Raises:
            GliosegError: If a file is missing or no such table.
        """
        rows = tuple(_row(line, scores) for line in _lines(scores, SCORE_COLUMNS))
        return cls(rows, tuple(_facts(line, patients) for line in _lines(patients, PATIENT_COLUMNS)))


def csv_text(header: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """Comma-separated text with Unix line ends."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return text.getvalue()


def _text(value: float | None) -> str:
    return "" if value is None else repr(float(value))


def _lines(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            lines, header = list(reader), tuple(reader.fieldnames or ())
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadFileError(path, f"cannot be read: {reason}", expected="a table of a study, CSV") from error
    if header != tuple(columns):
        found = ", ".join(header) or "nothing"
        raise BadFileError(path, "is no table of a study", expected=f"columns {', '.join(columns)}", found=found)
    return lines


def _row(line: Mapping[str, str], path: Path) -> ScoreRow:
    try:
        value = float(line["value"]) if line["value"] else None
        configuration = ModelConfiguration(line["network"], int(line["width"]))
        return ScoreRow(line["patient"], configuration, int(line["seed"]), line["fold"], line["metric"], value)
    except (TypeError, ValueError) as error:
        raise BadFileError(path, "has a damaged row", found=str(dict(line))) from error


def _facts(line: Mapping[str, str], path: Path) -> PatientFacts:
    try:
        missing = tuple(line["missing_sequences"].split())
        return PatientFacts(line["patient"], line["site"] or None, missing, float(line["true_voxels"]))
    except (AttributeError, TypeError, ValueError) as error:
        raise BadFileError(path, "has a damaged row", found=str(dict(line))) from error
