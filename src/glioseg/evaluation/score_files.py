"""One metric of each patient, out of any file of scores that glioseg writes."""

import csv
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from glioseg.errors import BadFileError, GliosegError
from glioseg.evaluation.comparison import PatientValues
from glioseg.evaluation.scores import Scores
from glioseg.evaluation.statistics import mean_of_defined

_LONG = {"patient", "network", "width", "metric", "value"}
"""Columns of a study's table, which has a row for each metric."""


def read_patient_values(path: Path, metric: str) -> dict[str, PatientValues]:
    """Read one metric.

    Args:
        path: ``scores.json``, a table with a row for each patient, or a study's table of all its networks. A patient
            who stands in several runs of a network, as with several seeds, has the mean of them.
        metric: The metric's name.

    Returns:
        By network, as ``unet-16``; one unnamed network ("") where the file holds the scores of one.

    Raises:
        GliosegError: If the file cannot be read, is none of these, or lacks the metric.
    """
    if path.suffix == ".json":
        return {"": _of_scores(read_scores(path), metric, path)}
    return _of_table(_lines(path), metric, path)


def read_scores(path: Path) -> Scores:
    """Read ``scores.json``.

    Raises:
        GliosegError: If the file cannot be read or is no such file; the message names it.
    """
    text = _text(path)
    try:
        return Scores.from_json(text)
    except GliosegError as error:
        raise GliosegError(
            f"{path}: {error.problem}", expected=error.expected, found=error.found, remedy=error.remedy
        ) from error


def _lines(path: Path) -> list[dict[str, str]]:
    """The rows of a table; what a row lacks is empty."""
    try:
        return list(csv.DictReader(_text(path).splitlines(), restval=""))
    except csv.Error as error:
        raise BadFileError(path, f"cannot be read: {error}", expected="a table of scores, CSV") from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadFileError(path, f"cannot be read: {reason}", remedy="Give a file of scores, JSON or CSV") from error


def _of_scores(scores: Scores, metric: str, path: Path) -> PatientValues:
    _check_metric(metric, scores.measured(), path)
    return {entry.patient: entry.values[metric] for entry in scores.patients}


def _of_table(lines: list[dict[str, str]], metric: str, path: Path) -> dict[str, PatientValues]:
    columns = set(lines[0]) if lines else set()
    if columns >= _LONG:
        _check_metric(metric, (line["metric"] for line in lines), path)
        runs: dict[str, dict[str, list[float | None]]] = {}
        for line in lines:
            if line["metric"] == metric:
                network = runs.setdefault(f"{line['network']}-{line['width']}", {})
                network.setdefault(line["patient"], []).append(_number(line["value"], path))
        return {name: {patient: mean_of_defined(values) for patient, values in of.items()} for name, of in runs.items()}
    if "patient" not in columns:
        raise BadFileError(
            path,
            "is no table of scores",
            expected="a column patient and one for each metric",
            found=", ".join(sorted(map(str, columns))) or "no row",
            remedy="Give what 'glioseg evaluate', 'train', 'study' or 'bundle' has written",
        )
    _check_metric(metric, columns - {"patient"}, path)
    return {"": {line["patient"]: _number(line[metric], path) for line in lines}}


def _check_metric(metric: str, known: Iterable[str] | Mapping[str, object], path: Path) -> None:
    names = dict.fromkeys(known)
    if metric not in names:
        raise BadFileError(path, f"holds no {metric}", expected=f"one of {', '.join(sorted(names))}", found=metric)


def _number(text: str | None, path: Path) -> float | None:
    try:
        number = float(text) if text else None
    except ValueError:
        number = math.nan
    if number is not None and not math.isfinite(number):
        raise BadFileError(path, "has a damaged row", expected="a number or nothing", found=str(text))
    return number
