"""Measure everything, side by side in one run, as Markdown: ``python -m benchmarks [DATA]``.

Without the dataset's folder, practice patients take its place, and what needs real masks is left out.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.check import check_rows
from benchmarks.growth import growth_table
from benchmarks.opening import opening_rows
from benchmarks.prediction import SMALL, batch_table, eight_bit_table, network_table, patient_tables
from benchmarks.start_up import start_up_rows
from benchmarks.tables import Table
from benchmarks.training import training_tables
from glioseg.dataset.phantom import write_phantoms
from glioseg.dataset.splits import load_split
from glioseg.dataset.store import ArrayStore, open_store
from glioseg.inference.export import Patient
from glioseg.inference.shipped import find_model
from glioseg.machine import choose_precision, describe_device, keep_freed_memory, library_versions


def main() -> None:
    device = torch.device("cpu")
    versions = ", ".join(f"{name} {number}" for name, number in library_versions().items())
    print(f"{describe_device(device)}, precision {choose_precision('auto', device)}. {versions}.\n")
    with tempfile.TemporaryDirectory() as folder:
        for table in _tables(Path(sys.argv[1]) if len(sys.argv) > 1 else None, Path(folder)):
            print(table.markdown(), flush=True)


def _tables(data: Path | None, folder: Path) -> Iterator[Table]:
    # Whole processes come first: later this one holds memory that would push files out of the cache.
    patients = data if data is not None else _practice_patients(folder)
    store = open_store(patients, cache=folder / "cache")
    yield Table("Start and reading", ("what", "measured", "target"), [*start_up_rows(), *opening_rows(patients)])
    yield from patient_tables(store, patients, folder)
    yield growth_table(folder / "growth")
    yield network_table(folder)
    yield batch_table(folder)
    if data is not None:
        yield eight_bit_table(_tested(store), folder)
    keep_freed_memory()
    yield from training_tables(store)
    yield Table("Check of a dataset", ("what", "measured", "target"), list(check_rows(data)))


def _practice_patients(folder: Path) -> Path:
    write_phantoms(folder / "practice", patients=4)
    return folder / "practice"


def _tested(store: ArrayStore) -> list[Patient]:
    """Patients that the shipped model has not seen: the first half of those that scored it."""
    names = load_split(find_model(SMALL) / "split.json").test
    return [Patient(store.volume(name), store.mask(name)) for name in names[::2]]


if __name__ == "__main__":
    main()
