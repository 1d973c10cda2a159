"""One interface for independent jobs, training runs and shards of a prediction alike, whichever engine places them.

A job leaves all it has in files. Doing it anew, after it was broken off anywhere, goes on with it; doing a finished
one does nothing. So an engine may do a job twice, and a driver that is started again may simply hand in what waits.
"""

import fcntl
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from glioseg.errors import GliosegError
from glioseg.interruption import Interrupted

LAST_LINES = 5


@dataclass(frozen=True)
class Task:
    """One piece of work, independent of every other.

    Attributes:
        key: Names it among the others; fit for a file.
        do: Does it; it can be pickled.
        log: Where its output goes if a process of its own does it.
    """

    key: str
    do: Callable[[], None]
    log: Path


@dataclass(frozen=True)
class Event:
    """What happened to a job.

    Attributes:
        key: Which.
        state: It runs, is done, or failed; or waits again, since the engine took its place away.
        error: Why it failed.
    """

    key: str
    state: Literal["waiting", "running", "done", "failed"]
    error: str = ""


class Executor(Protocol):
    """Does jobs, in any order and anywhere that sees the same files."""

    def run(self, jobs: Sequence[Task]) -> Iterator[Event]:
        """Do every job; each ends as done or failed, and a failed one holds no other up."""
        ...


class LocalExecutor:
    """Does one job after the other in this process: on a CPU a training uses every core by itself."""

    def run(self, jobs: Sequence[Task]) -> Iterator[Event]:
        """Do every job in order; as :meth:`Executor.run`. An error that is not a user's is raised."""
        for job in jobs:
            yield Event(job.key, "running")
            try:
                with alone(job.log):
                    job.do()
            except GliosegError as error:
                yield Event(job.key, "failed", str(error))
            else:
                yield Event(job.key, "done")


def perform(job: Task) -> str | None:
    """Do a job in a worker's process, with its output in its log.

    Returns:
        What went wrong, or None.

    Raises:
        Interrupted: If the engine asked for an end, and what is done is on the disk.
    """
    try:
        with _output_to(job.log), alone(job.log):
            try:
                job.do()
            except GliosegError as error:
                print(f"error: {error}", file=sys.stderr)
                return str(error)
            except Interrupted:
                raise
            except Exception:
                traceback.print_exc()
                return with_last_lines("it failed", job.log)
    except OSError as error:
        return f"cannot write {job.log}: {error.strerror or error}"
    return None


def with_last_lines(what: str, log: Path, count: int = LAST_LINES) -> str:
    """A message with the last lines of a job's log, and where the rest lies."""
    sys.stderr.flush()
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").rstrip().splitlines()[-count:]
    except OSError:
        lines = []
    return "\n  ".join([f"{what}; the log is {log}" + (", its last lines:" if lines else ""), *lines])


@contextmanager
def alone(log: Path) -> Iterator[None]:
    """Wait until no other process does this job: one may have outlived the driver that began it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.with_suffix(".lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another process does this job; waiting for it", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            # Some network file systems know no locks.
            print(f"{log.parent} cannot be locked: {error.strerror}", file=sys.stderr, flush=True)
        try:
            yield
        finally:
            # Closing would not do while a process that this one started holds the file too.
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_UN)


@contextmanager
def _output_to(log: Path) -> Iterator[None]:
    """Append what this process prints, C libraries included, to a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    kept = [os.dup(number) for number in (1, 2)]
    try:
        with log.open("a", encoding="utf-8", buffering=1) as file, redirect_stdout(file), redirect_stderr(file):
            file.write(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} on {os.uname().nodename}\n")
            for number in (1, 2):
                os.dup2(file.fileno(), number)
            yield
    finally:
        for number, was in zip((1, 2), kept, strict=True):
            os.dup2(was, number)
            os.close(was)
