"""The one error that a user sees, and by its kind what a program may do about it."""

from pathlib import Path

from glioseg.files import readable


class GliosegError(Exception):
    """Something the user can put right: bad input, an impossible option, a full disk.

    The command line prints its text without a traceback and ends with exit code 2; anything else that
    is raised is a defect of the program.

    Args:
        problem: What is wrong and where, naming the file or the option.
        expected: What would have been right.
        found: What is there instead.
        remedy: What to do about it, as an imperative sentence without the full stop.
    """

    def __init__(
        self, problem: str, *, expected: str | None = None, found: str | None = None, remedy: str | None = None
    ) -> None:
        self.problem = problem
        self.expected = expected
        self.found = found
        self.remedy = remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        text = self.problem
        contrast = [f"{word} {what}" for word, what in (("expected", self.expected), ("found", self.found)) if what]
        if contrast:
            text += ": " + ", ".join(contrast)
        return readable(f"{text}. {self.remedy}." if self.remedy else f"{text}.")


class BadFileError(GliosegError):
    """A file or folder that cannot be used.

    Args:
        path: Which.
        fault: What is wrong with it, as a sentence that begins with the path: ``is cut short``.
        expected: As for :class:`GliosegError`.
        found: Likewise.
        remedy: Likewise.
    """

    def __init__(
        self,
        path: Path,
        fault: str,
        *,
        expected: str | None = None,
        found: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.path = path
        self.fault = fault
        super().__init__(f"{path} {fault}", expected=expected, found=found, remedy=remedy)


class BadOptionError(GliosegError):
    """An option of a command, or a setting, that makes no sense; arguments as for :class:`GliosegError`."""


class MissingLibraryError(GliosegError):
    """A library that is not installed; arguments as for :class:`GliosegError`."""


def fault_in_words(error: Exception) -> str:
    """What is wrong with a JSON file, on one line: of a check by pydantic the first place and what is wrong there."""
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return str(error) or type(error).__name__
    first = error.errors()[0]
    return ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
