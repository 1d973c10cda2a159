"""How the weights move: share of the budget, learning rate, moving average, and the check for non-finite numbers."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from glioseg.errors import GliosegError
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


def moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """An exponential moving average of parameters and batch statistics.

    The decay rises to its value over the first steps, so that the random weights of the start are forgotten in a
    short run too. Batch statistics are averaged as well: they belong to the weights they were taken with.

    The count of updates stays on the CPU, where reading it waits for no GPU: build it of a network that lies on its
    device, rather than move it there.

    Args:
        network: The weights being trained.
        decay: Share of the average that is kept at each step, 0 to below 1.
    """

    def blend(averaged: Sequence[Tensor], current: Sequence[Tensor], _: Tensor | int) -> None:
        updates = int(average.n_averaged)
        kept = min(decay, (1 + updates) / (10 + updates))
        if torch.is_floating_point(averaged[0]):
            torch._foreach_lerp_(list(averaged), list(current), 1 - kept)
        else:
            torch._foreach_copy_(list(averaged), list(current))

    average = AveragedModel(network, multi_avg_fn=blend, use_buffers=True)
    return average


class NonFiniteCheck:
    """Watches loss and gradient norm of every step.

    Numbers stay on the device until :meth:`check`, so that a GPU is not made to wait at each step.

    Args:
        names_of_step: The names of the slices in the batch of a step.
    """

    def __init__(self, names_of_step: Callable[[int], list[str]]) -> None:
        self._names_of_step = names_of_step
        self._steps: list[int] = []
        self._values: list[Tensor] = []

    def record(self, step: int, loss: Tensor, gradient_norm: Tensor) -> None:
        """Remember the numbers of a step."""
        self._steps.append(step)
        self._values.append(torch.stack((loss.detach().float(), gradient_norm.detach().float())))

    def check(self) -> list[float]:
        """Look at the steps since the last check.

        Returns:
            The loss of each of them.

        Raises:
            GliosegError: If one is not a number; the message names the step, the patients and the slices.
        """
        rows = torch.stack(self._values).tolist() if self._values else []
        for step, (loss, norm) in zip(self._steps, rows, strict=True):
            if not (math.isfinite(loss) and math.isfinite(norm)):
                what = f"loss {loss}" if not math.isfinite(loss) else f"gradient norm {norm}"
                raise GliosegError(
                    f"training stopped at step {step}: {what}",
                    expected="a finite number",
                    found=f"this on a batch of {', '.join(self._names_of_step(step))}",
                    remedy="Look at these slices, lower optimisation.learning_rate, or set machine.precision=32",
                )
        self._steps.clear()
        self._values.clear()
        return [loss for loss, _ in rows]
