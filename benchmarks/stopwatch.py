"""Time that counts: medians after a first, uncounted run, and whole processes with the memory they took."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch


def median_seconds(action: Callable[[], object], *, runs: int = 3) -> float:
    """Median wall time of an action, the GPU's work included."""
    times = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        action()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


_MEASURE = """
import json, resource, subprocess, sys, time
began = time.perf_counter()
subprocess.run(sys.argv[2:], check=True)
seconds = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
cost = {"seconds": seconds, "memory_mb": used.ru_maxrss * 1024 / 1e6, "cpu_seconds": used.ru_utime + used.ru_stime}
json.dump(cost, open(sys.argv[1], "w"))
"""
"""A small process between: Linux counts into a process's peak what the one that started it held by then."""


@dataclass(frozen=True)
class ProcessCost:
    """What a whole process took.

    Attributes:
        seconds: Wall time from its start to its end.
        memory_mb: The most memory that it held, largest of the runs.
        cpu_seconds: What processors worked for it, all together; what neighbours take does not count.
    """

    seconds: float
    memory_mb: float
    cpu_seconds: float


def process_cost(
    arguments: Sequence[str | Path],
    *,
    runs: int = 3,
    of_runs: Callable[[Iterable[float]], float] = statistics.median,
) -> ProcessCost:
    """Run Python with arguments, in which ``{out}`` stands for a new folder; the first run is not counted.

    Args:
        arguments: Of the interpreter.
        runs: How many are counted.
        of_runs: Which time stands for all; on a busy machine the least tells more than the median.

    Raises:
        RuntimeError: If it ends with an error.
    """
    found = [_one_process(arguments) for _ in range(runs + 1)][1:]
    return ProcessCost(
        of_runs(cost.seconds for cost in found),
        max(cost.memory_mb for cost in found),
        of_runs(cost.cpu_seconds for cost in found),
    )


def _one_process(arguments: Sequence[str | Path]) -> ProcessCost:
    with tempfile.TemporaryDirectory() as folder:
        words = [str(word).replace("{out}", f"{folder}/out") for word in arguments]
        cost = Path(folder) / "cost.json"
        done = subprocess.run(
            [sys.executable, "-c", _MEASURE, cost, sys.executable, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: {done.stdout}")
        return ProcessCost(**json.loads(cost.read_text()))
