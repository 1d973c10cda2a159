"""How far a run has come, and the learning rate that belongs there."""

import math
from dataclasses import dataclass

from glioseg.training.config import Budget, Optimisation


@dataclass(frozen=True)
class Progress:
    """Where a run stands in its budget.

    Attributes:
        total_steps: All steps of the run, or None where the budget is minutes.
        total_seconds: All seconds of training, or None where the budget is steps or epochs.
    """

    total_steps: int | None
    total_seconds: float | None

    @classmethod
    def of(cls, budget: Budget, steps_per_epoch: int) -> "Progress":
        """The length of a run under a budget."""
        if budget.minutes is not None:
            return cls(None, 60 * budget.minutes)
        return cls(budget.steps or (budget.epochs or 1) * steps_per_epoch, None)

    def share(self, step: int, seconds: float) -> float:
        """Share of the budget that is spent, 0 to 1, after so many steps and so many seconds of training."""
        if self.total_steps is not None:
            return min(1.0, step / self.total_steps)
        return min(1.0, seconds / (self.total_seconds or 1.0))


def learning_rate(share: float, settings: Optimisation) -> float:
    """Linear warm-up, then half a cosine (Loshchilov & Hutter, SGDR, ICLR 2017, without restarts).

    Args:
        share: Share of the budget that is spent, 0 to 1.
        settings: Peak, warm-up and final share.
    """
    if share < settings.warmup_share:
        # Never exactly zero, so that the first step already moves.
        return settings.learning_rate * max(share / settings.warmup_share, 0.01)
    along = (share - settings.warmup_share) / (1 - settings.warmup_share)
    low = settings.final_share
    return settings.learning_rate * (low + (1 - low) * (1 + math.cos(math.pi * along)) / 2)
