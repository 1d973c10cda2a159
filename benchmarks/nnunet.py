"""A peer on the same folds: nnU-Net v2, trained on the patients that our shipped networks of a fold were trained on.

    python -m benchmarks.nnunet DATA --work FOLDER --fold 1 --epochs 15 --iterations 20 --batch-size 6 --bfloat16

Plans, preprocesses, trains, predicts the fold's test patients, scores them with ``glioseg evaluate`` and prints a row,
with our shipped U-Net 16 of the fold beside it. What is done in FOLDER is not done again, but for a training that was
broken off. nnU-Net is no dependency of glioseg; a training of other length than its 1000 epochs of 250 iterations is
named as such.
"""

import argparse
import importlib.util
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.nnunet_files import DATASET, image_paths, nnunet_splits, write_mask_folder, write_raw
from benchmarks.tables import Table
from glioseg.atomic import write_text_atomically
from glioseg.commands.evaluate import evaluate
from glioseg.dataset.lgg import PatientFiles, find_patients
from glioseg.dataset.splits import Split, load_split
from glioseg.evaluation.score_files import read_patient_values
from glioseg.evaluation.statistics import summarise
from glioseg.inference.shipped import MODELS_FOLDER

FOLDS = 5
MISSING = "nnU-Net is not installed here: pip install nnunetv2, in an environment of its own with glioseg"


def main() -> None:
    options = _options()
    if importlib.util.find_spec("nnunetv2") is None:
        sys.exit(MISSING)
    print(peer_table(options).markdown())


def peer_table(options: argparse.Namespace) -> Table:
    """Prepare, train, predict and score what is not done yet."""
    splits = [load_split(_shipped(fold) / "split.json") for fold in range(FOLDS)]
    split = splits[options.fold]
    patients = _patients(options.data, split)
    raw, preprocessed = _set_environment(options.work.resolve(), options.device)
    write_raw(patients, raw)

    # nnU-Net reads the folders from the environment as it is imported.
    from benchmarks import nnunet_training as nnunet

    nnunet.prepare(options.configuration, preprocessed)
    write_text_atomically(preprocessed / DATASET / "splits_final.json", json.dumps(nnunet_splits(splits), indent=2))
    if options.device == "cpu":
        # Batches are made between steps. Its planner takes the number for one of threads and could not do with 0.
        os.environ |= {"nnUNet_n_proc_DA": "0"}
    short = nnunet.Shortening(options.epochs, options.iterations, options.batch_size, options.bfloat16)
    trainer = nnunet.make_trainer(short, options.configuration, options.fold, options.device, preprocessed)
    cost = nnunet.train_or_load(trainer)

    tested = [files for files in patients if files.patient in split.test]
    folder = Path(trainer.output_folder) / ("predictions" if options.mirror else "predictions_not_mirrored")
    labels = [folder / f"{files.patient}.nii.gz" for files in tested]
    folder.mkdir(exist_ok=True)
    nnunet.predict(trainer, [image_paths(raw / DATASET, files.patient) for files in tested], labels, options.mirror)
    name = f"nnU-Net {options.configuration}, {short.trainer}{'' if options.mirror else ', not mirrored'}"
    minutes = f"{cost['minutes']:.1f} ({cost['core_minutes']:.1f} of a core)"
    return _table(options.fold, _row(name, minutes, _scores(tested, labels, options.data)))


def _scores(tested: Sequence[PatientFiles], labels: Sequence[Path], data: Path) -> Path:
    """Score label maps as masks of ours; the table of patients beside them."""
    folder = labels[0].parent
    for files, label in zip(tested, labels, strict=True):
        write_mask_folder(label, files, folder / "masks")
    evaluate(folder / "masks", data, folder / "scores.csv")
    return folder / "scores.csv"


def _table(fold: int, peer: Sequence[str]) -> Table:
    shipped = _row("U-Net 16 as shipped", "6.8 on a GPU", _shipped(fold) / "scores.csv")
    header = ("network", "minutes of training", "3-D Dice, mean", "95 % interval", "median", "minimum", "patients")
    return Table("nnU-Net on the same fold", header, [peer, shipped], f"Test patients of fold {fold}, seen by neither.")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nnunet", description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="the dataset's folder of patients")
    parser.add_argument("--work", type=Path, required=True, help="where nnU-Net's folders go, 3 GB")
    parser.add_argument("--fold", type=int, choices=range(FOLDS), default=1)
    parser.add_argument("--configuration", choices=("2d", "3d_fullres"), default="2d")
    parser.add_argument("--epochs", type=int, default=1000)
    parser.add_argument("--iterations", type=int, default=250, help="in an epoch")
    parser.add_argument("--batch-size", type=int, help="instead of the planned one")
    parser.add_argument("--bfloat16", action="store_true", help="compute in it on a CPU, as in half precision on a GPU")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--mirror", action=argparse.BooleanOptionalAction, default=True, help="in prediction")
    return parser.parse_args()


def _shipped(fold: int) -> Path:
    return MODELS_FOLDER / "all" / f"unet-16_fold-{fold}"


def _patients(data: Path, split: Split) -> list[PatientFiles]:
    """Those of the split; the published test patients stay out."""
    named = {*split.train, *split.validation, *split.test}
    found = [files for files in find_patients(data) if files.patient in named]
    missing = named - {files.patient for files in found}
    if missing:
        sys.exit(f"{data} lacks {len(missing)} patients of {split.name}, as {min(missing)}")
    return found


def _set_environment(work: Path, device: str) -> tuple[Path, Path]:
    """Tell nnU-Net where its files go and to be sparing with processes; the folders of raw and preprocessed data."""
    raw, preprocessed = work / "raw", work / "preprocessed"
    folders = {"nnUNet_raw": raw, "nnUNet_preprocessed": preprocessed, "nnUNet_results": work / "results"}
    for name, folder in folders.items():
        folder.mkdir(parents=True, exist_ok=True)
        os.environ[name] = str(folder)
    os.environ |= {
        "nnUNet_n_proc_DA": "0",
        "nnUNet_def_n_proc": "1",
        "nnUNet_compile": "f",
        "nnUNet_wandb_enabled": "0",
    }
    return raw, preprocessed


def _row(name: str, minutes: str, scores: Path) -> tuple[str, ...]:
    dice = summarise(list(read_patient_values(scores, "dice")[""].values()))
    figures = (f"{dice.mean:.3f}", f"{dice.ci_low:.3f} to {dice.ci_high:.3f}", f"{dice.median:.3f}")
    return (name, minutes, *figures, f"{dice.minimum:.3f}", str(dice.count))


if __name__ == "__main__":
    main()
