"""What a run needs to go on: written whole after every epoch and where it is asked to end, or not at all."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from glioseg.atomic import atomic_file
from glioseg.errors import BadFileError


@dataclass
class RunState:
    """How far a run is.

    Attributes:
        step: Steps done.
        seconds: Seconds spent in training steps, without validation.
        history: A row for each epoch: epoch, step, seconds, loss, validation_dice, learning_rate, slices_per_second.
        losses: Of the steps of the epoch that is under way.
        epoch_seconds: What these steps took.
    """

    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, float | None]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    epoch_seconds: float = 0.0


def save_checkpoint(
    path: Path,
    identity: dict[str, str],
    state: RunState,
    network: nn.Module,
    average: AveragedModel,
    optimiser: Optimizer,
) -> None:
    """Write the checkpoint; if that fails, the one before it stays.

    Args:
        path: The file.
        identity: What a run that resumes must share: hashes of configuration, split and data.
        state: How far the run is.
        network: The weights being trained.
        average: Their moving average.
        optimiser: Its moments.

    Raises:
        GliosegError: If the file cannot be written.
    """
    content = {
        "identity": identity,
        "state": asdict(state),
        "network": network.state_dict(),
        "average": average.state_dict(),
        "optimiser": optimiser.state_dict(),
    }
    with atomic_file(path) as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:
            # When a write fails, PyTorch's archive still tries to close, and hides the cause behind that failure.
            raise (error.__context__ if isinstance(error.__context__, OSError) else error) from None


def load_checkpoint(
    path: Path, identity: dict[str, str], network: nn.Module, average: AveragedModel, optimiser: Optimizer
) -> RunState:
    """Bring network, average and optimiser to where the checkpoint left them; arguments as in saving.

    Raises:
        GliosegError: If the file is damaged or belongs to a run with other settings, split or data.
    """
    try:
        # weights_only: a checkpoint holds tensors and plain values, and nothing in it is ever executed.
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        differing = [name for name, value in identity.items() if content["identity"].get(name) != value]
    except Exception as error:
        raise BadFileError(path, "is no readable checkpoint", remedy="Start the run anew in another folder") from error
    if differing:
        raise BadFileError(
            path,
            "belongs to another run",
            expected=f"the same {' and '.join(identity)}",
            found=f"another {' and '.join(differing)}",
            remedy="Resume with the settings, split and data it was started with, or start anew in another folder",
        )
    network.load_state_dict(content["network"])
    average.load_state_dict(content["average"])
    optimiser.load_state_dict(content["optimiser"])
    return RunState(**content["state"])
