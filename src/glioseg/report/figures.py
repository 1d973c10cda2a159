"""The report's drawings: the learning curve and the patients' Dice, as SVG text that is the same for the same numbers.

The ink is the page's own text colour (`currentColor`), so a drawing set inline in a dark page turns light with it.
"""

import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from glioseg.evaluation.scores import PatientScores, Scores
from glioseg.evaluation.statistics import bootstrap_mean_interval

INK = "#123456"
"""Stands for the page's text colour while matplotlib draws; no other colour may equal it."""

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#8a94a0"
SITE_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b8609a", "#c08a00", "#56b4e9", "#7a6a5d")
SITE_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""Okabe and Ito's colours, each with its own shape: the sites stay apart without colour too."""

LABELLED_PATIENTS = 40
"""Up to this many patients, each is named on the axis; beyond, its name shows on hover and in the table."""

STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "glioseg",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "grid.color": GREY,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
}


def learning_curve(history: Sequence[Mapping[str, Any]]) -> str:
    """Loss and validation Dice over the epochs, as SVG.

    Args:
        history: Rows with the keys `epoch`, `loss` and `validation_dice`, the last None where it was not measured.
    """
    return as_svg(lambda: _draw_learning_curve(history), "curve")


def save_learning_curve(history: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write :func:`learning_curve` as a PNG on white."""
    with matplotlib.rc_context(STYLE):
        figure = _draw_learning_curve(history)
        FigureCanvasAgg(figure)
        figure.savefig(path, format="png", dpi=150, facecolor="white", metadata={"Software": None})


def dice_distribution(scores: Scores) -> str:
    """Every patient's Dice in rising order, with the median and the interval of the mean, as SVG.

    A patient's colour and shape are the site's, the name and the number show on hover. Patients whose Dice is
    undefined are left out.
    """
    defined = [patient for patient in scores.ranked() if patient.values["dice"] is not None]
    drawing = as_svg(lambda: _draw_distribution(defined), "dice")
    for place, patient in enumerate(defined):
        title = escape(f"{patient.patient} ({_site(patient)}): DSC {patient.values['dice']:.3f}")
        drawing = drawing.replace(
            f'<g id="dice-patient-{place}">', f'<g id="dice-patient-{place}"><title>{title}</title>'
        )
    return drawing


def _draw_learning_curve(history: Sequence[Mapping[str, Any]]) -> Figure:
    figure = Figure(figsize=(9.6, 3.1), layout="constrained")
    loss, dice = figure.subplots(1, 2, gridspec_kw={"wspace": 0.06})
    _draw_curve(loss, _measured(history, "loss"), marker="o" if len(history) == 1 else None)
    loss.set(title="Training loss", xlabel="epoch")
    loss.set_ylim(bottom=0)
    dice.set(title="Validation Dice", xlabel="epoch", ylim=(0, 1))
    if validated := _measured(history, "validation_dice"):
        _draw_curve(dice, validated, marker="o")
        _mark_best(dice, validated)
    else:
        dice.text(0.5, 0.5, "not measured during this training", ha="center", va="center", transform=dice.transAxes)
    for axes in (loss, dice):
        axes.xaxis.get_major_locator().set_params(integer=True)
    return figure


def _measured(history: Sequence[Mapping[str, Any]], key: str) -> list[tuple[int, float]]:
    """Epoch and value wherever there is a finite one."""
    values = ((row["epoch"], row.get(key)) for row in history)
    return [(epoch, value) for epoch, value in values if value is not None and math.isfinite(value)]


def _draw_curve(axes: Axes, points: Sequence[tuple[int, float]], marker: str | None) -> None:
    epochs, values = [epoch for epoch, _ in points], [value for _, value in points]
    axes.plot(epochs, values, color=BLUE, linewidth=1.8, marker=marker, markersize=3)


def _mark_best(axes: Axes, points: Sequence[tuple[int, float]]) -> None:
    epoch, best = max(points, key=lambda point: point[1])
    axes.plot(epoch, best, "o", markersize=9, markerfacecolor="none", color=ORANGE, markeredgewidth=1.6)
    axes.set_title(f"best {best:.3f}, epoch {epoch}", loc="right", color=ORANGE, fontweight="normal")


def _draw_distribution(patients: Sequence[PatientScores]) -> Figure:
    figure = Figure(figsize=(9.6, 3.6), layout="constrained")
    axes = figure.subplots()
    if not patients:
        axes.text(0.5, 0.5, "no patient with a defined Dice", ha="center", va="center", transform=axes.transAxes)
        axes.set_axis_off()
        return figure
    dice = [patient.values["dice"] or 0.0 for patient in patients]
    _draw_centre(axes, dice)
    _draw_patients(axes, patients, dice)
    lowest = max(0.0, math.floor(min(dice) * 10 - 0.5) / 10)
    axes.set(ylabel="3-D Dice", xlim=(-0.7, len(patients) - 0.3), ylim=(lowest, 1))
    _name_patients(axes, patients)
    return figure


def _draw_centre(axes: Axes, dice: Sequence[float]) -> None:
    """The mean with its interval and the median, in the ink's colour because other colours tell the site."""
    if interval := bootstrap_mean_interval(dice):
        axes.axhspan(*interval, color=INK, alpha=0.09, linewidth=0, label="95 % interval of the mean")
    mean, median = float(np.mean(dice)), float(np.median(dice))
    axes.axhline(mean, color=INK, linewidth=1, label=f"mean {mean:.3f}")
    axes.axhline(median, color=INK, linewidth=1, linestyle=(0, (5, 3)), label=f"median {median:.3f}")


def _draw_patients(axes: Axes, patients: Sequence[PatientScores], dice: Sequence[float]) -> None:
    sites = sorted({_site(patient) for patient in patients})
    looks = dict(zip(sites, cycle(zip(SITE_COLOURS, SITE_MARKERS, strict=True)), strict=False))
    for site, (colour, marker) in looks.items():
        axes.plot([], [], marker, color=colour, markersize=6, label=site)
    for place, (patient, value) in enumerate(zip(patients, dice, strict=True)):
        colour, marker = looks[_site(patient)]
        (dot,) = axes.plot(place, value, marker, color=colour, markersize=6, clip_on=False, zorder=3)
        dot.set_gid(f"patient-{place}")
    axes.figure.legend(
        loc="outside upper left", ncols=min(len(sites), 6) + 3, handletextpad=0.4, columnspacing=1.4, borderpad=0
    )


def _name_patients(axes: Axes, patients: Sequence[PatientScores]) -> None:
    axes.grid(visible=False, axis="x")
    axes.tick_params(axis="x", length=0)
    if len(patients) <= LABELLED_PATIENTS:
        axes.set_xticks(range(len(patients)), [patient.patient for patient in patients], rotation=90, fontsize=8)
    else:
        axes.set_xticks([])
        axes.set_xlabel("patients in rising order")


def _site(patient: PatientScores) -> str:
    return patient.site or "unknown"


def as_svg(draw: Callable[[], Figure], name: str) -> str:
    """The drawing as an `<svg>` element whose identifiers start with its name, so that several share a page."""
    with matplotlib.rc_context(STYLE):
        figure, text = draw(), io.StringIO()
        FigureCanvasSVG(figure)
        metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(text, format="svg", transparent=True, metadata=metadata)
    drawing = text.getvalue()
    drawing = drawing[drawing.index("<svg") :].replace(INK, "currentColor")
    # Its text is set in the page's own typeface.
    drawing = re.sub(r"'DejaVu Sans'[^;\"]*", "Inter, system-ui, sans-serif", drawing)
    return re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", drawing)
