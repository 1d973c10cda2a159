"""What a person sees while a network trains: a bar on a terminal, plain lines elsewhere, and TensorBoard if wanted."""

import sys
import time
from collections.abc import Mapping
from importlib.util import find_spec
from multiprocessing import parent_process
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from glioseg.errors import MissingLibraryError

LINE_EVERY_SECONDS = 30.0


class TrainingConsole:
    """Shows loss, rate and time left; use as a context manager around the loop.

    Args:
        title: What is being trained.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._last_line = 0.0
        self._among_others = parent_process() is not None
        # Several processes would draw their bars over each other.
        if sys.stderr.isatty() and not self._among_others:
            self._bar = Progress(
                TextColumn("[bold]{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} %"),
                TimeElapsedColumn(),
                TextColumn("{task.fields[status]}"),
                console=Console(stderr=True),
            )

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(self._title, total=1.0, status="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def step(self, share: float, loss: float, slices_per_second: float, seconds_left: float) -> None:
        """Show progress after a step: share of the budget, mean loss, rate and time left."""
        status = f"loss {loss:.3f}, {slices_per_second:.1f} slices/s, {_duration(seconds_left)} left"
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=share, status=status)
        elif time.monotonic() - self._last_line >= LINE_EVERY_SECONDS:
            self._last_line = time.monotonic()
            self._print(f"{self._title}: {share:.0%}, {status}")

    def say(self, line: str) -> None:
        """Print a line that stays; it names the run where several are under way."""
        if self._bar is not None:
            self._bar.console.print(line, highlight=False)
        else:
            self._print(f"{self._title}: {line}" if self._among_others else line)

    def _print(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


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
