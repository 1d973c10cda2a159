"""How an engine asks a job to end soon: what it does next is kept, and it goes on elsewhere or later."""

import threading
from typing import NoReturn

_asked = threading.Event()


class Interrupted(BaseException):
    """The job has ended early, as it was asked to; all that it did is on the disk."""


def ask() -> None:
    """Ask the job of this process to end; fit for a signal handler."""
    _asked.set()


def is_asked() -> bool:
    """Whether the job should end at the next place where it can go on later."""
    return _asked.is_set()


def end() -> NoReturn:
    """End here, with everything on the disk.

    Raises:
        Interrupted: Always.
    """
    _asked.clear()
    raise Interrupted


def check() -> None:
    """End here if that was asked.

    Raises:
        Interrupted: Then.
    """
    if is_asked():
        end()
