"""Whether a confidence tells good masks from bad: by ranking, and by leaving out what it doubts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from glioseg.evaluation.calibration import Reliability

FAILURE_BELOW = 0.7
"""A mask of lower Dice has failed."""


@dataclass(frozen=True)
class CoveragePoint:
    """What is left when the least certain patients are given to a person.

    Attributes:
        coverage: Share of the patients that is kept.
        mean_dice: Of those.
    """

    coverage: float
    mean_dice: float


def failure_auc(confidence: Sequence[float], dice: Sequence[float]) -> float | None:
    """The chance that a failed mask has a lower confidence than one that succeeded; ties count half.

    The area under the receiver operating characteristic for finding failures. One half is guessing.

    Returns:
        None where none has failed, or all have.
    """
    failed = np.asarray(dice) < FAILURE_BELOW
    if failed.all() or not failed.any():
        return None
    ranks = rankdata(confidence)
    succeeded = ~failed
    above = ranks[succeeded].sum() - succeeded.sum() * (succeeded.sum() + 1) / 2
    return float(above / (succeeded.sum() * failed.sum()))


def risk_coverage_curve(confidence: Sequence[float], dice: Sequence[float]) -> list[CoveragePoint]:
    """Mean Dice of the surest patients, from all of them to the surest alone."""
    order = np.argsort(confidence)[::-1]
    means = np.cumsum(np.asarray(dice, np.float64)[order]) / np.arange(1, len(order) + 1)
    return [CoveragePoint(count / len(order), float(means[count - 1])) for count in range(len(order), 0, -1)]


@dataclass(frozen=True)
class FailureDetection:
    """How far a model's own doubts can be relied on.

    Attributes:
        expected_dice: By patient; None for an empty mask.
        dice: What the patients' masks reach; None where neither mask holds anything.
        reliability: Of the voxels inside the brains.
    """

    expected_dice: dict[str, float | None]
    dice: dict[str, float | None]
    reliability: Reliability

    @property
    def failures(self) -> int:
        """How many masks have failed."""
        return sum(value < FAILURE_BELOW for _, value in self._pairs())

    @property
    def failure_auc(self) -> float | None:
        """As :func:`failure_auc`; an empty mask has the confidence 0."""
        return failure_auc(*self._columns())

    def risk_coverage_curve(self) -> list[CoveragePoint]:
        """The points of :func:`risk_coverage_curve` over these masks."""
        return risk_coverage_curve(*self._columns())

    def to_csv(self) -> str:
        """A row for each patient: the Dice that the model expects, and the Dice that it has."""
        rows = [f"{patient},{_text(self.expected_dice[patient])},{_text(self.dice[patient])}" for patient in self.dice]
        return "\n".join(["patient,expected_dice,dice", *rows]) + "\n"

    def _columns(self) -> tuple[list[float], list[float]]:
        pairs = self._pairs()
        return [expected for expected, _ in pairs], [found for _, found in pairs]

    def _pairs(self) -> list[tuple[float, float]]:
        return [
            (self.expected_dice[patient] or 0.0, found) for patient, found in self.dice.items() if found is not None
        ]


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
