"""How soon the command line answers."""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

RUNS = 7


def start_up_rows() -> Iterator[tuple[str, str, str]]:
    """Median wall time of whole processes, after one that warms the file cache."""
    for arguments in (["--help"], ["info", "--json"]):
        command = [sys.executable, "-m", "glioseg", *arguments]
        times = [_wall_seconds(command) for _ in range(RUNS + 1)][1:]
        yield f"`glioseg {' '.join(arguments)}`", f"{statistics.median(times):.2f} s", "0.5 s"


def _wall_seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began
