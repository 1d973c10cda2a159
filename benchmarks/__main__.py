"""Measure everything, side by side in one run, as Markdown: ``python -m benchmarks [DATA [PART...]]``.

Without the dataset's folder, practice patients take its place, and what needs real masks is left out. A part is a
name of :data:`PARTS`.
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from benchmarks.check import check_rows
from benchmarks.growth import growth_table
from benchmarks.opening import opening_rows
from benchmarks.prediction import SMALL, batch_table, eight_bit_table, memory_table, network_table, patient_table
from benchmarks.start_up import start_up_rows
from benchmarks.tables import Table
from benchmarks.training import training_tables
from glioseg.dataset.phantom import write_phantoms
from glioseg.dataset.splits import load_split
from glioseg.dataset.store import ArrayStore, open_store
from glioseg.inference.export import Patient
from glioseg.inference.shipped import find_model
from glioseg.machine import choose_precision, describe_device, keep_freed_memory, library_versions

PARTS = ("start", "patient", "memory", "growth", "network", "batch", "eight-bits", "training", "check")
"""In the order of the run. Whole processes come first: later this one holds memory that would push files out of the
cache."""


def main() -> None:
    words = sys.argv[1:]
    data, parts = Path(words[0]) if words else None, words[1:] or PARTS
    unknown = set(parts) - set(PARTS)
    if unknown:
        sys.exit(f"there is no part {', '.join(sorted(unknown))}: expected some of {', '.join(PARTS)}")
    device = torch.device("cpu")
    versions = ", ".join(f"{name} {number}" for name, number in library_versions().items())
    print(f"{describe_device(device)}, precision {choose_precision('auto', device)}. {versions}.\n")
    with tempfile.TemporaryDirectory() as folder:
        measures = _measures(data, Path(folder))
        for part in (name for name in PARTS if name in parts):
            for table in measures[part]():
                print(table.markdown(), flush=True)


def _measures(data: Path | None, folder: Path) -> dict[str, Callable[[], Sequence[Table]]]:
    """What measures each part."""
    patients = data if data is not None else _practice_patients(folder)
    store = open_store(patients, cache=folder / "cache")
    header = ("what", "measured", "target")
    return {
        "start": lambda: [Table("Start and reading", header, [*start_up_rows(), *opening_rows(patients)])],
        "patient": lambda: [patient_table(store, patients, folder)],
        "memory": lambda: [memory_table(folder)],
        "growth": lambda: [growth_table(folder / "growth")],
        "network": lambda: [network_table(folder)],
        "batch": lambda: [batch_table(folder)],
        "eight-bits": lambda: [] if data is None else [eight_bit_table(_tested(store), folder)],
        "training": lambda: _training(store),
        "check": lambda: [Table("Check of a dataset", header, list(check_rows(data)))],
    }


def _training(store: ArrayStore) -> Sequence[Table]:
    keep_freed_memory()
    return training_tables(store)


def _practice_patients(folder: Path) -> Path:
    write_phantoms(folder / "practice", patients=4)
    return folder / "practice"


def _tested(store: ArrayStore) -> list[Patient]:
    """Patients that the shipped model has not seen: the first half of those that scored it."""
    names = load_split(find_model(SMALL) / "split.json").test
    return [Patient(store.volume(name), store.mask(name)) for name in names[::2]]


if __name__ == "__main__":
    main()
