"""How the reports draw, and the learning curve: SVG text that is the same for the same numbers.

The ink is the page's own text colour (`currentColor`), so a drawing set inline in a dark page turns light with it.
"""

import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from glioseg.atomic import atomic_file

INK = "#123456"
"""Stands for the page's text colour while matplotlib draws; no other colour may equal it."""

BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#8a94a0"
SITE_COLOURS = (BLUE, ORANGE, GREEN, "#b8609a", "#c08a00", "#56b4e9", "#7a6a5d")
SITE_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""Okabe and Ito's colours, each with its own shape: the sites stay apart without colour too."""

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
    """Write :func:`learning_curve` as a PNG on white, whole or not at all.

    Raises:
        GliosegError: If the file cannot be written.
    """
    save_png(lambda: _draw_learning_curve(history), path, dpi=150)


def save_png(draw: Callable[[], Figure], path: Path, dpi: int) -> None:
    """Write a drawing as a PNG on white, whole or not at all; the same drawing gives the same bytes.

    Raises:
        GliosegError: If the file cannot be written.
    """
    with matplotlib.rc_context(STYLE):
        figure = draw()
        FigureCanvasAgg(figure)
        with atomic_file(path) as file:
            figure.savefig(file, format="png", dpi=dpi, facecolor="white", metadata={"Software": None})


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
