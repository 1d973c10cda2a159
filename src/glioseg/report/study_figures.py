"""The drawings of a study's report, as SVG that is the same for the same numbers."""

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import cycle

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from glioseg.report.figures import GREY, INK, SITE_COLOURS, SITE_MARKERS, as_svg
from glioseg.study.analysis import PRIMARY, StudyAnalysis
from glioseg.study.cost import ConfigurationCost
from glioseg.study.plan import ModelConfiguration

History = Sequence[Mapping[str, float | None]]


def network_looks(configurations: Sequence[ModelConfiguration]) -> dict[ModelConfiguration, tuple[str, str]]:
    """A colour and a marker for each network, the same in every drawing."""
    return dict(zip(sorted(configurations), cycle(zip(SITE_COLOURS, SITE_MARKERS, strict=True)), strict=False))


def dice_by_network(analysis: StudyAnalysis) -> str:
    """Left, every patient's Dice with each network; right, the paired differences with their intervals.

    A patient's name and Dice show on hover; a thin line joins the same patient from network to network.
    """
    drawing = as_svg(lambda: _draw_dice(analysis), "networks")
    for row, configuration in enumerate(analysis.configurations):
        for name, value in analysis.values[configuration].items():
            if value is not None:
                title = escape(f"{name}, {configuration.title}: DSC {value:.3f}")
                place = f'<g id="networks-{row}-{name}">'
                drawing = drawing.replace(place, f"{place}<title>{title}</title>")
    return drawing


def dice_against_cost(analysis: StudyAnalysis, costs: Mapping[ModelConfiguration, ConfigurationCost]) -> str:
    """Mean Dice with its interval against arithmetic and against the time of a prediction."""
    return as_svg(lambda: _draw_cost(analysis, costs), "cost")


def learning_curves(histories: Mapping[ModelConfiguration, Sequence[History]]) -> str:
    """Validation Dice of every run against minutes of training and against steps."""
    return as_svg(lambda: _draw_learning(histories), "learning")


def _draw_dice(analysis: StudyAnalysis) -> Figure:
    networks, pairs = len(analysis.configurations), analysis.pairs[PRIMARY]
    height = 1.1 + 0.62 * max(networks, len(pairs))
    figure = Figure(figsize=(9.6, height), layout="constrained")
    if not pairs:
        _draw_strips(figure.subplots(), analysis)
        return figure
    strips, differences = figure.subplots(1, 2, width_ratios=(3, 2), gridspec_kw={"wspace": 0.06})
    _draw_strips(strips, analysis)
    _draw_differences(differences, analysis)
    return figure


def _draw_strips(axes: Axes, analysis: StudyAnalysis) -> None:
    """A row for each network, best on top: patients below, mean with its interval above."""
    looks = network_looks(analysis.configurations)
    for patient in (facts.patient for facts in analysis.patients):
        path = [(analysis.values[c].get(patient), row + 0.12) for row, c in enumerate(analysis.configurations)]
        drawn = [(value, row) for value, row in path if value is not None]
        axes.plot([v for v, _ in drawn], [row for _, row in drawn], color=GREY, linewidth=0.5, alpha=0.35)
    for row, configuration in enumerate(analysis.configurations):
        colour, marker = looks[configuration]
        for patient, value in analysis.values[configuration].items():
            if value is not None:
                (dot,) = axes.plot(value, row + 0.12, marker, color=colour, markersize=4.5, alpha=0.75, clip_on=False)
                dot.set_gid(f"{row}-{patient}")
        _draw_mean(axes, analysis, configuration, row - 0.22, colour)
    axes.set_yticks(range(len(analysis.configurations)), [c.title for c in analysis.configurations])
    defined = [v for values in analysis.values.values() for v in values.values() if v is not None]
    lowest = max(0.0, math.floor(min(defined, default=0.0) * 10 - 0.2) / 10)
    axes.set(xlim=(lowest, 1), ylim=(len(analysis.configurations) - 0.45, -0.6))
    axes.set_title("3-D Dice of each patient, mean and 95 % interval")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def _draw_mean(axes: Axes, analysis: StudyAnalysis, configuration: ModelConfiguration, row: float, colour: str) -> None:
    summary = analysis.summaries[configuration][PRIMARY]
    if summary.mean is None:
        return
    if summary.ci_low is not None and summary.ci_high is not None:
        axes.plot((summary.ci_low, summary.ci_high), (row, row), color=colour, linewidth=2.4, solid_capstyle="butt")
    axes.plot(summary.mean, row, "d", color=INK, markersize=6, zorder=4)
    axes.annotate(
        f"{summary.mean:.3f}", (summary.mean, row), (0, 5), textcoords="offset points", ha="center", fontsize=9
    )


def _draw_differences(axes: Axes, analysis: StudyAnalysis) -> None:
    pairs = analysis.pairs[PRIMARY]
    axes.axvline(0, color=INK, linewidth=0.8)
    for row, pair in enumerate(pairs):
        compared = pair.comparison
        if compared.mean_difference is None:
            continue
        if compared.ci_low is not None and compared.ci_high is not None:
            axes.plot((compared.ci_low, compared.ci_high), (row, row), color=INK, linewidth=2, solid_capstyle="butt")
        face = INK if pair.is_shown else "white"
        axes.plot(compared.mean_difference, row, "o", color=INK, markerfacecolor=face, markersize=7, zorder=4)
    axes.set_yticks(range(len(pairs)), [f"{p.first.title}\n− {p.second.title}" for p in pairs], fontsize=9)
    axes.set_ylim(len(pairs) - 0.45, -0.6)
    reach = max(abs(end) for end in axes.get_xlim())
    axes.set_xlim(-reach, reach)
    axes.set_title("Paired difference, 95 % interval")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def _draw_cost(analysis: StudyAnalysis, costs: Mapping[ModelConfiguration, ConfigurationCost]) -> Figure:
    figure = Figure(figsize=(9.6, 3.1), layout="constrained")
    panels: tuple[tuple[str, Callable[[ConfigurationCost], float]], ...] = (
        ("GMAC for one slice", lambda cost: cost.network.gmacs),
        ("ms to predict a slice on the CPU", lambda cost: cost.cpu_ms_per_slice),
        ("million parameters", lambda cost: cost.network.parameters / 1e6),
    )
    for index, (axes, (title, of)) in enumerate(zip(figure.subplots(1, len(panels), sharey=True), panels, strict=True)):
        _draw_against(axes, analysis, {c: of(cost) for c, cost in costs.items()})
        axes.set(xlabel=title, ylabel="mean 3-D Dice" if index == 0 else "")
        axes.set_xlim(left=0)
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper left", ncols=4, handletextpad=0.4, borderpad=0)
    return figure


def _draw_against(axes: Axes, analysis: StudyAnalysis, amounts: Mapping[ModelConfiguration, float]) -> None:
    looks = network_looks(analysis.configurations)
    for configuration, amount in amounts.items():
        summary, (colour, marker) = analysis.summaries[configuration][PRIMARY], looks[configuration]
        if summary.mean is None:
            continue
        if summary.ci_low is not None and summary.ci_high is not None:
            axes.plot((amount, amount), (summary.ci_low, summary.ci_high), color=colour, linewidth=1.6)
        axes.plot(amount, summary.mean, marker, color=colour, markersize=7, label=configuration.title)
    axes.set_xlim(right=1.15 * max(amounts.values(), default=1.0))


def _draw_learning(histories: Mapping[ModelConfiguration, Sequence[History]]) -> Figure:
    figure = Figure(figsize=(9.6, 3.1), layout="constrained")
    looks = network_looks(list(histories))
    by_minutes, by_steps = figure.subplots(1, 2, sharey=True, gridspec_kw={"wspace": 0.06})
    for configuration, runs in histories.items():
        for number, run in enumerate(runs):
            rows = [row for row in run if row.get("validation_dice") is not None]
            dice = [row["validation_dice"] for row in rows]
            look = {
                "color": looks[configuration][0],
                "marker": looks[configuration][1],
                "markersize": 4,
                "linewidth": 1.5,
            }
            name = configuration.title if number == 0 else None
            by_minutes.plot([(row["seconds"] or 0) / 60 for row in rows], dice, label=name, **look)
            by_steps.plot([row["step"] for row in rows], dice, **look)
    by_minutes.set(title="Validation Dice", xlabel="minutes of training", ylim=(0, 1))
    by_steps.set(xlabel="steps")
    for axes in (by_minutes, by_steps):
        axes.set_xlim(left=0)
    figure.legend(loc="outside upper left", ncols=4, handletextpad=0.4, borderpad=0)
    return figure
