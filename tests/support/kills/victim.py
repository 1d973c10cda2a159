"""A command in a process group of its own, which is killed as a whole at a given moment."""

import os
import signal
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from glioseg.cli import _run


@dataclass(frozen=True)
class Ending:
    """How a command ended.

    Attributes:
        code: The exit code, or minus the signal.
        seconds: From its beginning.
        said: Its output.
    """

    code: int
    seconds: float
    said: str

    @property
    def is_killed(self) -> bool:
        return self.code == -signal.SIGKILL


def run(words: list[str], place: Path, *, kill_after_seconds: float | None = None) -> Ending:
    """Run ``glioseg`` in a fork, so that the libraries are imported once: the moments then fall into its work.

    Args:
        words: The command line.
        place: Its working folder; its cache and temporary files lie there too.
        kill_after_seconds: When SIGKILL ends it and all that it has started; None leaves it undisturbed.
    """
    log, began = place.with_name(f"{place.name}.log"), time.monotonic()
    child = os.fork()
    if child == 0:
        _become(words, place, log)
    # In both processes, so that it is done when either goes on.
    with suppress(PermissionError):
        os.setpgid(child, child)
    if kill_after_seconds is not None:
        time.sleep(kill_after_seconds)
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    seconds = time.monotonic() - began
    _wait_for_all(child)
    return Ending(os.waitstatus_to_exitcode(status), seconds, log.read_text(errors="replace") if log.exists() else "")


def _become(words: list[str], place: Path, log: Path) -> None:
    """In the child: run the command and end without any clean-up of what the parent holds."""
    code = 1
    try:
        os.setpgid(0, 0)
        os.chdir(place)
        os.environ["GLIOSEG_CACHE"], tempfile.tempdir = str(place / "cache"), str(place / "tmp")
        Path(tempfile.tempdir).mkdir(exist_ok=True)
        to = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(to, 1)
        os.dup2(to, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        sys.argv = ["glioseg", *words]
        code = _run(words)
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _wait_for_all(group: int) -> None:
    """Until none of the group is left: a process that another one started dies a moment later."""
    while True:
        try:
            os.killpg(group, 0)
        except (ProcessLookupError, PermissionError):
            return
        time.sleep(0.01)
