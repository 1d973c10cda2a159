"""Where the runs of a study are done.

Runs share nothing but the data and leave all they have in their own folders, so that an engine which spreads work
over machines can take the place of :class:`LocalExecutor`: it needs the one method of :class:`Executor`.
"""

import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Protocol, cast

from glioseg.errors import GliosegError
from glioseg.study.plan import Job


class Executor(Protocol):
    """Does jobs, in any order and anywhere that sees the same files."""

    def run(self, jobs: Sequence[Job], do: Callable[[Job], None]) -> Iterator[Job]:
        """Do every job and yield it when it is done.

        Args:
            jobs: Independent of each other.
            do: Does one; it can be pickled, and so can its jobs. Doing a job anew that was broken off goes on with it.

        Raises:
            Exception: Whatever ``do`` raises.
        """
        ...


class LocalExecutor:
    """Does one job after the other in this process: on a CPU a training uses every core by itself."""

    def run(self, jobs: Sequence[Job], do: Callable[[Job], None]) -> Iterator[Job]:
        """Do every job in order; as :meth:`Executor.run`."""
        for job in jobs:
            do(job)
            yield job


class ParallelExecutor:
    """Does several jobs at once, each in a process of its own: one small network leaves most of a GPU idle.

    Args:
        at_once: How many; the cores are divided among them.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once

    def run(self, jobs: Sequence[Job], do: Callable[[Job], None]) -> Iterator[Job]:
        """Do every job, and yield those first that are done first; as :meth:`Executor.run`.

        When a job fails, or no more are wanted, those under way are broken off.

        Raises:
            GliosegError: If a process was ended from outside.
        """
        waiting, under_way = list(reversed(jobs)), dict[int, _Process]()
        try:
            while waiting or under_way:
                while waiting and len(under_way) < self._at_once:
                    process = _Process(do, waiting.pop(), self._at_once)
                    under_way[process.sentinel] = process
                for sentinel in wait(list(under_way)):
                    done = under_way.pop(cast(int, sentinel))
                    done.check()
                    yield done.job
        finally:
            for process in under_way.values():
                process.end()


class _Process:
    """One job under way; it gives back all that it held when it is done.

    Attributes:
        job: The job.
        sentinel: Ready once the process has ended.
    """

    def __init__(self, do: Callable[[Job], None], job: Job, at_once: int) -> None:
        self.job = job
        # A GPU in use does not survive a fork.
        context = multiprocessing.get_context("spawn")
        self._failure, told = context.Pipe(duplex=False)
        self._process = context.Process(target=_do, args=(do, job, at_once, told), daemon=True)
        self._process.start()
        told.close()
        self.sentinel = self._process.sentinel

    def check(self) -> None:
        """Raise what ended the process before its job was done."""
        self._process.join()
        if self._process.exitcode == 0:
            return
        try:
            raise self._failure.recv()
        except EOFError:
            raise GliosegError(
                f"the process of {self.job.key} was ended from outside, perhaps for want of memory",
                remedy="Repeat the command to go on, with fewer runs at once",
            ) from None

    def end(self) -> None:
        """Break the job off."""
        self._process.terminate()
        self._process.join()


def _do(do: Callable[[Job], None], job: Job, at_once: int, failure: Connection) -> None:
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // at_once))
    try:
        do(job)
    except Exception as error:
        if not isinstance(error, GliosegError):
            error.add_note(traceback.format_exc())
        failure.send(error)
        sys.exit(1)


def executor_of(at_once: int) -> Executor:
    """Where runs are done on this machine, so many of them at once.

    Raises:
        GliosegError: If that is less than one.
    """
    if at_once < 1:
        raise GliosegError(f"{at_once} runs at once do nothing", expected="a whole number from 1")
    return LocalExecutor() if at_once == 1 else ParallelExecutor(at_once)
