"""Tracebacks of what should not have happened, kept for a report of the defect."""

import threading
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from glioseg.atomic import write_text_atomically
from glioseg.errors import GliosegError


class ErrorLog:
    """A text file that is there only if there is something in it.

    Args:
        path: The file; what it holds already is kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def told(self, subject: str, error: Exception) -> str:
        """The message for the user; of anything but a user's mistake the traceback is kept.

        Args:
            subject: Which patient and what of it.
            error: What was caught.
        """
        if isinstance(error, GliosegError):
            return str(error)
        # A disk too full for the traceback must not end the batch.
        with suppress(GliosegError, OSError), self._lock:
            before = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
            after = f"{datetime.now(UTC).isoformat()} {subject}\n{''.join(traceback.format_exception(error))}\n"
            write_text_atomically(self.path, before + after)
        cause = " ".join(f"{type(error).__name__}: {error}".split())
        return f"unexpected error, {cause}. The traceback is in {self.path}; please report it."
