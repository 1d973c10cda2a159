import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from glioseg.commands.train import train
from glioseg.dataset.splits import Split, SplitChoice, fold_splits, load_split, published_split
from glioseg.dataset.store import ArrayStore
from glioseg.errors import GliosegError
from glioseg.evaluation.scores import Scores, score_patient
from glioseg.execution import experiment
from glioseg.execution.experiment import TrainingOutcome
from glioseg.inference.contract import WEIGHTS, load_contract
from glioseg.inference.model import Model
from glioseg.training import engine
from glioseg.training.config import load_config
from glioseg.training.run_folder import RunFolder
from glioseg.training.sampling import SliceSampler
from glioseg.volume import Mask, Volume

CONFIG = load_config(
    assignments=(
        "network.width=8",
        "sampling.batch_size=8",
        "sampling.crop_size=32",
        "augmentation.shift_pixels=8",
        "machine.device=cpu",
        "machine.precision=32",
        "optimisation.learning_rate=1e-2",
        "optimisation.ema_decay=0.5",
        "validation.every_epochs=1",
        "budget.steps=24",
    )
)
SPLIT = SplitChoice(folds=3, only_folds=(1,))


@dataclass
class Witness:
    """What a training did to whom, in order."""

    events: list[tuple[str, str]] = field(default_factory=list)
    slices: set[int] = field(default_factory=set)
    chosen_on: set[str] = field(default_factory=set)

    def before(self, marker: str) -> list[tuple[str, str]]:
        return self.events[: [what for what, _ in self.events].index(marker)]


def watch(witness: Witness, patch: pytest.MonkeyPatch) -> None:
    volume, mask, choose, save = (
        ArrayStore.volume,
        ArrayStore.mask,
        experiment.choose_decision,
        experiment.save_bundle,
    )

    class Watched(SliceSampler):
        def indices(self, step: int) -> Any:
            drawn = super().indices(step)
            witness.slices |= {int(index) for index in drawn}
            return drawn

    def watched_volume(store: ArrayStore, patient: str) -> Volume:
        witness.events.append(("volume", patient))
        return volume(store, patient)

    def watched_mask(store: ArrayStore, patient: str) -> Mask:
        witness.events.append(("mask", patient))
        return mask(store, patient)

    def watched_choice(predicted: Any, *others: Any) -> Any:
        found = list(predicted)
        witness.chosen_on |= {patient for patient, _ in found}
        return choose(found, *others)

    def watched_save(*parts: Any) -> Any:
        witness.events.append(("bundle", ""))
        return save(*parts)

    patch.setattr(ArrayStore, "volume", watched_volume)
    patch.setattr(ArrayStore, "mask", watched_mask)
    patch.setattr(engine, "SliceSampler", Watched)
    patch.setattr(experiment, "choose_decision", watched_choice)
    patch.setattr(experiment, "save_bundle", watched_save)


Run = tuple[TrainingOutcome, Witness, RunFolder]


@pytest.fixture(scope="module")
def run(phantom_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One training from the data folder to the report."""
    folder, witness = RunFolder(tmp_path_factory.mktemp("runs") / "run"), Witness()
    with pytest.MonkeyPatch.context() as patch:
        watch(witness, patch)
        outcome = train(phantom_data, folder.root, config=CONFIG, split=SPLIT, command=("glioseg", "train", "my data"))
    return outcome, witness, folder


def split_of(store: ArrayStore) -> Split:
    return fold_splits([entry.patient for entry in store.patients], folds=3)[1]


def test_every_part_of_the_run_is_there(run: Run) -> None:
    outcome, _, folder = run
    parts = ("config", "split", "checkpoint", "log", "learning_curve", "bundle", "masks", "cost", "scores")
    assert all(getattr(folder, part).exists() for part in parts)
    names = {getattr(folder, part).name for part in parts} | {"report.html", "tables"}
    assert {path.name for path in folder.root.iterdir()} == names
    assert {path.name for path in folder.bundle.iterdir()} == {"weights.safetensors", "contract.json", "card.md"}
    assert outcome.folder == folder


def test_settings_and_split_are_those_that_were_asked_for(run: Run, store: ArrayStore) -> None:
    folder = run[2]
    assert load_config(folder.config) == CONFIG
    assert load_split(folder.split) == split_of(store)
    assert all(getattr(split_of(store), part) for part in ("train", "validation", "test"))


def test_the_log_has_a_row_for_each_epoch(run: Run) -> None:
    with run[2].log.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == list(range(1, len(rows) + 1))
    assert int(rows[-1]["step"]) == 24


def test_the_scores_are_of_the_test_patients(run: Run, store: ArrayStore) -> None:
    outcome, _, folder = run
    scores = Scores.from_json(folder.scores.read_text())
    assert scores == outcome.scores
    assert tuple(entry.patient for entry in scores.patients) == split_of(store).test
    assert outcome.part == "2 test patients of the fold 1 of 3 split"
    assert [entry.missing_sequences for entry in scores.patients] == [
        store.entry(entry.patient).missing_sequences for entry in scores.patients
    ]


def test_the_bundle_predicts_the_masks_that_were_scored(run: Run, store: ArrayStore) -> None:
    outcome, _, folder = run
    model = Model.load(folder.bundle, device="cpu", precision="32")
    kept = experiment.load_masks(folder)
    assert kept.keys() == set(split_of(store).test)
    for entry in outcome.scores.patients:
        mask = model.mask(store.volume(entry.patient))
        np.testing.assert_array_equal(mask.voxels, kept[entry.patient].voxels)
        assert score_patient(mask, store.mask(entry.patient)).values == entry.values
    # Masks without a single voxel would agree whatever was predicted.
    assert sum(entry.values["predicted_voxels"] or 0 for entry in outcome.scores.patients) > 0


def test_the_bundle_holds_the_averaged_weights(run: Run) -> None:
    folder = run[2]
    average = torch.load(folder.checkpoint, weights_only=True)["average"]
    for name, value in load_file(folder.bundle / WEIGHTS).items():
        assert torch.equal(value, average[f"module.{name}"])


def test_the_contract_says_where_the_weights_come_from(run: Run, store: ArrayStore) -> None:
    contract = load_contract(run[2].bundle)
    assert (contract.network, contract.width, contract.flip) == ("unet", 8, True)
    assert contract.preprocessing == CONFIG.preprocessing
    assert contract.split_sha256 == split_of(store).sha256
    assert contract.data_fingerprint == store.fingerprint
    assert contract.training_patients == len(split_of(store).train)


def test_card_and_report_tell_of_the_scores(run: Run) -> None:
    outcome, _, folder = run
    mean = outcome.scores.summary()["dice"].mean
    assert f"| {mean:.3f} |" in (folder.bundle / "card.md").read_text()
    report = (folder.root / "report.html").read_text()
    assert "glioseg train &#39;my data&#39;" in report
    assert all(entry.patient in report for entry in outcome.scores.patients)


def test_the_cost_is_that_of_the_run(run: Run) -> None:
    cost = experiment.load_cost(run[2])
    assert cost is not None
    tensors = load_file(run[2].bundle / WEIGHTS)
    assert cost.parameters == sum(value.numel() for name, value in tensors.items() if "running_" not in name)
    assert cost.training_steps == 24
    assert cost.cpu_ms_per_slice > 0


def test_only_training_patients_are_trained_on(run: Run, store: ArrayStore) -> None:
    drawn = run[1].slices
    owners = {entry.patient for entry in store.patients for index in range(entry.start, entry.stop) if index in drawn}
    assert owners == set(split_of(store).train)


def test_threshold_and_component_rule_are_chosen_on_validation_patients(run: Run, store: ArrayStore) -> None:
    assert run[1].chosen_on == set(split_of(store).validation)


def test_nobody_looks_at_a_test_patient_before_the_bundle_is_made(run: Run, store: ArrayStore) -> None:
    split, witness = split_of(store), run[1]
    seen = {patient for _, patient in witness.before("bundle")}
    assert seen == {*split.train, *split.validation}
    assert {patient for what, patient in witness.before("bundle") if what == "mask"} == set(split.validation)
    assert {patient for _, patient in witness.events[len(witness.before("bundle")) + 1 :]} == set(split.test)


def test_resuming_a_finished_run_scores_again_without_training(
    run: Run, phantom_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings and split come from the folder: others would be refused."""
    outcome, _, folder = run
    before = {path: path.read_bytes() for path in (folder.checkpoint, folder.bundle / WEIGHTS, folder.scores)}

    def no_step(*_: object) -> None:
        raise AssertionError("it trains")

    monkeypatch.setattr(engine, "batch_loss", no_step)
    again = train(phantom_data, folder.root, resume=True)
    assert again.scores == outcome.scores
    assert {path: path.read_bytes() for path in before} == before


def test_a_folder_with_a_run_is_refused_without_resume(run: Run, phantom_data: Path) -> None:
    before = run[2].scores.read_bytes()
    with pytest.raises(GliosegError, match="already holds a run"):
        train(phantom_data, run[2].root, config=CONFIG, split=SPLIT)
    assert run[2].scores.read_bytes() == before


def test_other_settings_cannot_go_on(run: Run, phantom_data: Path) -> None:
    other = CONFIG.model_copy(update={"seed": 8})
    with pytest.raises(GliosegError, match="found another settings"):
        train(phantom_data, run[2].root, config=other, resume=True)
    with pytest.raises(GliosegError, match="found another split"):
        train(phantom_data, run[2].root, split=SplitChoice(folds=3, only_folds=(2,)), resume=True)


def test_without_test_patients_the_validation_patients_are_scored_and_the_report_says_so(
    phantom_data: Path, store: ArrayStore, tmp_path: Path
) -> None:
    short = CONFIG.model_copy(update={"budget": load_config(assignments=["budget.steps=1"]).budget})
    outcome = train(phantom_data, tmp_path / "run", config=short)
    split = published_split([entry.patient for entry in store.patients])
    assert split.test == ()
    assert tuple(entry.patient for entry in outcome.scores.patients) == split.validation
    assert outcome.part == "1 validation patients of the published split"
    assert "the figures flatter" in (tmp_path / "run" / "report.html").read_text()


def test_a_data_folder_without_patients(tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match="holds no patient"):
        train(tmp_path, tmp_path / "run", config=CONFIG)
    assert not (tmp_path / "run").exists()
