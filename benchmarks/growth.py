"""How time and memory of ``glioseg predict`` grow with patients, slices and size."""

from pathlib import Path

import tifffile

from benchmarks.stopwatch import process_cost
from benchmarks.tables import Table
from glioseg.dataset.phantom import make_phantom, write_phantoms

PATIENTS = (1, 4, 16, 64)
SLICES = (20, 80, 320)
SIZES_PX = (128, 256, 512)


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
    for name, picture in zip(volume.slice_names, volume.voxels, strict=True):
        tifffile.imwrite(scan / f"{name}.tif", picture, photometric="rgb", metadata=None)
    return scan


def _cost(data: Path) -> tuple[str, str]:
    cost = process_cost(
        ["-m", "glioseg", "predict", data, "--out", "{out}", "--backend", "torch", "--no-previews"], runs=1
    )
    return f"{cost.seconds:.1f}", f"{cost.memory_mb:.0f}"
