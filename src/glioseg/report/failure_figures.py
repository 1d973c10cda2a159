"""The reliability diagram: how often tumour is found where tumour is expected."""

from pathlib import Path

from matplotlib.figure import Figure

from glioseg.evaluation.calibration import Reliability
from glioseg.report.figures import BLUE, GREY, save_png


def save_reliability(reliability: Reliability, path: Path) -> None:
    """Write the diagram as a PNG on white.

    Raises:
        GliosegError: If the file cannot be written.
    """
    save_png(lambda: _draw(reliability), path, dpi=110)


def _draw(reliability: Reliability) -> Figure:
    figure = Figure(figsize=(4.6, 4.8), layout="constrained")
    lines, counts = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": (4, 1)})
    lines.plot([0, 1], [0, 1], color=GREY, linewidth=1, label="what probabilities should mean")
    lines.plot(reliability.expected, reliability.found, "o-", color=BLUE, markersize=4, label="this model")
    error = reliability.calibration_error
    if error is not None:
        lines.set_title(f"calibration error {error:.4f}")
    lines.set(ylabel="share of tumour", xlim=(0, 1), ylim=(0, 1))
    lines.legend(loc="upper left")
    filled = reliability.voxels > 0
    counts.bar(reliability.expected[filled], reliability.voxels[filled], width=0.05, color=BLUE)
    counts.set(xlabel="probability of tumour", ylabel="voxels", yscale="log")
    return figure
