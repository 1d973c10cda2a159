"""The report of one trained network: a single HTML file that needs nothing beside it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from glioseg.atomic import write_text_atomically
from glioseg.evaluation.definitions import METRICS
from glioseg.evaluation.scores import Scores
from glioseg.evaluation.statistics import RESAMPLES, Summary
from glioseg.report.figures import dice_distribution, learning_curve
from glioseg.report.overlay import PREDICTION_COLOUR, TRUTH_COLOUR, Case, case_tiles, outline_layer
from glioseg.report.page import (
    ABSENT,
    OUTLINE_SCALE,
    OUTLINE_WIDTH_PX,
    css_colour,
    format_share,
    format_value,
    inline_svg,
    png_address,
    render_page,
    with_unit,
)

__all__ = ["Case", "RunReport", "format_value", "render_run_report", "verdict", "write_run_report"]

GROUPINGS = {"site": "Site", "missing_sequences": "Missing sequences", "true_volume": "True tumour volume"}


@dataclass(frozen=True)
class RunReport:
    """Everything a report tells.

    Attributes:
        title: The heading, such as the network's name.
        subtitle: One line under it.
        facts: Name and value of each setting: network, parameters, training patients, budget, split.
        scores: The patients' metrics and their statistics.
        history: The learning curve's rows with the keys `epoch`, `step`, `seconds`, `loss`, `validation_dice` (may be
            None), `learning_rate` and `slices_per_second`; empty where none was recorded.
        cases: The patients to show, such as best, median and worst.
        command: The command that makes this result again.
        part: What the scores are on, such as "20 patients of fold 0, not seen in training".
        notes: Sentences that the reader must know.
    """

    title: str
    subtitle: str
    facts: list[tuple[str, str]]
    scores: Scores
    history: list[dict[str, Any]]
    cases: list[Case]
    command: str
    part: str
    notes: list[str] = field(default_factory=list)


def write_run_report(path: Path, report: RunReport) -> None:
    """Write the report as one HTML file, whole or not at all.

    Raises:
        GliosegError: If the file cannot be written.
    """
    write_text_atomically(path, render_run_report(report))


def render_run_report(report: RunReport) -> str:
    """The report as HTML text; the same report gives the same text."""
    return render_page("run_report.html.j2", _contents(report))


def verdict(report: RunReport) -> str:
    """The result in words: mean with interval, median, the worst patient, and on which patients."""
    dice, worst = report.scores.summary()["dice"], next(iter(report.scores.ranked()), None)
    if dice.mean is None or worst is None:
        return f"On {report.part}, no patient has a defined 3-D Dice."
    if dice.count == 1:
        return (
            f"On {report.part}, the 3-D Dice of the only patient scored, {worst.patient}, is {format_share(dice.mean)}."
        )
    undefined = f" It is undefined for {dice.undefined} more." if dice.undefined else ""
    return (
        f"On {report.part}, the mean 3-D Dice is {format_share(dice.mean)} "
        f"(95\N{NO-BREAK SPACE}% interval {format_share(dice.ci_low)} to {format_share(dice.ci_high)}) "
        f"and the median {format_share(dice.median)}. "
        f"The worst of the {dice.count} patients, {worst.patient}, reaches {format_share(dice.minimum)}.{undefined}"
    )


def _contents(report: RunReport) -> dict[str, Any]:
    """The names that the template uses."""
    scores, summary = report.scores, report.scores.summary()
    return {
        "report": report,
        "verdict": verdict(report),
        "key_figures": _key_figures(scores, summary),
        "metrics": list(scores.metrics().values()),
        "summary": summary,
        "pooled_dice": scores.pooled_dice(),
        "resamples": RESAMPLES,
        "every_patient_has_tumour": all(patient.values["true_voxels"] for patient in scores.patients),
        "libraries": ", ".join(f"{name} {version}" for name, version in scores.libraries.items()),
        "patients": scores.ranked(),
        "distribution": inline_svg(dice_distribution(scores)) if summary["dice"].count else None,
        "subgroups": [(GROUPINGS.get(name, name), groups) for name, groups in scores.subgroups().items()],
        "cases": [_case_contents(case, scores) for case in report.cases],
        "training": _training_sentence(report.history),
        "curve": inline_svg(learning_curve(report.history)) if report.history else None,
        "colours": {"truth": css_colour(TRUTH_COLOUR), "prediction": css_colour(PREDICTION_COLOUR)},
        "absent": ABSENT,
    }


def _key_figures(scores: Scores, summary: Mapping[str, Summary]) -> list[tuple[str, str, str]]:
    """Name, number and remark of the figures at the top."""
    dice, metrics = summary["dice"], scores.metrics()
    figures = [
        ("Mean Dice", format_share(dice.mean), _range("95 %", dice.ci_low, dice.ci_high)),
        ("Median Dice", format_share(dice.median), _range("quartiles", dice.q1, dice.q3)),
        ("Worst patient", format_share(dice.minimum), scores.ranked()[0].patient if dice.count else ""),
    ]
    hd95 = _hd95_name(scores)
    figures.append(("HD95", with_unit(summary[hd95].median, metrics[hd95]), "median"))
    for title, name, remark in (
        ("Detection", "slice_detection_sensitivity", "of a patient's tumour slices, mean"),
        ("False alarms", "false_positive_slice_rate", "on a patient's tumour-free slices, mean"),
    ):
        figures.append((title, format_share(summary[name].mean), remark))
    return figures


def _hd95_name(scores: Scores) -> str:
    """The key of HD95, which tells the unit."""
    return next(name for name in scores.metrics() if name.startswith("hd95"))


def _range(name: str, low: float | None, high: float | None) -> str:
    return "" if low is None else f"{name} {format_share(low)} to {format_share(high)}"


def _case_contents(case: Case, scores: Scores) -> dict[str, Any]:
    metrics = scores.metrics()
    values = {patient.patient: patient.values for patient in scores.patients}.get(case.patient, {})
    shown = [name for name in (_hd95_name(scores), "precision", "recall") if name in values]
    numbers = [("Dice", format_share(case.dice))]
    numbers += [(metrics[name].title, with_unit(values[name], metrics[name])) for name in shown]
    for title, mask in (("True tumour", case.truth), ("Predicted tumour", case.predicted)):
        numbers.append((title, with_unit(float(np.count_nonzero(mask.voxels)), metrics["true_voxels"])))
    return {"case": case, "numbers": numbers, "slices": len(case.truth.voxels), "tiles": list(_pictures(case))}


def _pictures(case: Case) -> Iterator[dict[str, Any]]:
    for tile in case_tiles(case):
        layer = outline_layer(tile.truth, tile.predicted, scale=OUTLINE_SCALE, line_px=OUTLINE_WIDTH_PX)
        yield {
            "number": tile.slice_index + 1,
            "reason": tile.reason,
            "grey": png_address(tile.grey),
            "outlines": png_address(layer),
            "width": tile.grey.shape[1],
            "height": tile.grey.shape[0],
        }


def _training_sentence(history: Sequence[Mapping[str, Any]]) -> str:
    if not history:
        return "No learning curve was recorded."
    last, speeds = history[-1], [row["slices_per_second"] for row in history if row.get("slices_per_second")]
    parts = [
        f"{last['epoch']} epochs",
        f"{format_value(last['step'], METRICS['true_voxels'])} steps",
        _duration(last["seconds"]),
    ]
    if speeds:
        parts.append(f"a median of {np.median(speeds):.1f} slices per second")
    return f"{', '.join(parts)}."


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
