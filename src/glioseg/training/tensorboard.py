"""The learning curve for TensorBoard, where it is wanted and installed."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from glioseg.errors import MissingLibraryError


def require_tensorboard() -> None:
    """Check before the work begins that TensorBoard can be written.

    Raises:
        GliosegError: If the extra is not installed.
    """
    if find_spec("tensorboard") is None:
        raise MissingLibraryError(
            "machine.tensorboard is on, but TensorBoard is not installed",
            remedy="Install it with 'pip install glioseg[tensorboard]', or leave the setting off",
        )


def write_tensorboard(folder: Path, row: Mapping[str, float | None]) -> None:
    """Append an epoch's row, as in the run's log, to the event files of a folder."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder)) as writer:
        for name in ("loss", "validation_dice", "learning_rate", "slices_per_second"):
            value = row.get(name)
            if value is not None:
                writer.add_scalar(name, value, int(row["step"] or 0))
