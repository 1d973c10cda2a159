"""Which network is better, and how sure that is, from scores of the same patients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from glioseg.evaluation.statistics import RESAMPLES, SEED, bootstrap_mean_interval

SIGNIFICANCE = 0.05
"""Below this adjusted p-value, and with an interval that leaves out zero, a difference counts as shown."""

PatientValues = Mapping[str, float | None]
"""One metric by patient, None where the masks do not define it."""

Model = TypeVar("Model")
"""What tells the compared apart: a name, or a network with its width."""

_DECIMALS = 12
"""Differences closer than this are equal: 0.3 - 0.2 and 0.2 - 0.1 must share a rank."""


@dataclass(frozen=True)
class PairedComparison:
    """Two networks on the same patients; differences are the first network's score minus the second's.

    Attributes:
        mean_difference: Over the patients that both define; None if there are none.
        ci_low: Lower end of the bootstrap interval of the mean difference; None below two patients.
        ci_high: Its upper end.
        wins: Patients on which the first network scores higher.
        losses: Patients on which it scores lower.
        ties: Patients on which both score the same.
        undefined: Patients left out because one of the two does not define the score.
        p_value: Two-sided Wilcoxon signed-rank test over the patients that differ; 1 where there are none.
        reason: Why the test could not be made, or None where it was.
    """

    mean_difference: float | None
    ci_low: float | None
    ci_high: float | None
    wins: int
    losses: int
    ties: int
    undefined: int
    p_value: float
    reason: str | None


@dataclass(frozen=True)
class Pair(Generic[Model]):
    """Two of several networks compared.

    Attributes:
        first: Its scores come first in every difference.
        second: Its scores are taken away.
        comparison: Over the patients.
        p_holm: The p-value adjusted for the number of pairs.
    """

    first: Model
    second: Model
    comparison: PairedComparison
    p_holm: float

    @property
    def is_shown(self) -> bool:
        """Whether the difference is more than chance: test and interval must both say so."""
        low, high = self.comparison.ci_low, self.comparison.ci_high
        return self.p_holm < SIGNIFICANCE and low is not None and high is not None and (low > 0 or high < 0)


@dataclass(frozen=True)
class Spread:
    """Two sources of scatter that must not be mixed.

    Attributes:
        seed_sd: Standard deviation over training seeds of the mean over patients; None for one seed.
        patient_sd: Standard deviation over patients of the mean over seeds; None for one patient.
    """

    seed_sd: float | None
    patient_sd: float | None


def paired_comparison(a: Sequence[float | None], b: Sequence[float | None]) -> PairedComparison:
    """Compare two networks patient by patient.

    Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1945, by scipy.stats.wilcoxon, with
    the patients of equal score left out of the ranks. The statistic is exact or approximate as scipy chooses.

    Args:
        a: Scores of the first network, one per patient, None where undefined.
        b: Scores of the second network on the same patients in the same order.

    Raises:
        ValueError: If the lengths differ.

    Example:
        >>> found = paired_comparison([0.91, 0.88, 0.62], [0.90, 0.85, 0.62])
        >>> found.wins, found.losses, found.ties
        (2, 0, 1)
    """
    pairs = [(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
    differences = np.array([x - y for x, y in pairs], dtype=np.float64).round(_DECIMALS)
    p_value, reason = _signed_rank_test(differences)
    ci_low, ci_high = bootstrap_mean_interval(differences) or (None, None)
    return PairedComparison(
        mean_difference=float(differences.mean()) if pairs else None,
        ci_low=ci_low,
        ci_high=ci_high,
        wins=int((differences > 0).sum()),
        losses=int((differences < 0).sum()),
        ties=int((differences == 0).sum()),
        undefined=len(a) - len(pairs),
        p_value=p_value,
        reason=reason,
    )


def compare_pairs(values: Mapping[Model, PatientValues]) -> tuple[Pair[Model], ...]:
    """Compare every two networks on the patients of both, with p-values adjusted for the number of pairs.

    Args:
        values: One metric of each network's patients.

    Returns:
        In the order of the networks.
    """
    pairs = list(combinations(values, 2))
    compared = [_on_common_patients(values[a], values[b]) for a, b in pairs]
    adjusted = holm([comparison.p_value for comparison in compared])
    return tuple(Pair(a, b, c, p) for (a, b), c, p in zip(pairs, compared, adjusted, strict=True))


def _on_common_patients(a: PatientValues, b: PatientValues) -> PairedComparison:
    common = sorted(a.keys() & b.keys())
    return paired_comparison([a[name] for name in common], [b[name] for name in common])


def _signed_rank_test(differences: NDArray[np.float64]) -> tuple[float, str | None]:
    if not len(differences):
        return 1.0, "no patient has both scores"
    if not differences.any():
        return 1.0, "both score the same on every patient"
    return float(stats.wilcoxon(differences, zero_method="wilcox").pvalue), None


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for their number, in their own order.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 1979: the
    smallest is multiplied by their number, the next by one less, and none may fall below the one before it.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    stepped = np.maximum.accumulate(np.asarray(p_values, dtype=np.float64)[order] * factors)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(stepped, 1.0)
    return [float(p) for p in adjusted]


def rank_stability(table: NDArray[np.float64], *, resamples: int = RESAMPLES, seed: int = SEED) -> NDArray[np.float64]:
    """How often each network takes each rank when the patients are drawn anew.

    Wiesenfarth et al., "Methods and open-source toolkit for analyzing and visualizing challenge results", Scientific
    Reports 2021, ranking by mean score. Networks of equal mean share the better rank.

    Args:
        table: Scores, higher is better, shape (patient, network), without undefined ones.
        resamples: How many samples of as many patients are drawn with replacement.
        seed: The same seed gives the same shares.

    Returns:
        Share of the resamples, shape (network, rank), best rank first; every row sums to 1.

    Raises:
        ValueError: If the table is no table or holds undefined scores.
    """
    if table.ndim != 2 or not table.size or not np.isfinite(table).all():
        raise ValueError(f"expected finite scores (patient, network), found shape {table.shape}")
    patients, networks = table.shape
    # A multinomial count of each patient is a draw with replacement, and one product then gives all means.
    draws = np.random.default_rng(seed).multinomial(patients, np.full(patients, 1 / patients), size=resamples)
    means = np.round(draws @ table / patients, _DECIMALS)
    ranks = stats.rankdata(-means, method="min", axis=1)
    return np.stack([(ranks == rank).mean(axis=0) for rank in range(1, networks + 1)], axis=1)


def seed_and_patient_spread(scores: NDArray[np.float64]) -> Spread:
    """Tell the scatter between trainings from the scatter between patients; scores of shape (seed, patient)."""
    return Spread(_standard_deviation(scores.mean(axis=1)), _standard_deviation(scores.mean(axis=0)))


def _standard_deviation(values: NDArray[np.float64]) -> float | None:
    return float(values.std(ddof=1)) if len(values) > 1 else None
