"""What the driver of an archive costs: planning, listing, following and merging jobs that do nothing.

python -m benchmarks.scale 100000
"""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from glioseg.execution.executor import Event, Task
from glioseg.execution.watch import Watch
from glioseg.patients.examination import Examination
from glioseg.patients.listing import read_list, real_paths
from glioseg.patients.manifest import write_manifest
from glioseg.patients.records import RECORDS, ResultRecords
from glioseg.patients.shard import Shard

Answer = TypeVar("Answer")


class Nowhere:
    """An engine that is done at once."""

    def run(self, tasks: Sequence[Task]) -> Iterator[Event]:
        """Every task begins and ends."""
        for task in tasks:
            yield Event(task.key, "running")
            yield Event(task.key, "done")


def measured(what: str, do: Callable[[], Answer]) -> Answer:
    """Do it, and print its seconds and the most memory so far."""
    began = time.perf_counter()
    answer = do()
    seconds, peak_mb = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{what:44}{seconds:10.1f} s{peak_mb:10.0f} MB", flush=True)
    return answer


def nothing() -> None:
    """The work of a job."""


def follow(count: int) -> None:
    """Plan so many jobs and follow them to their end."""
    tasks = [Task(f"job-{number}", nothing, Path(f"/nowhere/{number}/job.log")) for number in range(count)]
    for _ in Watch(count, lambda line: None, as_json=True).follow(Nowhere().run(tasks)):
        pass


def write_list(path: Path, count: int) -> None:
    """A list of so many scans."""
    path.write_text("".join(f"/archive/{number % 1000:03d}/patient-{number:07d}\n" for number in range(count)))


def list_shard(path: Path) -> list[Path]:
    """The lines of one shard of 64."""
    return [line for line, real in real_paths(read_list(path)).items() if Shard(1, 64).holds(real)]


def write_records(out: Path, count: int) -> None:
    """A record of each examination, as long as those of real ones."""
    (out / RECORDS).mkdir()
    row = {f"column_{number}": 123.456 for number in range(24)}
    result = {**row, "components": [row, row], "remarks": ["A sentence that says something."], "files": ["a", "b"]}
    run = {"started": "2026-01-01", "glioseg": "0", "model": "m", "weights_sha256": "0" * 64, "request": "0" * 64}
    for number in range(count):
        one = Examination(f"patient-{number:07d}", f"key {number}", f"/archive/{number}", str(number), "20260101")
        record = {"state": "done", "examination": vars(one), "run": run, "row": row, "result": result, "ended": "2026"}
        (out / RECORDS / f"{one.patient}.json").write_text(json.dumps({"patient": one.patient, **record}, indent=1))


def merge(out: Path) -> None:
    """Read all records and write both tables from them."""
    records = ResultRecords(out)
    (out / "measurements.csv").write_text(records.table())
    write_manifest(out / "run.json", {}, records.results())


def main(count: int) -> None:
    """Measure each part."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_list(folder / "list.txt", count)
        measured(f"plan and follow {count} jobs", lambda: follow(count))
        measured(f"list {count} scans, one shard of 64", lambda: list_shard(folder / "list.txt"))
        write_records(folder, count)
        measured(f"merge {count} records", lambda: merge(folder))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
