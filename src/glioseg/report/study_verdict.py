"""The result of a study in words: which network won, by how much, how sure, at what cost."""

from collections.abc import Mapping

from glioseg.evaluation.comparison import Pair
from glioseg.evaluation.statistics import RESAMPLES
from glioseg.report.page import format_share
from glioseg.study.analysis import PRIMARY, StudyAnalysis
from glioseg.study.cost import ConfigurationCost
from glioseg.study.plan import ModelConfiguration

NBSP = "\N{NO-BREAK SPACE}"
NEARLY_AS_FAST = 1.1
"""Networks closer than this in time count as equally fast: timings scatter."""


def verdict(analysis: StudyAnalysis, costs: Mapping[ModelConfiguration, ConfigurationCost]) -> str:
    """The result as one paragraph, honest where no difference is shown."""
    sentences = [_first(analysis)]
    if len(analysis.configurations) > 1 and analysis.summaries[analysis.configurations[0]][PRIMARY].count:
        sentences += [_margins(analysis), outcome_sentence(analysis), _ranks(analysis), _seeds(analysis)]
    sentences.append(_cost(analysis, costs))
    return " ".join(sentence for sentence in sentences if sentence)


def headline(analysis: StudyAnalysis) -> str:
    """The first words of the report: the best score and whether it is more than chance."""
    return " ".join(part for part in (_first(analysis), outcome_sentence(analysis)) if part)


def outcome_sentence(analysis: StudyAnalysis) -> str:
    """Who won, or that nobody is shown to have won."""
    best, *others = analysis.configurations
    if not others or not analysis.summaries[best][PRIMARY].count:
        return ""
    equal, behind = _not_told_apart(analysis), _behind(analysis)
    if not equal:
        rest = "the other" if len(others) == 1 else "every other"
        return f"{best.title} won: it is better than {rest} by more than chance."
    if not behind:
        return "No difference between the networks is shown: on these patients none can be called the best."
    return (
        f"{_listed([best, *equal])} cannot be told apart on these patients; "
        f"{_listed(behind)} {'is' if len(behind) == 1 else 'are'} worse than {best.title} by more than chance."
    )


def format_p(p: float) -> str:
    """A p-value with its sign, as "= 0.031" or "< 0.001"."""
    return f"<{NBSP}0.001" if p < 0.001 else f"={NBSP}{p:.3f}" if p < 0.1 else f"={NBSP}{p:.2f}"


def format_difference(value: float | None) -> str:
    """A difference of shares with its sign."""
    if value is None:
        return format_share(None)
    rounded = round(value, 3)
    return "0.000" if rounded == 0 else f"{'+' if rounded > 0 else '−'}{abs(rounded):.3f}"


def _first(analysis: StudyAnalysis) -> str:
    best = analysis.configurations[0]
    summary = analysis.summaries[best][PRIMARY]
    patients = f"{summary.count} patient{'s' if summary.count != 1 else ''}"
    if summary.mean is None:
        return "No patient has a defined 3-D Dice, so the networks cannot be compared."
    interval = (
        f" (95{NBSP}% interval {format_share(summary.ci_low)} to {format_share(summary.ci_high)})"
        if summary.ci_low is not None
        else ""
    )
    if len(analysis.configurations) == 1:
        return f"On {patients}, the mean 3-D Dice of {best.title} is {format_share(summary.mean)}{interval}."
    level = [c for c in analysis.configurations if analysis.summaries[c][PRIMARY].mean == summary.mean]
    verb = "share" if len(level) > 1 else "has"
    return f"On {patients}, {_listed(level)} {verb} the highest mean 3-D Dice, {format_share(summary.mean)}{interval}."


def _margins(analysis: StudyAnalysis) -> str:
    best = analysis.configurations[0]
    parts = [_margin(pair) for pair in _pairs_of_the_best(analysis) if pair.comparison.mean_difference is not None]
    return f"{best.title} lies {'; '.join(parts)}." if parts else ""


def _margin(pair: Pair[ModelConfiguration]) -> str:
    compared = pair.comparison
    difference = compared.mean_difference or 0.0
    size = f"{format_share(abs(difference))} {'above' if difference >= 0 else 'below'} {pair.second.title}"
    if compared.ci_low is None:
        return f"{size} (one patient only)"
    low, high = (format_difference(end) for end in (compared.ci_low, compared.ci_high))
    return (
        f"{size} (95{NBSP}% interval of the paired difference {low} to {high}, "
        f"adjusted p{NBSP}{format_p(pair.p_holm)}; better on {compared.wins} patients, worse on {compared.losses}, "
        f"equal on {compared.ties})"
    )


def _ranks(analysis: StudyAnalysis) -> str:
    best = analysis.configurations[0]
    if best not in analysis.ranks or len(analysis.patients) < 2:
        return ""
    resamples = f"{RESAMPLES:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return (
        f"When the patients are drawn anew, it keeps the first place in {_percent(analysis.ranks[best][0])} of "
        f"{resamples} draws."
    )


def _seeds(analysis: StudyAnalysis) -> str:
    if analysis.seeds == 1:
        return (
            "Each network was trained from one seed only, so how much of a difference comes from the chance of "
            "training is not known."
        )
    best = analysis.configurations[0]
    spread = analysis.spread[best]
    if spread.seed_sd is None or spread.patient_sd is None:
        return ""
    return (
        f"Between its {analysis.seeds} seeds the mean Dice of {best.title} scatters with a standard deviation of "
        f"{format_share(spread.seed_sd)}, between patients with {format_share(spread.patient_sd)}."
    )


def _cost(analysis: StudyAnalysis, costs: Mapping[ModelConfiguration, ConfigurationCost]) -> str:
    best = analysis.configurations[0]
    if best not in costs:
        return ""
    cost = costs[best]
    steps = f"{cost.training_steps:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    own = (
        f"{best.title} costs {cost.network.parameters / 1e6:.1f} million parameters, {cost.network.gmacs:.1f} GMAC and "
        f"{cost.cpu_ms_per_slice:.0f} ms on the CPU for a slice, and took {cost.training_minutes:.1f} minutes "
        f"({steps} steps) to train."
    )
    return f"{own} {_alternative(analysis, costs)}".strip()


def _alternative(analysis: StudyAnalysis, costs: Mapping[ModelConfiguration, ConfigurationCost]) -> str:
    """The fastest network, where it is another one than the best."""
    best = analysis.configurations[0]
    if len(costs) < 2:
        return ""
    fastest = min(costs, key=lambda configuration: costs[configuration].cpu_ms_per_slice)
    ratio = costs[best].cpu_ms_per_slice / costs[fastest].cpu_ms_per_slice
    if fastest == best or ratio < NEARLY_AS_FAST:
        return "No other predicts faster."
    mean = format_share(analysis.summaries[fastest][PRIMARY].mean)
    sentence = f"{fastest.title} predicts {ratio:.1f} times as fast and reaches {mean}"
    if fastest in _not_told_apart(analysis):
        return f"{sentence}; as the two are not shown to differ, it is the cheaper choice."
    return f"{sentence}."


def _pairs_of_the_best(analysis: StudyAnalysis) -> list[Pair[ModelConfiguration]]:
    """Its comparison with every other; it stands first, since the pairs follow the order of the means."""
    return [pair for pair in analysis.pairs[PRIMARY] if pair.first == analysis.configurations[0]]


def _behind(analysis: StudyAnalysis) -> list[ModelConfiguration]:
    return [pair.second for pair in _pairs_of_the_best(analysis) if pair.is_shown]


def _not_told_apart(analysis: StudyAnalysis) -> list[ModelConfiguration]:
    return [pair.second for pair in _pairs_of_the_best(analysis) if not pair.is_shown]


def _listed(configurations: list[ModelConfiguration]) -> str:
    *before, last = [configuration.title for configuration in configurations]
    return f"{', '.join(before)} and {last}" if before else last


def _percent(share: float) -> str:
    # Rounding must not turn 99.9 % into certainty.
    return f"{min(100 * share, 99.9) if share < 1 else 100:.{0 if 0.01 <= share <= 0.99 or share == 1 else 1}f}{NBSP}%"
