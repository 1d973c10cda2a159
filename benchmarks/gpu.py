"""What a GPU does, in one run of ten minutes: ``python -m benchmarks.gpu [DATA]``.

Training is the product's own loop, the data on the GPU as bytes, with and without ``machine.compile``; prediction is a
patient's probabilities from the array. Without the dataset's folder, practice patients take its place.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.ceiling import matrix_gflops
from benchmarks.prediction import untrained_bundle
from benchmarks.stopwatch import median_seconds
from benchmarks.tables import Table
from benchmarks.training import PASSES, training_rate
from glioseg.dataset.phantom import write_phantoms
from glioseg.dataset.store import ArrayStore, open_store
from glioseg.inference.model import Model
from glioseg.machine import choose_precision, describe_device, library_versions
from glioseg.networks.cost import network_cost
from glioseg.networks.table import NETWORKS, find_network

TARGETS = {"unet": 2500, "resunet-a": 400, "resunet-pp": 1000}
"""Slices a second of training on an H200."""
BATCH_SIZES = (16, 64)
EPOCHS = 4
"""The last is measured; the first ones compile and warm up."""


def main() -> None:
    if not torch.cuda.is_available():
        sys.exit("There is no GPU that PyTorch can use: 'glioseg doctor' tells what there is.")
    device = torch.device("cuda")
    versions = ", ".join(f"{name} {number}" for name, number in library_versions().items())
    print(f"{describe_device(device)}, precision {choose_precision('auto', device)}. {versions}.\n")
    with tempfile.TemporaryDirectory() as folder:
        for table in gpu_tables(_patients(Path(folder)), device, Path(folder)):
            print(table.markdown(), flush=True)


def gpu_tables(store: ArrayStore, device: torch.device, folder: Path) -> Iterator[Table]:
    """Training and prediction of each network at its published width."""
    yield _training_table(store, device)
    yield _prediction_table(store, folder)


def _patients(folder: Path) -> ArrayStore:
    if len(sys.argv) > 1:
        return open_store(Path(sys.argv[1]))
    write_phantoms(folder / "practice", patients=30)
    return open_store(folder / "practice", cache=folder / "cache")


def _training_table(store: ArrayStore, device: torch.device) -> Table:
    bf16 = choose_precision("auto", device) == "bf16"
    ceiling = matrix_gflops(device, torch.bfloat16 if bf16 else torch.float32)
    names = [entry.patient for entry in store.patients]
    rows = []
    for name, entry in NETWORKS.items():
        for batch_size in BATCH_SIZES:
            for compiled in ("false", "true"):
                torch.cuda.reset_peak_memory_stats()
                settings = (f"machine.device={device.type}", f"machine.compile={compiled}", f"budget.epochs={EPOCHS}")
                rate = training_rate(name, entry.published_width, store, names, batch_size, *settings)
                gflops = 2 * PASSES * network_cost(name, entry.published_width).gmacs * rate
                memory = torch.cuda.max_memory_allocated() / 1e9
                figures = (f"{rate:.0f}", str(TARGETS[name]), f"{gflops / ceiling:.0%}", f"{memory:.1f}")
                rows.append((_title(name), str(batch_size), compiled, *figures))
    header = ("network", "batch", "compiled", "slices/s", "target", "of the ceiling", "peak [GB]")
    note = f"256 x 256. The ceiling is a matrix product of the same precision in the same run: {ceiling:.0f} GFLOP/s."
    return Table("Training on a GPU", header, rows, note)


def _prediction_table(store: ArrayStore, folder: Path) -> Table:
    entry = max(store.patients, key=lambda entry: entry.stop - entry.start)
    volume, slices = store.volume(entry.patient), entry.stop - entry.start
    rows = []
    for name, network in NETWORKS.items():
        bundle = untrained_bundle(name, network.published_width, folder / f"{name}_gpu")
        predictor = Model.load(bundle, backend="torch", device="cuda")
        seconds = median_seconds(lambda predictor=predictor: predictor.probabilities(volume))
        rows.append((_title(name), f"{slices / seconds:.0f}"))
    note = f"Probabilities of a patient of {slices} slices with mirroring, from and to arrays in memory."
    return Table("Prediction on a GPU", ("network", "slices/s"), rows, note)


def _title(name: str) -> str:
    return f"{find_network(name).title} {find_network(name).published_width}"


if __name__ == "__main__":
    main()
