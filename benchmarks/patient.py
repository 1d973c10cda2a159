"""What a patient costs from the start of a process to the written mask, against the aims, as Markdown.

python -m benchmarks.patient PATIENT SCAN [MODEL [costs|neighbours]...]

PATIENT is a folder of the dataset, SCAN one of NIfTI files with a FLAIR of 240 x 240 x 155; MODEL one network or
several, `fast` without one. The least of three runs counts. The load of the machine before and after stands below: on a
busy one the seconds are the neighbours', and the seconds of CPU tell more.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nibabel
import numpy as np
from scipy import ndimage

from benchmarks.stopwatch import ProcessCost, process_cost
from benchmarks.tables import Table, times
from glioseg.inference.shipped import find_model

HEADER = ("what", "aim", "seconds", "CPU seconds", "memory [MB]")
FURTHER = 4
"""Patients of the batch of which a further one's share is taken."""
LARGE = (310, 512, 512)


def main() -> None:
    patient, scan, model = Path(sys.argv[1]), Path(sys.argv[2]), find_model((sys.argv[3:] or ["fast"])[0])
    parts = sys.argv[4:] or ["costs", "neighbours"]
    began = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        if "costs" in parts:
            print(_costs(patient, scan, model, Path(folder)).markdown(), flush=True)
        if "neighbours" in parts:
            print(_neighbours(patient, model).markdown(), flush=True)
    print(f"{os.cpu_count()} cores; load {began:.1f} before, {os.getloadavg()[0]:.1f} after.")


def _costs(patient: Path, scan: Path, model: Path, folder: Path) -> Table:
    alone, bare = _predicted(model, patient), _predicted(model, patient, "--no-previews")
    batch = _predicted(model, _copies(patient, folder / "batch"))
    plain = process_cost(["-m", "benchmarks.plain_predict", model, patient, "{out}"], of_runs=min)
    rows = [
        ("`glioseg predict --help`", "0.25 s", process_cost(["-m", "glioseg", "predict", "--help"], of_runs=min)),
        ("patient of the dataset, cold", "2.0 s", alone),
        ("the same without contact sheet", "", bare),
        (f"a further one of {FURTHER + 1}", "0.5 s", _further(batch, alone)),
        ("the plain float32 script, PyTorch", "", plain),
        ("240 x 240 x 155 NIfTI, cold", "2.5 s, 350 MB", _predicted(model, scan)),
        ("512 x 512 x 310 FLAIR, cold", "6 s, 1 GB", _predicted(model, _large(scan, folder))),
    ]
    less, faster_by = times(plain.cpu_seconds, bare.cpu_seconds), times(plain.seconds, bare.seconds)
    faster = (
        f"Without contact sheet {faster_by} as fast as the plain script by the clock, {less} by CPU seconds (aim: 8x)."
    )
    return Table("A patient against the aims", HEADER, [(*row[:2], *_cells(row[2])) for row in rows], faster)


def _neighbours(patient: Path, model: Path) -> Table:
    quiet = _predicted(model, patient)
    rows = [("none", f"{quiet.seconds:.2f}", "1.0x", "")]
    for count, aim in ((1, "1.3x"), (3, f"{4 / (os.cpu_count() or 1):.1f}x")):
        with _busy(count):
            beside = _predicted(model, patient)
        rows.append((str(count), f"{beside.seconds:.2f}", times(beside.seconds, quiet.seconds), aim))
    return Table("Beside busy neighbours", ("processes that compute", "seconds", "to quiet", "aim"), rows)


def _predicted(model: Path, patient: Path, *options: str) -> ProcessCost:
    return process_cost(
        ["-m", "glioseg", "predict", patient, "--model", model, "--out", "{out}", *options], of_runs=min
    )


def _further(batch: ProcessCost, alone: ProcessCost) -> ProcessCost:
    """What each patient after the first adds in time; the memory is that of the batch."""
    seconds, cpu = batch.seconds - alone.seconds, batch.cpu_seconds - alone.cpu_seconds
    return ProcessCost(seconds / FURTHER, batch.memory_mb, cpu / FURTHER)


def _cells(cost: ProcessCost) -> tuple[str, str, str]:
    return f"{cost.seconds:.2f}", f"{cost.cpu_seconds:.2f}", f"{cost.memory_mb:.0f}"


def _copies(patient: Path, folder: Path) -> Path:
    """A folder of the same patient several times, each under a name of its own."""
    for number in range(FURTHER + 1):
        name = f"TCGA_XX_{number:04d}_20000101"
        (folder / name).mkdir(parents=True)
        for path in patient.glob("*.tif"):
            shutil.copy(path, folder / name / path.name.replace(patient.name, name))
    return folder


def _large(scan: Path, folder: Path) -> Path:
    """The FLAIR, interpolated as scanners do with 3-D sequences."""
    image = nibabel.load(next(scan.glob("*flair*")))
    voxels = np.asarray(image.dataobj, np.float32)
    ratios = [new / old for new, old in zip(LARGE[::-1], voxels.shape, strict=True)]
    fine = np.rint(ndimage.zoom(voxels, ratios, order=1, grid_mode=True, mode="nearest")).astype(np.int16)
    affine = image.affine @ np.diag([*(1 / ratio for ratio in ratios), 1])
    nibabel.save(nibabel.Nifti1Image(fine, affine), folder / "large_flair.nii.gz")
    return folder / "large_flair.nii.gz"


@contextmanager
def _busy(count: int) -> Iterator[None]:
    """Processes that do nothing but compute."""
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
