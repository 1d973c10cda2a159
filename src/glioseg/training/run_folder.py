"""The files of one training run, and what belongs in each."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from glioseg.atomic import write_text_atomically
from glioseg.errors import BadFileError

HISTORY_COLUMNS = ("epoch", "step", "seconds", "loss", "validation_dice", "learning_rate", "slices_per_second")


@dataclass(frozen=True)
class RunFolder:
    """Where the files of a run lie.

    Attributes:
        root: The run's folder.
    """

    root: Path

    @property
    def config(self) -> Path:
        """The configuration as it was in effect, JSON."""
        return self.root / "config.json"

    @property
    def split(self) -> Path:
        """Who trained, validated and was tested, JSON."""
        return self.root / "split.json"

    @property
    def checkpoint(self) -> Path:
        """What a resumed run goes on from."""
        return self.root / "checkpoint.pt"

    @property
    def domain_shift(self) -> Path:
        """Dice of the validation patients under a simulated domain shift, by patient."""
        return self.root / "domain_shift.json"

    @property
    def log(self) -> Path:
        """A row for each epoch, CSV."""
        return self.root / "log.csv"

    @property
    def tensorboard(self) -> Path:
        """Event files, where they are wanted."""
        return self.root / "tensorboard"

    @property
    def learning_curve(self) -> Path:
        """The log as an image, PNG."""
        return self.root / "learning_curve.png"

    @property
    def bundle(self) -> Path:
        """The trained network, ready for use."""
        return self.root / "bundle"

    @property
    def masks(self) -> Path:
        """Predicted masks of the patients that are scored, NPZ by patient."""
        return self.root / "masks.npz"

    @property
    def cost(self) -> Path:
        """Parameters, training time, time of a prediction, JSON."""
        return self.root / "cost.json"

    @property
    def scores(self) -> Path:
        """Scores on the test patients, or on the validation patients where there are none, JSON."""
        return self.root / "scores.json"


def write_history(path: Path, history: Sequence[Mapping[str, float | None]]) -> None:
    """Write the log anew, whole: a resumed run then never repeats or loses a row."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, HISTORY_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _shown(row.get(key)) for key in HISTORY_COLUMNS} for row in history)
    write_text_atomically(path, buffer.getvalue())


def read_history(path: Path) -> list[dict[str, float | None]]:
    """Read what :func:`write_history` wrote; empty where there is no log.

    Raises:
        GliosegError: If it cannot be read.
    """
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [{key: float(text) if text else None for key, text in row.items()} for row in csv.DictReader(file)]
    except (OSError, TypeError, ValueError, csv.Error) as error:
        raise BadFileError(
            path, "cannot be read", expected="the log of a training, a number in each cell", found=str(error)
        ) from error


def _shown(value: float | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.6g}"
