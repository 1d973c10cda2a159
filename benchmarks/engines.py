"""What each engine adds to a job, and how much two workers do in the time of one.

python -m benchmarks.engines 20

Ray starts on this machine; SLURM is the one that this machine knows, or that of ``python tests/support/slurm_node.py``.
"""

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from glioseg.errors import GliosegError
from glioseg.execution.engines import Engine
from glioseg.execution.executor import Executor, Task
from glioseg.execution.local import ParallelExecutor

LOOPS, REPEATS, JOBS = 40_000_000, 3, 4
ENGINES = {
    "local, in this process": Engine(),
    "local, a process each": Engine(workers=2),
    "SLURM, two at a time": Engine("slurm", workers=2, gpus=0),
    "Ray, two at a time": Engine("ray", workers=2),
}


def nothing() -> None:
    """The work of a job that does nothing."""


def count_to(number: int) -> None:
    """Work that needs a processor and nothing else."""
    for _ in range(number):
        pass


def seconds(executor: Executor, do: Callable[[], None], jobs: int, own: Path) -> tuple[float, float]:
    """Until the first of some jobs was done, and until all were."""
    tasks = [Task(f"job-{number}", do, own / f"{number}" / "job.log") for number in range(jobs)]
    began, ends = time.perf_counter(), list[float]()
    for event in executor.run(tasks):
        if event.state == "failed":
            raise GliosegError(f"{event.key} failed: {event.error}")
        if event.state == "done":
            ends.append(time.perf_counter() - began)
    return ends[0], ends[-1]


def overhead(jobs: int, folder: Path) -> None:
    """Print what jobs that do nothing take on each engine."""
    for name, engine in ENGINES.items():
        if engine.name == "slurm" and not shutil.which("sbatch"):
            continue
        own = folder / name.replace(" ", "-")
        first, last = seconds(engine.executor(own), nothing, jobs, own)
        each = (last - first) / max(1, jobs - 1)
        print(f"{name:26}first job after {first:6.1f} s, then one every {each:7.3f} s", flush=True)


def efficiency(folder: Path) -> None:
    """Print how much faster two workers are than one, in turns, so that other work disturbs both alike."""
    one, two = list[float](), list[float]()
    for _ in range(REPEATS):
        for workers, taken in ((1, one), (2, two)):
            taken.append(seconds(ParallelExecutor(workers), partial(count_to, LOOPS), JOBS, folder)[1])
    gain = statistics.median(one) / statistics.median(two)
    print(f"one worker {_told(one)}, two {_told(two)}: {gain:.2f} times as fast, efficiency {gain / 2:.2f}")


def _told(values: Sequence[float]) -> str:
    return " ".join(f"{value:.1f}" for value in values) + " s"


def main(jobs: int) -> None:
    """Measure both."""
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        overhead(jobs, Path(name))
        efficiency(Path(name))
    print(f"load at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
