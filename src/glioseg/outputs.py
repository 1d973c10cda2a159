"""What is written for a patient, each output by itself, so that one that fails takes no other with it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

Written = TypeVar("Written")


@dataclass
class Outputs:
    """The files of one patient in a folder.

    Attributes:
        folder: Where they lie.
        files: What was written, relative to the folder.
        failures: By output what kept it from being written.
    """

    folder: Path
    files: list[str] = field(default_factory=list)
    failures: dict[str, Exception] = field(default_factory=dict)

    @property
    def paths(self) -> list[Path]:
        """The files that were written, each with the folder."""
        return [self.folder / name for name in self.files]

    def attempt(self, output: str, write: Callable[[], Written], *names: str) -> Written | None:
        """Write one output; whatever goes wrong is kept, and the next can be tried.

        Args:
            output: What it is, as ``report``.
            write: Writes it.
            names: Its files, relative to the folder.

        Returns:
            What ``write`` returned, or None if it failed.
        """
        try:
            written = write()
        # A defect in a drawing must not cost the mask; whoever reads the failures tells it from a user's mistake.
        except Exception as error:
            self.failures[output] = error
            return None
        self.files += names
        return written
