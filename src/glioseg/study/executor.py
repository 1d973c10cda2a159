"""Where the runs of a study are done.

Runs share nothing but the data and leave all they have in their own folders, so that an engine which spreads work
over machines can take the place of :class:`LocalExecutor`: it needs the one method of :class:`Executor`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

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
    """Does one job after the other in this process: a training uses every core or the whole GPU by itself."""

    def run(self, jobs: Sequence[Job], do: Callable[[Job], None]) -> Iterator[Job]:
        """Do every job in order; as :meth:`Executor.run`."""
        for job in jobs:
            do(job)
            yield job
