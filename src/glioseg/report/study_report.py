"""The report of a study: one HTML file that needs nothing beside it, and its tables as Markdown and CSV."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from glioseg.atomic import write_text_atomically
from glioseg.display import PREDICTION_COLOUR, TRUTH_COLOUR
from glioseg.evaluation.definitions import Metric
from glioseg.report.figures import learning_curve
from glioseg.report.overlay import contour_layer
from glioseg.report.page import (
    CONTOUR_SCALE,
    CONTOUR_WIDTH_PX,
    css_colour,
    format_share,
    inline_svg,
    png_address,
    render_page,
)
from glioseg.report.study_cases import StudyCase, StudyTile, study_tiles
from glioseg.report.study_figures import History, dice_against_cost, dice_by_network, learning_curves
from glioseg.report.study_tables import study_tables
from glioseg.report.study_verdict import headline, verdict
from glioseg.study.analysis import StudyAnalysis
from glioseg.study.cost import ConfigurationCost
from glioseg.study.plan import ModelConfiguration


@dataclass(frozen=True)
class StudyReport:
    """Everything a study's report tells.

    Attributes:
        title: The heading.
        subtitle: One line under it.
        facts: Name and value of each condition that all networks shared.
        analysis: What the scores say.
        costs: What each network costs.
        metrics: The definitions of the metrics, by name.
        libraries: Versions of the libraries that computed the scores.
        histories: The learning curves of each network's runs.
        cases: The patients to show.
        command: The command that makes this result again.
        notes: Sentences that the reader must know.
        cases_note: Which runs the shown masks come from.
    """

    title: str
    subtitle: str
    facts: list[tuple[str, str]]
    analysis: StudyAnalysis
    costs: Mapping[ModelConfiguration, ConfigurationCost]
    metrics: Mapping[str, Metric]
    libraries: Mapping[str, str]
    histories: Mapping[ModelConfiguration, Sequence[History]]
    cases: list[StudyCase]
    command: str
    notes: list[str] = field(default_factory=list)
    cases_note: str = ""


def write_study_report(path: Path, tables: Path, report: StudyReport) -> None:
    """Write the page, and every table as ``<name>.md`` and ``<name>.csv`` into a folder.

    Raises:
        GliosegError: If a file cannot be written.
    """
    for table in study_tables(report.analysis, report.costs, report.metrics):
        write_text_atomically(tables / f"{table.name}.md", table.markdown())
        write_text_atomically(tables / f"{table.name}.csv", table.csv())
    write_text_atomically(tables / "conclusion.md", f"{verdict(report.analysis, report.costs)}\n")
    write_text_atomically(path, render_study_report(report))


def render_study_report(report: StudyReport) -> str:
    """The report as HTML text; the same report gives the same text."""
    analysis = report.analysis
    tables = {table.name: table for table in study_tables(analysis, report.costs, report.metrics)}
    return render_page(
        "study_report.html.j2",
        {
            "report": report,
            "headline": headline(analysis),
            "verdict": verdict(analysis, report.costs),
            "tables": tables,
            "metrics": list(report.metrics.values()),
            "libraries": ", ".join(f"{name} {version}" for name, version in report.libraries.items()),
            "dice_figure": inline_svg(dice_by_network(analysis)),
            "cost_figure": inline_svg(dice_against_cost(analysis, report.costs)) if report.costs else None,
            "learning_figure": _learning_figure(report.histories),
            "one_run": sum(map(len, report.histories.values())) == 1,
            "cases": [_case_contents(case, number) for number, case in enumerate(report.cases)],
            "candidates": analysis.configurations,
            "colours": {"truth": css_colour(TRUTH_COLOUR), "prediction": css_colour(PREDICTION_COLOUR)},
        },
    )


def _learning_figure(histories: Mapping[ModelConfiguration, Sequence[History]]) -> Any:
    runs = [run for of_configuration in histories.values() for run in of_configuration]
    if len(runs) == 1 and runs[0]:
        return inline_svg(learning_curve(runs[0]))
    measured = any(row.get("validation_dice") is not None for run in runs for row in run)
    return inline_svg(learning_curves(histories)) if measured else None


def _case_contents(case: StudyCase, number: int) -> dict[str, Any]:
    voxels = f"{np.count_nonzero(case.truth.voxels):,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    dice = {configuration: format_share(value) for configuration, value in case.dice.items()}
    rows = list(_rows(case, number))
    return {"case": case, "dice": dice, "true_voxels": voxels, "slices": len(case.truth.voxels), "rows": rows}


def _rows(case: StudyCase, number: int) -> Iterator[dict[str, Any]]:
    for tile in study_tiles(case):
        height, width = tile.grey.shape
        yield {
            "identifier": f"case-{number}-slice-{tile.slice_index}",
            "number": tile.slice_index + 1,
            "reason": tile.reason,
            "grey": png_address(tile.grey),
            "truth": png_address(_contours(tile, None)),
            "predicted": {c: (png_address(_contours(tile, c)), _slice_dice(tile, c)) for c in tile.predicted},
            "width": width,
            "height": height,
        }


def _contours(tile: StudyTile, configuration: ModelConfiguration | None) -> Any:
    predicted = np.zeros_like(tile.truth) if configuration is None else tile.predicted[configuration]
    return contour_layer(tile.truth, predicted, scale=CONTOUR_SCALE, line_px=CONTOUR_WIDTH_PX)


def _slice_dice(tile: StudyTile, configuration: ModelConfiguration) -> str:
    predicted, truth = tile.predicted[configuration], tile.truth
    total = int(predicted.sum() + truth.sum())
    return format_share(2 * int((predicted & truth).sum()) / total if total else None)
