"""How time and memory of ``glioseg predict`` grow with patients, slices and size.

``python -m benchmarks.growth 2000`` predicts so many practice patients in one run, and tells its memory on the way.
"""

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import tifffile

from benchmarks.stopwatch import process_cost
from benchmarks.tables import Table
from glioseg.dataset.lgg import write_patient
from glioseg.dataset.phantom import make_phantom, write_phantoms

PATIENTS = (1, 4, 16, 64)
SLICES = (20, 80, 320)
SIZES_PX = (128, 256, 512)
STAGES = (10, 100, 500, 1000, 1500, 2000)
"""Patients of a long run after which its memory is told."""


def growth_table(folder: Path) -> Table:
    """One row for each cohort or scan."""
    folder.mkdir()
    inputs = {f"{count} patients of 128 x 128": _cohort(folder, count) for count in PATIENTS}
    inputs |= {f"{count} slices of 128 x 128": _scan(folder, count, 128) for count in SLICES}
    inputs |= {f"20 slices of {side} x {side}": _scan(folder, 20, side) for side in SIZES_PX}
    rows = [(what, *_cost(data)) for what, data in inputs.items()]
    note = "The model that comes with glioseg, PyTorch, practice patients, whole processes."
    return Table("Growth", ("input", "seconds", "peak [MB]"), rows, note)


def _cohort(folder: Path, patients: int) -> Path:
    cohort = folder / f"{patients}_patients"
    write_phantoms(cohort, patients=patients, size=128)
    return cohort


def _scan(folder: Path, slices: int, size_px: int) -> Path:
    volume, _ = make_phantom(0, size=size_px, slices=slices, name="PHANTOM_CS_0001_19990101")
    scan = folder / f"{slices}_slices_{size_px}" / volume.patient
    scan.mkdir(parents=True, exist_ok=True)
    for name, image in zip(volume.slice_names, volume.voxels, strict=True):
        tifffile.imwrite(scan / f"{name}.tif", image, photometric="rgb", metadata=None)
    return scan


def _cost(data: Path) -> tuple[str, str]:
    cost = process_cost(
        ["-m", "glioseg", "predict", data, "--out", "{out}", "--backend", "torch", "--no-previews"], runs=1
    )
    return f"{cost.seconds:.1f}", f"{cost.memory_mb:.0f}"


def memory_table(folder: Path, patients: int) -> Table:
    """One row for each stage of a run of many patients of 8 slices of 32 x 32 pixels, as a user would start it."""
    for number in range(patients):
        write_patient(folder / "scans", *make_phantom(number, size=32, slices=8, name=f"PHANTOM_CS_{number:04d}_1999"))
    words = [sys.executable, "-m", "glioseg", "predict", str(folder / "scans"), "--out", str(folder / "out")]
    began, rows = time.monotonic(), []
    with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        for done in _counted(process.stderr):
            if done in STAGES or done == patients:
                peak_mb, now_mb = (_memory_mb(process.pid, name) for name in ("VmHWM", "VmRSS"))
                rows.append((f"{done:,}", f"{time.monotonic() - began:.0f}", f"{peak_mb:.0f}", f"{now_mb:.0f}"))
                print(*rows[-1], flush=True)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(words)} ended with {process.returncode}")
    note = "One run of `glioseg predict` with the model that comes with glioseg, contact sheets included."
    return Table("Memory of a long run", ("patients done", "seconds", "peak [MB]", "then [MB]"), rows, note)


def _counted(lines: Iterator[str]) -> Iterator[int]:
    """How many patients are done, whenever one more is."""
    for line in lines:
        if found := re.match(r"\[(\d+)/", line):
            yield int(found[1])


def _memory_mb(process: int, name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1]) * 1024 / 1e6


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(memory_table(Path(name), int(sys.argv[1]) if len(sys.argv) > 1 else STAGES[-1]).markdown())
