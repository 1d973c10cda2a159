"""The tables of a study's report."""

from collections.abc import Callable, Mapping
from typing import Any

from glioseg.evaluation.comparison import SIGNIFICANCE, Pair
from glioseg.evaluation.definitions import Metric
from glioseg.evaluation.statistics import RESAMPLES, Summary
from glioseg.report.page import ABSENT, format_share, format_value
from glioseg.report.study_verdict import format_difference, format_p
from glioseg.report.table import Cell, Table
from glioseg.study.analysis import PRIMARY, StudyAnalysis
from glioseg.study.cost import ConfigurationCost
from glioseg.study.plan import ModelConfiguration

GROUPINGS = {"site": "Site", "missing_sequences": "Missing sequences", "true_volume": "True tumour volume"}
HEADLINE_METRICS = ("hd95", "nsd", "precision", "recall")


def study_tables(
    analysis: StudyAnalysis, costs: Mapping[ModelConfiguration, ConfigurationCost], metrics: Mapping[str, Metric]
) -> list[Table]:
    """Every table of the report, in its order."""
    tables = [comparison_table(analysis, costs, metrics), metrics_table(analysis, costs, metrics)]
    if len(analysis.configurations) > 1:
        tables += [pairs_table(analysis, metrics), stability_table(analysis)]
    return [*tables, subgroup_table(analysis), patient_table(analysis)]


def comparison_table(
    analysis: StudyAnalysis, costs: Mapping[ModelConfiguration, ConfigurationCost], metrics: Mapping[str, Metric]
) -> Table:
    """A row for each network: its main scores, and beside them what it costs."""
    chosen = [metrics[_full_name(name, metrics)] for name in HEADLINE_METRICS]
    leaders = {m.name: _leader(analysis, m) for m in (metrics[PRIMARY], *chosen)}
    rows = []
    for c in analysis.configurations:
        dice = analysis.summaries[c][PRIMARY]
        cells = [
            Cell(c.title),
            Cell(format_share(dice.mean), _range(dice.ci_low, dice.ci_high, format_share), c == leaders[PRIMARY]),
            Cell(format_share(dice.median), _range(dice.q1, dice.q3, format_share)),
            Cell(format_share(dice.minimum)),
        ]
        cells += [Cell(format_value(analysis.summaries[c][m.name].mean, m), best=c == leaders[m.name]) for m in chosen]
        rows.append((*cells, *_cost_cells(costs.get(c))))
    titles = [f"{m.title}{f', {m.unit}' if m.unit else ''}" for m in chosen]
    costs_header = ("Parameters", "GMAC", "Activations", "Training", "Prediction")
    return Table(
        "comparison",
        "Comparison",
        ("Network", "Dice, mean", "Dice, median", "Dice, worst", *titles, *costs_header),
        tuple(rows),
        "Scores are means over patients unless the column says otherwise; under the mean Dice its 95 % bootstrap "
        f"interval ({RESAMPLES:,} resamples of the patients), under the median the quartiles. Bold is the best mean of "
        "a column, whether or not the difference is more than chance. GMAC (thousand million multiply-accumulates) "
        "and activations (float32, what the convolutions write) are for one slice of 256 x 256 pixels, seen at the "
        "resolution of the study; training is one run; prediction is one slice on the CPU.",
        tuple(_comparison_record(c, analysis, costs.get(c)) for c in analysis.configurations),
        spans=(("", 1), ("Scores", 3 + len(chosen)), ("Cost", len(costs_header))),
    )


def metrics_table(
    analysis: StudyAnalysis, costs: Mapping[ModelConfiguration, ConfigurationCost], metrics: Mapping[str, Metric]
) -> Table:
    """A row for each metric, a column for each network, and the costs at the foot."""
    rows = []
    for metric in metrics.values():
        if metric.better is None:
            continue
        leader = _leader(analysis, metric)
        cells = [_metric_cell(analysis.summaries[c][metric.name], metric, c == leader) for c in analysis.configurations]
        unit = f" [{metric.unit}]" if metric.unit else ""
        rows.append((Cell(f"{metric.title}{unit}", f"{metric.better} is better"), *cells))
    rows.append(
        (
            Cell("Pooled Dice", "all voxels as one"),
            *(Cell(format_share(analysis.pooled_dice[c])) for c in analysis.configurations),
        )
    )
    by_network = [_cost_cells(costs.get(c)) for c in analysis.configurations]
    names = ("Parameters", "GMAC a slice", "Activations a slice", "Training of one run", "Prediction of a slice, CPU")
    rows += [(Cell(name), *(cells[i] for cells in by_network)) for i, name in enumerate(names)]
    return Table(
        "metrics",
        "All metrics",
        ("Metric", *(c.title for c in analysis.configurations)),
        tuple(rows),
        "Means over patients with 95 % bootstrap intervals; each patient counts once, by the mean over the runs in "
        "which the metric is defined. A metric that no run defines for a patient enters no mean and is counted as "
        "undefined. Bold is the best mean of a row.",
        tuple(
            {"network": c.name, "width": c.width, "metric": name, "unit": metrics[name].unit, **vars(summary)}
            for c in analysis.configurations
            for name, summary in analysis.summaries[c].items()
        ),
    )


def pairs_table(analysis: StudyAnalysis, metrics: Mapping[str, Metric]) -> Table:
    """Every pair of networks on the Dice and on the boundary metric."""
    rows: list[tuple[Cell, ...]] = []
    for name, pairs in analysis.pairs.items():
        metric = metrics[name]
        rows.append((Cell(f"{metric.title}{f' [{metric.unit}]' if metric.unit else ''}, {metric.better} is better"),))
        rows += [_pair_row(pair, metric) for pair in pairs]
    return Table(
        "pairs",
        "Differences, patient by patient",
        (
            "Pair",
            "Mean difference",
            "95 % interval",
            "Higher",
            "Lower",
            "Equal",
            "p",
            "p, adjusted",
            "More than chance",
        ),
        tuple(rows),
        "First network minus second, on the same patients. Higher, lower, equal: patients on which the first scores "
        "so. Wilcoxon signed-rank test, two-sided, adjusted after Holm for the pairs of one metric. A difference "
        f"counts as more than chance where the adjusted p is below {SIGNIFICANCE} and the bootstrap interval of the "
        "mean difference leaves out zero.",
        tuple(_pair_record(name, pair) for name, pairs in analysis.pairs.items() for pair in pairs),
    )


def stability_table(analysis: StudyAnalysis) -> Table:
    """How often each network takes each rank, and how scores scatter between seeds and between patients."""
    places = range(len(analysis.configurations))
    rows, records = [], []
    for c in analysis.configurations:
        shares, spread = analysis.ranks.get(c), analysis.spread[c]
        ranks = [Cell(f"{100 * shares[i]:.1f} %" if shares else ABSENT) for i in places]
        rows.append((Cell(c.title), *ranks, Cell(format_share(spread.seed_sd)), Cell(format_share(spread.patient_sd))))
        taken = {f"rank_{i + 1}": shares[i] if shares else None for i in places}
        records.append({"network": c.name, "width": c.width, **taken, **vars(spread)})
    single = " With one seed there is no spread between seeds." if analysis.seeds == 1 else ""
    return Table(
        "stability",
        "Stability",
        ("Network", *(f"Rank {i + 1}" for i in places), "SD between seeds", "SD between patients"),
        tuple(rows),
        f"Ranks by mean Dice in {RESAMPLES:,} resamples of the patients; networks of equal mean share the better rank. "
        "Beside them the standard deviation over seeds of the mean over patients, and that over patients of the mean "
        f"over seeds.{single}",
        tuple(records),
    )


def subgroup_table(analysis: StudyAnalysis) -> Table:
    """The Dice of each network in groups of patients."""
    rows: list[tuple[Cell, ...]] = []
    records: list[dict[str, Any]] = []
    for grouping, groups in analysis.subgroups.items():
        rows.append((Cell(GROUPINGS.get(grouping, grouping)),))
        for group, summaries in groups.items():
            count = max(summary.count for summary in summaries.values())
            leader = _highest({c: summaries[c].mean for c in analysis.configurations})
            cells = (
                Cell(format_share(s.mean), _range(s.ci_low, s.ci_high, format_share), c == leader)
                for c, s in summaries.items()
            )
            rows.append((Cell(group), Cell(str(count)), *cells))
            records += [
                {"grouping": grouping, "group": group, "network": c.name, "width": c.width, **vars(s)}
                for c, s in summaries.items()
            ]
    return Table(
        "subgroups",
        "Subgroups",
        ("Group", "Patients", *(c.title for c in analysis.configurations)),
        tuple(rows),
        "Mean 3-D Dice with 95 % bootstrap interval. Small groups have wide intervals, or none: read them as hints.",
        tuple(records),
    )


def patient_table(analysis: StudyAnalysis) -> Table:
    """Every patient's Dice with every network, the hardest first."""

    def mean(name: str) -> float:
        defined = [v for c in analysis.configurations if (v := analysis.values[c].get(name)) is not None]
        return sum(defined) / len(defined) if defined else 2.0

    rows, records = [], []
    for p in sorted(analysis.patients, key=lambda facts: (mean(facts.patient), facts.patient)):
        values = {c: analysis.values[c].get(p.patient) for c in analysis.configurations}
        leader = _highest(values)
        cells = (Cell(format_share(value), best=c == leader) for c, value in values.items())
        missing = " and ".join(p.missing_sequences) or "none"
        size = format_value(p.true_voxels, _VOXELS)
        rows.append((Cell(p.patient), *cells, Cell(p.site or "unknown"), Cell(missing), Cell(size)))
        dice = {f"dice_{c.key}": value for c, value in values.items()}
        facts = {"site": p.site, "missing_sequences": missing, "true_voxels": p.true_voxels}
        records.append({"patient": p.patient, **dice, **facts})
    return Table(
        "dice_by_patient",
        "Every patient",
        ("Patient", *(c.title for c in analysis.configurations), "Site", "Missing sequences", "True voxels"),
        tuple(rows),
        "3-D Dice, mean over runs; the patient of the lowest mean over the networks first. Bold is the best of a row.",
        tuple(records),
    )


_VOXELS = Metric("true_voxels", "True voxels", "voxels", "", None)


def _full_name(name: str, metrics: Mapping[str, Metric]) -> str:
    """The key of a metric whose unit is part of it."""
    return next(key for key in metrics if key == name or key.startswith(f"{name}_"))


def _leader(analysis: StudyAnalysis, metric: Metric) -> ModelConfiguration | None:
    means = {c: analysis.summaries[c][metric.name].mean for c in analysis.configurations}
    return _highest(means if metric.better == "higher" else {c: None if m is None else -m for c, m in means.items()})


def _highest(values: Mapping[ModelConfiguration, float | None]) -> ModelConfiguration | None:
    """The one with the highest value; None where two share it or there is nothing to compare."""
    defined = {c: value for c, value in values.items() if value is not None}
    highest = [c for c, value in defined.items() if value == max(defined.values())]
    return highest[0] if len(highest) == 1 and len(defined) > 1 else None


def _range(low: float | None, high: float | None, show: Callable[[float | None], str]) -> str:
    return "" if low is None else f"{show(low)} to {show(high)}"


def _metric_cell(summary: Summary, metric: Metric, best: bool) -> Cell:
    remark = _range(summary.ci_low, summary.ci_high, lambda value: format_value(value, metric))
    if summary.undefined:
        remark = f"{remark}{', ' if remark else ''}{summary.undefined} undefined"
    return Cell(format_value(summary.mean, metric), remark, best)


def _cost_cells(cost: ConfigurationCost | None) -> tuple[Cell, ...]:
    if cost is None:
        return (Cell(ABSENT),) * 5
    return (
        Cell(f"{cost.network.parameters / 1e6:.2f} M"),
        Cell(f"{cost.network.gmacs:.1f}"),
        Cell(f"{cost.network.activations_mb:.0f} MB"),
        Cell(f"{cost.training_minutes:.1f} min", f"{format_value(cost.training_steps, _VOXELS)} steps"),
        Cell(f"{cost.cpu_ms_per_slice:.0f} ms"),
    )


def _comparison_record(
    c: ModelConfiguration, analysis: StudyAnalysis, cost: ConfigurationCost | None
) -> dict[str, Any]:
    record: dict[str, Any] = {"network": c.name, "width": c.width}
    record |= {f"dice_{name}": value for name, value in vars(analysis.summaries[c][PRIMARY]).items()}
    record |= {f"{name}_mean": s.mean for name, s in analysis.summaries[c].items() if name != PRIMARY}
    record["pooled_dice"] = analysis.pooled_dice[c]
    if cost is not None:
        record |= vars(cost.network)
        record |= {k: getattr(cost, k) for k in ("training_minutes", "training_steps", "cpu_ms_per_slice")}
    return record


def _pair_row(pair: Pair[ModelConfiguration], metric: Metric) -> tuple[Cell, ...]:
    compared = pair.comparison
    names = f"{pair.first.title} − {pair.second.title}"

    def show(value: float | None) -> str:
        if metric.unit and value is not None:
            return f"{value:+.1f}".replace("-", "−")
        return format_difference(value)

    counts = (Cell(str(number)) for number in (compared.wins, compared.losses, compared.ties))
    return (
        Cell(names),
        Cell(show(compared.mean_difference)),
        Cell(_range(compared.ci_low, compared.ci_high, show) or ABSENT),
        *counts,
        Cell(format_p(compared.p_value).removeprefix("=").strip()),
        Cell(format_p(pair.p_holm).removeprefix("=").strip()),
        Cell("yes" if pair.is_shown else "no", compared.reason or ""),
    )


def _pair_record(metric: str, pair: Pair[ModelConfiguration]) -> dict[str, Any]:
    names = {"metric": metric, "first": pair.first.key, "second": pair.second.key}
    return {**names, **vars(pair.comparison), "p_holm": pair.p_holm, "more_than_chance": pair.is_shown}
