"""Prediction: the network alone in every backend, and a patient from the start of the process to the written mask."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.stopwatch import ProcessCost, median_seconds, process_cost
from benchmarks.tables import Table, times
from glioseg.dataset.store import ArrayStore
from glioseg.inference.backends import Backend, BackendName, load_backend
from glioseg.inference.bundle import save_bundle
from glioseg.inference.contract import Contract, load_contract
from glioseg.inference.export import AFFORDABLE_DICE_LOSS, Patient, export_bundle
from glioseg.inference.preprocessing import Preprocessing
from glioseg.inference.shipped import find_model
from glioseg.networks import build_network
from glioseg.networks.table import find_network
from glioseg.study.plan import MATCHED_WIDTHS

SLICES = 8
BATCHES = (1, 2, 4, 8, 16)
SMALL = "fast"
Way = tuple[str, Path, BackendName]


def network_table(folder: Path) -> Table:
    """Slices a second of each network alone; the weights are random, which changes no time."""
    rows = []
    for name, width in MATCHED_WIDTHS.items():
        bundle = untrained_bundle(name, width, folder / name)
        rates = [_rate_of_eager(name, width), *(_rate_of(*way[1:]) for way in _exports(bundle, folder))]
        title = f"{find_network(name).title} {width}"
        rows.append((title, *(f"{rate:.1f}" for rate in rates), times(max(rates[1:]), rates[0])))
    header = ("network", "plain PyTorch", "PyTorch", "OpenVINO", "ONNX Runtime", "fastest to plain")
    note = (
        f"Slices a second at 256 x 256, {SLICES} at a time, without mirroring. Plain is eager, float32, channels first."
    )
    return Table("Prediction, the network alone", header, rows, note)


def patient_table(store: ArrayStore, data: Path, folder: Path) -> Table:
    """One patient end to end, by the shipped model and by a wider one."""
    entry = max(store.patients, key=lambda entry: entry.stop - entry.start)
    patient = data / entry.patient
    rows = []
    for title, bundle in (
        ("the small model that comes with glioseg", find_model(SMALL)),
        ("U-Net 32", untrained_bundle("unet", 32, folder / "wide")),
    ):
        plain = _script("benchmarks.plain_predict", bundle, patient)
        monai = _script("benchmarks.monai_predict", bundle, patient)
        rows.append((title, "plain script", f"{plain.seconds:.2f}", "1.0x", f"{plain.memory_mb:.0f}"))
        found = (f"{monai.seconds:.2f}", times(plain.seconds, monai.seconds), f"{monai.memory_mb:.0f}")
        rows.append((title, "MONAI", *found))
        for way, model, backend in _exports(bundle, folder):
            cost = process_cost(_predict(patient, model, backend))
            found = (f"{cost.seconds:.2f}", times(plain.seconds, cost.seconds), f"{cost.memory_mb:.0f}")
            rows.append((title, way, *found))
    note = (
        f"{entry.stop - entry.start} slices of 256 x 256 with mirroring, from the start of the process to the written "
        "mask, without contact sheets; the file cache is warm. Median of three."
    )
    return Table("A patient, end to end", ("model", "way", "seconds", "faster", "memory [MB]"), rows, note)


def batch_table(folder: Path) -> Table:
    """Whether it pays to fill batches with slices of the next patient."""
    rows = []
    for name, width in MATCHED_WIDTHS.items():
        bundle = untrained_bundle(name, width, folder / f"{name}_batches")
        ready = load_backend(bundle, load_contract(bundle), "torch", device="cpu")
        rates = [_rate_of_batch(ready, size) for size in BATCHES]
        rows.append((f"{find_network(name).title} {width}", *(f"{rate:.1f}" for rate in rates)))
    note = "Slices a second at 256 x 256 in PyTorch, by the slices in a batch; a patient's last batch may hold one."
    return Table("Prediction by the size of a batch", ("network", *map(str, BATCHES)), rows, note)


def untrained_bundle(name: str, width: int, folder: Path, **preprocessing: int) -> Path:
    """A bundle of random weights."""
    torch.manual_seed(0)
    contract = Contract(
        network=name,
        width=width,
        preprocessing=Preprocessing.model_validate(preprocessing),
        split_sha256="",
        data_fingerprint="",
        training_patients=0,
        versions={},
    )
    save_bundle(folder, build_network(name, width), contract, "")
    return folder


def eight_bit_table(patients: Sequence[Patient], folder: Path) -> Table:
    """What eight bits gain and cost on patients that the shipped model was tested on, whether or not it may be used."""
    bundle = find_model(SMALL)
    plain = _rate_of(_exported(bundle, folder, "openvino"), "openvino")
    contract = export_bundle(
        bundle, folder / "int8", "openvino", int8=True, patients=patients, affordable_dice_loss=math.inf
    )
    assert contract.exported is not None
    loss = contract.exported.parity.dice_loss
    assert loss is not None
    rate = _rate_of(folder / "int8", "openvino")
    offered = "yes" if loss < AFFORDABLE_DICE_LOSS else "no"
    rows = [
        ("32", f"{plain:.1f}", "1.0x", "0", "yes"),
        ("int8", f"{rate:.1f}", times(rate, plain), f"{loss:.4f}", offered),
    ]
    note = f"On {len(patients)} patients. Offered where it costs less than {AFFORDABLE_DICE_LOSS} of Dice."
    return Table(
        "Eight bits", ("precision", "windows/s, OpenVINO", "faster", "loss of mean Dice", "offered"), rows, note
    )


def memory_table(folder: Path) -> Table:
    """Peak of predicting 155 slices of 256 x 256 from NIfTI files."""
    scan = folder / "large"
    _write_large_scan(scan)
    bundle = find_model(SMALL)
    rows = []
    for way, model, backend in _exports(bundle, folder):
        cost = process_cost(_predict(scan, model, backend), runs=1)
        rows.append((way, f"{cost.memory_mb:.0f}", "1500" if backend == "torch" else "700", f"{cost.seconds:.1f}"))
    note = "NIfTI, three sequences of 155 slices of 256 x 256, by the small model that comes with glioseg."
    return Table("Memory of a large scan", ("way", "peak [MB]", "target [MB]", "seconds"), rows, note)


def _write_large_scan(folder: Path) -> None:
    import nibabel

    folder.mkdir()
    rng = np.random.default_rng(0)
    across = (np.indices((256, 256, 155)) - np.array([128, 128, 77])[:, None, None, None]) / [
        [[[90]]],
        [[[105]]],
        [[[70]]],
    ]
    head = (across**2).sum(axis=0) < 1
    for name in ("t1", "flair", "t1ce"):
        voxels = np.where(head, rng.normal(500, 60, head.shape), 0).astype(np.int16)
        nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), folder / f"scan_{name}.nii.gz")


def _predict(scan: Path, model: Path, backend: BackendName) -> list[str | Path]:
    words: list[str | Path] = ["-m", "glioseg", "predict", scan, "--out", "{out}", "--model", model]
    return [*words, "--backend", backend, "--no-previews"]


def _exports(bundle: Path, folder: Path) -> list[Way]:
    return [
        ("PyTorch", bundle, "torch"),
        ("OpenVINO", _exported(bundle, folder, "openvino"), "openvino"),
        ("ONNX Runtime", _exported(bundle, folder, "onnx"), "onnxruntime"),
    ]


def _exported(bundle: Path, folder: Path, form: str) -> Path:
    out = folder / f"{load_contract(bundle).weights_sha256[:8]}_{form}"
    if not out.exists():
        export_bundle(bundle, out, "onnx" if form == "onnx" else "openvino")
    return out


def _script(name: str, bundle: Path, patient: Path) -> ProcessCost:
    return process_cost(["-m", name, bundle, patient, "{out}"])


def _noise(slices: int = SLICES, side: int = 256) -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((slices, 3, side, side)).astype(np.float32)


def _rate_of_batch(ready: Backend, slices: int) -> float:
    images = _noise(slices)
    return slices / median_seconds(lambda: ready.logits(images))


def _rate_of_eager(name: str, width: int) -> float:
    network, images = build_network(name, width).eval(), torch.from_numpy(_noise())
    with torch.no_grad():
        return SLICES / median_seconds(lambda: network(images))


def _rate_of(bundle: Path, backend: BackendName) -> float:
    contract = load_contract(bundle)
    images = _noise(side=contract.patch_px or 256 // contract.preprocessing.downsampling_factor)
    ready = load_backend(bundle, contract, backend, device="cpu")
    return SLICES / median_seconds(lambda: ready.logits(images))
