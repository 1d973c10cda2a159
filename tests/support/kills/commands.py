"""The commands that are killed, on practice patients and networks so small that each takes a second or few."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import synthetic_dicom
import torch
from untrained import untrained_contract

from glioseg.dataset.lgg import write_patient
from glioseg.dataset.phantom import make_phantom, write_phantoms
from glioseg.inference.bundle import save_bundle
from glioseg.networks import build_network
from kills import victim

SETTINGS = [
    *("network.width=2", "budget.steps=6", "sampling.batch_size=8", "sampling.crop_size=32"),
    *("validation.flip=false", "validation.every_epochs=1", "optimisation.ema_decay=0.5"),
    *("machine.device=cpu", 'machine.precision="32"', "augmentation.skull_stripping=0.5"),
]
SETS = [word for setting in SETTINGS for word in ("--set", setting)]
TRAIN = ["train", "--data", "../data", "--folds", "3", *SETS]
STUDY = [
    "study",
    "--data",
    "../data",
    "--networks",
    "unet:2,resunet-pp:8",
    "--folds",
    "3",
    "--only-folds",
    "1",
    *SETS[2:],
]
PREDICT = ["predict", "../scans", "--model", "../model", "--nifti", "--out", "out"]
PREDICTED = ("out/*_mask.nii.gz", "out/*/*_mask.tif", "out/measurements.csv", "out/*_sheet.png")
PREDICTED_TOGETHER = ("out/PHANTOM*", "out/*_overlay")
AFFINE = np.array([[-0.9, 0, 0, 30], [0, -0.9, 0, 30], [0, 0, 5, -15], [0, 0, 0, 1]])


@dataclass(frozen=True)
class Command:
    """A command that is killed, and what must hold then.

    Attributes:
        name: Of the case.
        words: The command line; the working folder lies beside what :func:`prepare` has made.
        same: Patterns of files that a rerun must leave with the same bytes as an undisturbed run.
        begin: Puts into the working folder what lies there before the command.
        keeps: Patterns of files of these that no kill may change.
        together: Patterns of folders that appear with all their files.
        needs: What of :data:`MADE` it reads or begins with.
    """

    name: str
    words: list[str]
    same: tuple[str, ...]
    begin: Callable[[Path, Path], None] = lambda root, place: None
    keeps: tuple[str, ...] = ()
    together: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


COMMANDS = [
    Command(
        "predict",
        PREDICT,
        PREDICTED,
        lambda root, place: _copy(root / "earlier", place / "out"),
        needs=("earlier",),
        keeps=("out/Earlier_*", "out/records/Earlier.json"),
        together=PREDICTED_TOGETHER,
    ),
    Command(
        "predict again",
        PREDICT,
        PREDICTED,
        lambda root, place: _copy(root / "all", place / "out"),
        needs=("all",),
        keeps=("out/*_mask.nii.gz", "out/*/*_mask.tif", "out/*_sheet.png"),
        together=PREDICTED_TOGETHER,
    ),
    Command(
        "train",
        [*TRAIN, "--resume", "--out", "run"],
        ("run/bundle/*", "run/masks.npz", "run/scores.json", "run/tables/scores.csv", "run/split.json", "cache/*/*"),
        together=("run/bundle",),
    ),
    Command(
        "train again",
        [*TRAIN, "--resume", "--out", "run"],
        ("run/bundle/*", "run/masks.npz", "run/scores.json", "run/tables/scores.csv"),
        lambda root, place: _copy(root / "runs" / "fold-0", place / "run"),
        needs=("runs/fold-0",),
        keeps=("run/bundle/weights.safetensors", "run/bundle/contract.json", "run/masks.npz", "run/scores.json"),
        together=("run/bundle",),
    ),
    Command(
        "study",
        [*STUDY, "--out", "out"],
        ("out/runs/*/bundle/*", "out/runs/*/masks.npz", "out/runs/*/scores.json", "out/tables/scores.csv", "cache/*/*"),
        together=("out/runs/*/bundle",),
    ),
    Command(
        "bundle",
        [
            "bundle",
            "../runs/fold-0",
            "../runs/fold-1",
            "--no-domain-shift",
            "--data",
            "../data",
            "--out",
            "models/both",
        ],
        ("models/both/*", "models/both/*/*"),
        lambda root, place: _copy(root / "model", place / "models" / "other"),
        needs=("runs/fold-0", "runs/fold-1"),
        keeps=("models/other/*",),
        together=("models/both", "models/both/*"),
    ),
    Command(
        "bundle of one",
        ["bundle", "../runs/fold-0", "--no-domain-shift", "--data", "../data", "--out", "models/one"],
        ("models/one/*",),
        needs=("runs/fold-0",),
        together=("models/one",),
    ),
    Command(
        "export",
        ["export", "../model", "--to", "onnx", "--out", "onnx"],
        ("onnx/*",),
    ),
    Command(
        "export in place",
        ["export", "model", "--to", "onnx", "--out", "model"],
        ("model/*",),
        lambda root, place: _copy(root / "model", place / "model"),
        keeps=("model/weights.safetensors", "model/card.md"),
    ),
]
FEW = ("predict", "train", "study", "bundle of one", "export")


MADE = {
    "earlier": [*PREDICT[:1], "../earlier scan", *PREDICT[2:-1], "../earlier"],
    "all": [*PREDICT[:-1], "../all"],
    "runs/fold-0": [*TRAIN, "--fold", "0", "--out", "../runs/fold-0"],
    "runs/fold-1": [*TRAIN, "--fold", "1", "--out", "../runs/fold-1"],
}
"""By folder the command that makes it, for others to begin with."""


def prepare(root: Path, commands: Iterable[Command]) -> None:
    """Make what the commands read: practice patients, scans of three formats, a network, results and finished runs."""
    write_phantoms(root / "data", patients=6, size=32)
    _write_scans(root / "scans")
    _write_model(root / "model")
    place = root / "making"
    place.mkdir()
    for name in sorted({name for command in commands for name in command.needs}):
        _run(MADE[name], place)
    shutil.rmtree(place)


def _run(words: list[str], place: Path) -> None:
    ending = victim.run(words, place)
    if ending.code != 0:
        raise RuntimeError(f"{' '.join(words)}\n{ending.said}")


def _write_scans(folder: Path) -> None:
    for seed, name in enumerate(("PHANTOM_CS_0001", "PHANTOM_DU_0002")):
        volume, mask = make_phantom(seed, size=32, slices=8, name=name)
        write_patient(folder, volume, mask)
    for place, name, seed in ((folder, "Nifti", 2), (folder.with_name("earlier scan"), "Earlier", 3)):
        place.mkdir(exist_ok=True)
        flair = make_phantom(seed, size=32, slices=8)[0].channel("flair")
        nibabel.save(nibabel.Nifti1Image(flair.T.astype(np.int16), AFFINE), place / f"{name}_flair.nii.gz")
    flair = make_phantom(4, size=32, slices=8)[0].channel("flair")
    synthetic_dicom.write_series(folder / "dicom", flair.astype(np.uint16), PatientID="Dicom")


def _write_model(folder: Path) -> None:
    """A network with random weights, whose threshold lies in the middle of what it predicts."""
    torch.manual_seed(0)
    contract = untrained_contract(width=2, threshold=0.45)
    save_bundle(folder, build_network("unet", 2), contract, "# Random\n")


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target)
