"""The page of plots that shows a set at a glance, as SVG."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from glioseg.check.against_set import intensity_levels
from glioseg.check.set_statistics import missing_in_words
from glioseg.check.summary import PatientSummary
from glioseg.report.figures import BLUE, GREEN, GREY, INK, ORANGE, SITE_COLOURS, as_svg

SEQUENCE_COLOURS = {"pre": BLUE, "flair": ORANGE, "post": GREEN}


def set_at_a_glance(summaries: Sequence[PatientSummary]) -> str:
    """Slices, tumour volumes, sites, missing sequences, intensities by sequence and where the tumours lie."""
    return as_svg(lambda: _draw(summaries), "glance")


def _draw(summaries: Sequence[PatientSummary]) -> Figure:
    figure = Figure(figsize=(9.6, 7.4), layout="constrained")
    axes = figure.subplots(2, 3)
    _slices(axes[0, 0], summaries)
    _volumes(axes[0, 1], summaries)
    _bars(axes[0, 2], "Sites", [summary.site for summary in summaries])
    _intensities(axes[1, 0], summaries)
    _bars(axes[1, 1], "Copied sequences", [missing_in_words(summary) for summary in summaries])
    _tumour_map(axes[1, 2], summaries)
    return figure


def _slices(axes: Axes, summaries: Sequence[PatientSummary]) -> None:
    axes.hist([summary.slices for summary in summaries], bins=20, color=BLUE)
    axes.set(title="Slices", xlabel="slices of a patient", ylabel="patients")


def _volumes(axes: Axes, summaries: Sequence[PatientSummary]) -> None:
    voxels = np.sort([summary.tumour_voxels for summary in summaries if summary.tumour_voxels])
    axes.plot(voxels, np.arange(1, len(voxels) + 1), color=BLUE, linewidth=1.8)
    axes.set(title="Tumour volume", xlabel="voxels", ylabel="patients up to this volume")
    if len(voxels):
        axes.set_xscale("log")


def _bars(axes: Axes, title: str, words: Sequence[str]) -> None:
    names = sorted(set(words), key=lambda word: -words.count(word))[:10]
    counts = [words.count(name) for name in names]
    places = range(len(names))
    axes.barh(places, counts, color=[SITE_COLOURS[place % len(SITE_COLOURS)] for place in places], height=0.6)
    for place, count in zip(places, counts, strict=True):
        axes.text(count, place, f" {count}", va="center", fontsize=8)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set(title=title, xlabel="patients")


def _intensities(axes: Axes, summaries: Sequence[PatientSummary]) -> None:
    """Each patient's median in the head, in rising order, with the 95th percentile above it."""
    sequences = dict.fromkeys(sequence for summary in summaries for sequence in summary.channels)
    for sequence in sequences:
        own = [one for one in summaries if sequence in one.channels and sequence not in one.copied]
        levels = np.array(sorted(intensity_levels(one.histograms[one.channels.index(sequence)]) for one in own))
        if not len(levels):
            continue
        colour = SEQUENCE_COLOURS.get(sequence, GREY)
        places = np.linspace(0, 100, len(levels))
        axes.plot(places, levels[:, 0], color=colour, linewidth=1.8, label=sequence)
        axes.plot(places, levels[:, 1], ".", color=colour, markersize=3)
    axes.set(
        title="Intensities in the head", xlabel="patients in rising order, %", ylabel="median (line), 95th percentile"
    )
    axes.legend(loc="upper left")


def _tumour_map(axes: Axes, summaries: Sequence[PatientSummary]) -> None:
    maps = [summary.tumour_map / max(float(summary.tumour_map.max()), 1e-6) for summary in summaries]
    heads = [one.thumbnail.astype(np.float32).mean(axis=0) for one in summaries if one.thumbnail is not None]
    axes.imshow(np.mean(maps, axis=0) if maps else np.zeros((2, 2)), cmap="inferno", interpolation="bilinear")
    if heads:
        head = np.mean(heads, axis=0)
        axes.contour(head, levels=[0.3 * float(head.max())], colors=[INK], linewidths=1)
    axes.set(title="Where tumours lie", xticks=[], yticks=[])
    axes.set_xlabel("front above, all slices; head contoured")
    axes.grid(visible=False)
