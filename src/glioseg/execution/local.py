"""Several jobs at once on this machine."""

import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait

from glioseg.execution.executor import Event, Task, perform, with_last_lines
from glioseg.machine import share_threads, threads


class ParallelExecutor:
    """Does several jobs at once, each in a process of its own: one small network leaves most of a GPU idle.

    Args:
        at_once: How many; the cores are divided among them.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once

    def run(self, jobs: Sequence[Task]) -> Iterator[Event]:
        """Do every job, those first that are done first; when no more are wanted, those under way are broken off."""
        waiting, under_way = list(reversed(jobs)), dict[object, _Process]()
        try:
            while waiting or under_way:
                while waiting and len(under_way) < self._at_once:
                    process = _Process(waiting.pop(), self._at_once)
                    under_way[process.answer] = process
                    yield Event(process.job.key, "running")
                for answer in wait([process.answer for process in under_way.values()]):
                    yield under_way.pop(answer).outcome()
        finally:
            for process in under_way.values():
                process.end()


class _Process:
    """One job under way; it gives back all that it held when it is done.

    Attributes:
        job: The job.
        answer: Ready once the process has answered or ended.
    """

    def __init__(self, job: Task, at_once: int) -> None:
        self.job = job
        # A GPU in use does not survive a fork.
        context = multiprocessing.get_context("spawn")
        self.answer, told = context.Pipe(duplex=False)
        self._process = context.Process(target=_do, args=(job, at_once, told), daemon=True)
        self._process.start()
        told.close()

    def outcome(self) -> Event:
        """How the process ended."""
        try:
            error = self.answer.recv()
        except EOFError:
            error = with_last_lines("its process was ended from outside, perhaps for want of memory", self.job.log)
        self._process.join()
        return Event(self.job.key, "failed", error) if error else Event(self.job.key, "done")

    def end(self) -> None:
        """Break the job off."""
        self._process.terminate()
        self._process.join()


def _do(job: Task, at_once: int, answer: Connection) -> None:
    share_threads(at_once)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads())
    answer.send(perform(job))
