"""A metric over the patients in a few numbers, with the uncertainty that comes from having so few of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

RESAMPLES = 10_000
LEVEL = 0.95
SEED = 0


@dataclass(frozen=True)
class Summary:
    """One metric over several patients; everything but the counts is None where no patient defines it.

    Attributes:
        mean: Mean over the patients that define the metric.
        median: Likewise, as are the quartiles ``q1`` and ``q3`` (linear interpolation) and the extremes.
        ci_low: Lower end of the bootstrap interval of the mean over patients; None below two patients.
        ci_high: Its upper end.
        count: Patients that define the metric.
        undefined: Patients that do not; they enter none of the numbers above.
    """

    mean: float | None
    median: float | None
    q1: float | None
    q3: float | None
    minimum: float | None
    maximum: float | None
    ci_low: float | None
    ci_high: float | None
    count: int
    undefined: int


def summarise(values: Sequence[float | None]) -> Summary:
    """Summarise one value per patient, None where the patient does not define it.

    Example:
        >>> found = summarise([0.9, 0.8, None, 0.7])
        >>> round(found.mean, 3), found.count, found.undefined
        (0.8, 3, 1)
    """
    defined = [value for value in values if value is not None]
    undefined = len(values) - len(defined)
    if not defined:
        return Summary(None, None, None, None, None, None, None, None, 0, undefined)
    minimum, q1, median, q3, maximum = (float(q) for q in np.quantile(defined, (0, 0.25, 0.5, 0.75, 1)))
    ci_low, ci_high = bootstrap_mean_interval(defined) or (None, None)
    mean = float(np.mean(defined))
    return Summary(mean, median, q1, q3, minimum, maximum, ci_low, ci_high, len(defined), undefined)


def mean_of_defined(values: Iterable[float | None]) -> float | None:
    """The mean of one patient's values, as of several runs; None where none is defined."""
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None


def bootstrap_mean_interval(
    values: Sequence[float] | NDArray[np.float64], *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = SEED
) -> tuple[float, float] | None:
    """Percentile bootstrap interval of the mean over patients.

    Efron and Tibshirani, "An introduction to the bootstrap", 1993, section 13.3, by scipy.stats.bootstrap.

    Args:
        values: One number per patient.
        resamples: How many samples of as many patients are drawn with replacement.
        level: Coverage that the interval aims at.
        seed: The same seed gives the same interval.

    Returns:
        Lower and upper end, or None below two patients, where nothing can be resampled.

    Example:
        >>> low, high = bootstrap_mean_interval([0.91, 0.87, 0.62, 0.88, 0.93])
        >>> round(low, 2), round(high, 2)
        (0.73, 0.91)
    """
    if len(values) < 2:
        return None
    sample = np.asarray(values, dtype=np.float64)
    interval = stats.bootstrap(
        (sample,),
        np.mean,
        n_resamples=resamples,
        confidence_level=level,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(interval.low), float(interval.high)
