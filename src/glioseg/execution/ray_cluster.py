"""Jobs on a Ray cluster: one that runs already, or one of this machine's cores."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

# It reports on its use unless told not to, and reads this when it is imported.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import ray
from ray._private import ray_constants

from glioseg.errors import GliosegError
from glioseg.execution.executor import Event, Task, perform, with_last_lines

POLL_SECONDS = 1.0
RETRIES = 10
"""A job is done again so often when its node or its process is lost."""


@dataclass(frozen=True)
class RayExecutor:
    """Hands jobs to Ray, which does those of a lost node again; they end with the driver, and go on with the next.

    Attributes:
        address: Of a running cluster, as ``auto`` or ``host:6379``; None starts one on this machine.
        at_once: How many run at a time, or None for as many as there is room for.
        gpus: For each job; a fraction lets several share one. None takes a whole one where the cluster has any.
        cpus: For each job.
    """

    address: str | None = None
    at_once: int | None = None
    gpus: float | None = None
    cpus: float = 1

    def run(self, jobs: Sequence[Task]) -> Iterator[Event]:
        """Do every job; as :meth:`glioseg.execution.executor.Executor.run`.

        Raises:
            GliosegError: If there is no cluster at the address, or no node of it has what a job needs.
        """
        ours = not ray.is_initialized()
        if ours:
            self._connect()
        try:
            yield from self._run(jobs)
        finally:
            if ours:
                ray.shutdown()

    def _connect(self) -> None:
        try:
            with nullcontext() if self.address else _on_loopback():
                ray.init(
                    self.address or "local", include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
                )
        except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
            raise GliosegError(
                f"there is no Ray cluster at {self.address or 'this machine'}: {str(error).splitlines()[0]}",
                remedy="Start one with 'ray start --head', and give its address",
            ) from error

    def _run(self, jobs: Sequence[Task]) -> Iterator[Event]:
        task = ray.remote(num_cpus=self.cpus, num_gpus=self._gpus_of_each(), max_retries=RETRIES)(perform)
        waiting, under_way, running = list(reversed(jobs)), dict[ray.ObjectRef, _Submitted](), set[str]()
        while waiting or under_way:
            while waiting and len(under_way) < (self.at_once or len(jobs)):
                job = waiting.pop()
                under_way[task.options(name=job.key).remote(job)] = _Submitted(job, _size(job))
            ready, _ = ray.wait(list(under_way), num_returns=1, timeout=POLL_SECONDS)
            for submitted in under_way.values():
                if submitted.job.key not in running and _size(submitted.job) > submitted.log_bytes:
                    running.add(submitted.job.key)
                    yield Event(submitted.job.key, "running")
            for reference in ready:
                yield _outcome(reference, under_way.pop(reference).job)

    def _gpus_of_each(self) -> float:
        found = ray.cluster_resources()
        gpus = min(1.0, found.get("GPU", 0.0)) if self.gpus is None else self.gpus
        if gpus > found.get("GPU", 0.0) or self.cpus > found.get("CPU", 0.0):
            raise GliosegError(
                "no job fits into the Ray cluster",
                expected=f"{self.cpus:g} CPUs and {gpus:g} GPUs for a job",
                found=f"{found.get('CPU', 0.0):g} CPUs and {found.get('GPU', 0.0):g} GPUs in all",
            )
        return gpus


@contextmanager
def _on_loopback() -> Iterator[None]:
    """A cluster that is started here listens to this machine alone, as Ray's do where it knows no clusters."""
    kept, ray_constants.ENABLE_RAY_CLUSTER = ray_constants.ENABLE_RAY_CLUSTER, False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = kept


@dataclass(frozen=True)
class _Submitted:
    """A job that Ray holds, and how long its log was before: it runs once that grows."""

    job: Task
    log_bytes: int


def _size(job: Task) -> int:
    return job.log.stat().st_size if job.log.exists() else 0


def _outcome(reference: ray.ObjectRef, job: Task) -> Event:
    try:
        error = ray.get(reference)
    except ray.exceptions.RayError as failure:
        error = with_last_lines(f"Ray gave it up: {str(failure).strip().splitlines()[0]}", job.log)
    return Event(job.key, "failed", error) if error else Event(job.key, "done")
