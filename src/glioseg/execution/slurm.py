"""Jobs on a SLURM cluster, through submitit: an array, each job requeued when it is preempted or its time is over."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import submitit

from glioseg import interruption
from glioseg.atomic import write_text_atomically
from glioseg.errors import GliosegError
from glioseg.execution.executor import Event, Task, perform, with_last_lines

POLL_SECONDS = 2.0
GONE_SECONDS = 15.0
"""A shared file system may show a result so long after its job has left the queue."""

SILENT_SECONDS = 600.0
"""So long SLURM may give no answer before the driver ends; the jobs go on without it."""

REQUEUES_AFTER_TIMEOUT = 1000


@dataclass(frozen=True)
class SlurmExecutor:
    """Hands jobs to SLURM as an array, and finds those again that an earlier driver handed in.

    Attributes:
        folder: Where submitit keeps its files; every node sees it.
        at_once: How many run at a time, or None for as many as SLURM lets.
        partition: The partition, or None for the cluster's own choice.
        minutes: After so long a job keeps what it did and is queued again.
        gpus: For each job; None takes one where the partition has any.
        cpus: For each job.
    """

    folder: Path
    at_once: int | None = None
    partition: str | None = None
    minutes: int = 240
    gpus: int | None = None
    cpus: int = 1

    def run(self, jobs: Sequence[Task]) -> Iterator[Event]:
        """Do every job; as :meth:`glioseg.execution.executor.Executor.run`.

        When no more are wanted, jobs go on: the next driver finds them.

        Raises:
            GliosegError: If SLURM refuses the jobs, or gives no answer for :data:`SILENT_SECONDS`.
        """
        queued = self._adopted(jobs)
        queued |= self._submitted([job for job in jobs if job.key not in queued])
        write_text_atomically(self._known, json.dumps({key: one.job_id for key, one in queued.items()}, indent=1))
        waiting, running, gone = {job.key: job for job in jobs}, set[str](), dict[str, float]()
        answered = time.monotonic()
        while waiting:
            try:
                states, answered = _queue(), time.monotonic()
            except GliosegError:
                # Its controller is restarted now and then, and jobs go on meanwhile.
                if time.monotonic() - answered > SILENT_SECONDS:
                    raise
                time.sleep(POLL_SECONDS)
                continue
            for key, job in list(waiting.items()):
                state = states.get(queued[key].job_id)
                ended = self._ended(queued[key], job, state, gone)
                if ended is not None:
                    del waiting[key]
                    yield ended
                elif state == "RUNNING" and key not in running:
                    running.add(key)
                    yield Event(key, "running")
                elif state == "PENDING" and key in running:
                    running.remove(key)
                    yield Event(key, "waiting")
            time.sleep(POLL_SECONDS if waiting else 0)

    @property
    def _known(self) -> Path:
        return self.folder / "slurm.json"

    def _adopted(self, jobs: Sequence[Task]) -> dict[str, submitit.SlurmJob]:
        """Those that SLURM still holds."""
        try:
            known = json.loads(self._known.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        states = _queue()
        held = {job.key: known.get(job.key) for job in jobs if known.get(job.key) in states}
        return {key: submitit.SlurmJob(self.folder, job_id) for key, job_id in held.items()}

    def _submitted(self, jobs: Sequence[Task]) -> dict[str, submitit.SlurmJob]:
        if not jobs:
            return {}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            executor = submitit.SlurmExecutor(self.folder, max_num_timeout=REQUEUES_AFTER_TIMEOUT)
            executor.update_parameters(**self._parameters(len(jobs)))
            handed_in = executor.map_array(_Requeued(), jobs)
        except (RuntimeError, submitit.core.utils.FailedJobError, subprocess.CalledProcessError) as error:
            raise GliosegError(
                f"SLURM does not take the jobs: {error}", remedy="See that sbatch and srun work on this machine"
            ) from error
        return {job.key: one for job, one in zip(jobs, handed_in, strict=True)}

    def _parameters(self, number: int) -> dict[str, Any]:
        wanted = int(_has_gpus(self.partition)) if self.gpus is None else self.gpus
        gpus = {"gpus_per_node": wanted} if wanted else {}
        partition = {"partition": self.partition} if self.partition else {}
        at_once = min(number, self.at_once or number)
        own = {"job_name": "glioseg", "time": self.minutes, "cpus_per_task": self.cpus, "array_parallelism": at_once}
        return {**own, **gpus, **partition, "additional_parameters": {"requeue": True, "open-mode": "append"}}

    def _ended(
        self, handed_in: submitit.SlurmJob, job: Task, state: str | None, gone: dict[str, float]
    ) -> Event | None:
        if handed_in.paths.result_pickle.exists():
            error = _outcome(handed_in, job)
            return Event(job.key, "failed", error) if error else Event(job.key, "done")
        if state is not None:
            gone.pop(job.key, None)
        elif time.monotonic() - gone.setdefault(job.key, time.monotonic()) > GONE_SECONDS:
            return Event(job.key, "failed", with_last_lines(f"SLURM ended job {handed_in.job_id}", job.log))
        return None


class _Requeued:
    """Does a job; when SLURM wants it to end, it ends at the next place where it can go on, and is queued again."""

    def __call__(self, job: Task) -> str | None:
        requeue: Any = signal.getsignal(signal.SIGUSR2)
        signal.signal(signal.SIGUSR2, lambda number, frame: interruption.ask())
        try:
            return perform(job)
        except interruption.Interrupted:
            requeue(signal.SIGUSR2, None)
            raise

    def checkpoint(self, job: Task) -> submitit.helpers.DelayedSubmission:
        """What is queued again: the same job."""
        return submitit.helpers.DelayedSubmission(self, job)


def _outcome(handed_in: submitit.SlurmJob, job: Task) -> str | None:
    try:
        return str(answer) if (answer := handed_in.result()) else None
    except Exception as error:
        last = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        return with_last_lines(f"SLURM job {handed_in.job_id} failed: {last}", job.log)


def _queue() -> dict[str, str]:
    """The state of every job of this user that SLURM holds, by its number."""
    lines = _asked("squeue", "--me", "--noheader", "--array", "--format=%i %T").splitlines()
    parts = (line.split(maxsplit=1) for line in lines)
    return {part[0]: part[1] for part in parts}


def _has_gpus(partition: str | None) -> bool:
    chosen = [f"--partition={partition}"] if partition else []
    return "gpu" in _asked("sinfo", "--noheader", "--format=%G", *chosen)


def _asked(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", "") or str(error)
        raise GliosegError(
            f"SLURM does not answer: {reason.strip()}", remedy=f"See that {command[0]} works on this machine"
        ) from error
