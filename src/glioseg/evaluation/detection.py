"""Whether a tumour is there, by patient: how often that is told right."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest, rankdata


@dataclass(frozen=True)
class Rate:
    """A share of patients with its 95 % interval by Wilson.

    Attributes:
        hits: How many.
        of: Of how many.
    """

    hits: int
    of: int

    @property
    def share(self) -> float | None:
        """Hits per patient, 0 to 1; None where there are no patients."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Lower and upper end (Wilson 1927, by scipy.stats.binomtest); None of nobody."""
        if not self.of:
            return None
        found = binomtest(self.hits, self.of).proportion_ci(method="wilson")
        return float(found.low), float(found.high)

    def in_words(self) -> str:
        """As "98 of 100 (0.980, 95 % interval 0.930 to 0.994)"."""
        if not self.of:
            return "nobody"
        low, high = self.interval or (0.0, 1.0)
        return f"{self.hits} of {self.of} ({self.hits / self.of:.3f}, 95 % interval {low:.3f} to {high:.3f})"

    def as_json(self) -> dict[str, int | float | None]:
        """Counts, share, and ends of the 95 % interval, for strict JSON."""
        low, high = self.interval or (None, None)
        return {"hits": self.hits, "of": self.of, "share": self.share, "ci_low": low, "ci_high": high}


@dataclass(frozen=True)
class Detection:
    """How well tumours are told from none.

    Attributes:
        sensitivity: Of the patients with a tumour, those in whom one was found.
        specificity: Of those without, those in whom none was found.
        auroc: The chance that a patient with a tumour has a higher chance than one without; None where either is
            missing, or no chances are known.
    """

    sensitivity: Rate
    specificity: Rate
    auroc: float | None = None

    def as_json(self) -> dict[str, object]:
        """Both rates and the area under the curve, for strict JSON."""
        return {
            "sensitivity": self.sensitivity.as_json(),
            "specificity": self.specificity.as_json(),
            "auroc": self.auroc,
        }


def detection(truth: Sequence[bool], found: Sequence[bool], chances: Sequence[float] | None = None) -> Detection:
    """Score decisions.

    Args:
        truth: For each patient whether there is a tumour.
        found: Whether one was found.
        chances: Of a tumour; None where they are not known.
    """
    true, said = np.asarray(truth, bool), np.asarray(found, bool)
    return Detection(
        Rate(int((true & said).sum()), int(true.sum())),
        Rate(int((~true & ~said).sum()), int((~true).sum())),
        None if chances is None else auroc(truth, chances),
    )


def auroc(truth: Sequence[bool], chances: Sequence[float]) -> float | None:
    """The area under the receiver operating characteristic, ties counting half; None where one kind is missing."""
    true = np.asarray(truth, bool)
    if true.all() or not true.any():
        return None
    ranks, positives = rankdata(chances), int(true.sum())
    return float((ranks[true].sum() - positives * (positives + 1) / 2) / (positives * (len(true) - positives)))
