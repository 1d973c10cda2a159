"""Stops a run whose numbers have gone wrong, and names the slices it happened on."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from glioseg.errors import GliosegError


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
