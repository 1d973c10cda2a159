"""What commands say to a person at a terminal; results go to standard output, the progress to standard error."""

import re
import sys
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glioseg.commands.compare import SideBySide
    from glioseg.commands.data_check import CheckOutcome
    from glioseg.evaluation.comparison import Pair
    from glioseg.evaluation.detection import Detection
    from glioseg.evaluation.scores import Scores
    from glioseg.evaluation.statistics import Summary
    from glioseg.execution.study_result import StudyOutcome
    from glioseg.measurement.growth import Growth

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_COLUMNS = f"{'mean':>9}{'95 % interval':>20}{'median':>9}{'minimum':>9}"


def progress(line: str) -> None:
    """Print a line of progress to the error stream, at once: one line, whatever stands in the name of a file."""
    print(_CONTROL.sub(lambda found: repr(found[0])[1:-1], line), file=sys.stderr, flush=True)


def patients_in_words(number: int) -> str:
    """``1 patient``, ``2 patients``."""
    return f"{number} patient{'' if number == 1 else 's'}"


def print_place(what: str, path: Path, json_output: bool) -> None:
    """Where something was written, unless JSON is printed."""
    if not json_output:
        print(f"{what}: {path.resolve()}")


def print_scores(scores: "Scores", part: str, json_output: bool) -> None:
    """Every metric over the patients."""
    if json_output:
        print(scores.to_json(), end="")
        return
    print(f"\nScores on {part}")
    print(f"{'':32}{_COLUMNS}")
    summaries = scores.summary()
    for name, metric in scores.metrics().items():
        # Voxel counts describe the patients, not the masks' quality; the files hold them.
        if summaries[name].mean is not None and metric.better is not None:
            title = f"{metric.title}{f' [{metric.unit}]' if metric.unit else ''}"
            print(f"{title:32}{_cells(summaries[name])}")


def print_detection(found: "Detection") -> None:
    """How often a tumour was told from none, by patient."""
    print(f"\nTumour found where there is one: {found.sensitivity.in_words()}")
    print(f"No tumour found where there is none: {found.specificity.in_words()}")
    if found.auroc is not None:
        print(f"Area under the receiver operating characteristic: {found.auroc:.3f}")


def print_study(outcome: "StudyOutcome") -> None:
    """The networks side by side, and the result in words."""
    analysis = outcome.analysis
    print(f"\n{'3-D Dice':16}{_COLUMNS}{'GMAC':>8}{'ms/slice':>10}")
    for configuration in analysis.configurations:
        dice, cost = analysis.summaries[configuration]["dice"], outcome.costs[configuration]
        if dice.mean is not None:
            costs = f"{cost.network.gmacs:8.1f}{cost.cpu_ms_per_slice:10.0f}"
            print(f"{configuration.title:16}{_cells(dice)}{costs}")
    print(f"\n{outcome.verdict}\n\nreport: {outcome.folder.report.resolve()}")


def print_side_by_side(found: "SideBySide") -> None:
    """Each model by itself, then every two of them."""
    print(f"{found.metric:32}{'patients':>9}{_COLUMNS}")
    for name, summary in found.summaries().items():
        cells = "  undefined for every patient" if summary.mean is None else _cells(summary)
        print(f"{name:32}{summary.count:9}{cells}")
    if found.pairs:
        print("\nPaired by patient: the first minus the second; p by Wilcoxon, adjusted after Holm")
    for pair in found.pairs:
        print(f"{pair.first} - {pair.second}: {_pair_in_words(pair)}")


def print_check(outcome: "CheckOutcome") -> None:
    """Findings by kind, in their order of severity, each with its first places; the page and --json hold all."""
    result = outcome.result
    for (severity, code), found in groupby(result.findings, key=lambda finding: (finding.severity, finding.code)):
        listed = list(found)
        print(f"{severity:8}{listed[0].kind.title} ({code}): {len(listed)}")
        for finding in listed[:5]:
            place = finding.patient or "the set"
            place += f", slice {finding.slice_number}" if finding.slice_number is not None else ""
            print(f"{'':8}  {place}: {finding.message}")
        if len(listed) > 5:
            print(f"{'':8}  and {len(listed) - 5} more")
    counts = ", ".join(f"{result.count(severity)} {severity}s" for severity in ("error", "warning", "note"))
    print(f"\n{patients_in_words(len(result.source.patients))}: {counts}")
    if outcome.cleaning is not None:
        cleaning = outcome.cleaning
        print(f"cleaned: {len(cleaning.changes)} changes, {patients_in_words(len(cleaning.kept))} kept")


def change_in_lines(change: "Growth") -> str:
    """The statement, and a line for each rate and category that is known."""
    lines = [change.statement]
    if change.diameter_velocity_mm_per_year is not None:
        lines.append(
            f"mean tumour diameter: {change.diameter_velocity_mm_per_year:+.1f} mm a year"
            + _within(change.diameter_velocity_mm_per_year_interval)
        )
    if change.doubling_time_days is not None:
        lines.append(
            f"doubling time: {change.doubling_time_days:.0f} days{_within(change.doubling_time_days_interval)}"
        )
    for way, category in (("area", change.rano_by_area), ("volume", change.rano_by_volume)):
        if category is not None:
            lines.append(f"RANO by {way}: {category}")
    return "\n".join(lines)


def _cells(summary: "Summary") -> str:
    """Under the columns' heads."""
    interval = _interval(summary.ci_low, summary.ci_high, ".3f")
    return f"{summary.mean:9.3f}{interval:>20}{summary.median:9.3f}{summary.minimum:9.3f}"


def _pair_in_words(pair: "Pair[str]") -> str:
    from glioseg.report.study_verdict import NBSP, format_p

    compared = pair.comparison
    if compared.mean_difference is None:
        return str(compared.reason)
    interval = _interval(compared.ci_low, compared.ci_high, "+.3f")
    return (
        f"{compared.mean_difference:+.3f}{f' ({interval})' if interval else ''}, higher on {compared.wins}, "
        f"lower on {compared.losses}, equal on {compared.ties}; p {format_p(pair.p_holm).replace(NBSP, ' ')}"
    )


def _interval(low: float | None, high: float | None, form: str) -> str:
    return "" if low is None or high is None else f"{low:{form}} to {high:{form}}"


def _within(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f" (95 % interval {_interval(*ends, '.1f')})"
