import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from glioseg.commands.bundle import bundle
from glioseg.commands.bundle_scores import BundleOutcome
from glioseg.commands.evaluate import evaluate
from glioseg.commands.predict import predict
from glioseg.commands.train import train
from glioseg.dataset.splits import SplitChoice, load_split
from glioseg.dataset.store import ArrayStore
from glioseg.errors import GliosegError
from glioseg.inference.contract import WEIGHTS, load_contract, load_ensemble_contract
from glioseg.inference.model import Model
from glioseg.training.config import load_config
from glioseg.training.validation import domain_shift_dice

SETTINGS = (
    "sampling.batch_size=4",
    "sampling.crop_size=32",
    "machine.device=cpu",
    "machine.precision=32",
    "optimisation.learning_rate=1e-2",
    "optimisation.ema_decay=0.5",
    "budget.steps=20",
)
EVIDENCE = {"scores.csv", "failure_detection.csv", "reliability.png", "split.json", "card.md"}
"""What lies beside a model; beside an ensemble of folds, which has no split of its own, all but that."""


def run(data: Path, out: Path, network: str, fold: int = 0) -> Path:
    config = load_config(assignments=(f'network.name="{network}"', "network.width=8", *SETTINGS))
    train(data, out, config=config, split=SplitChoice(folds=3, only_folds=(fold,)))
    return out


@pytest.fixture(scope="module")
def runs(phantom_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("runs")
    return [run(phantom_data, root / name, name) for name in ("unet", "resunet-pp")]


@pytest.fixture(scope="module")
def other_fold(phantom_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(phantom_data, tmp_path_factory.mktemp("other") / "run", "unet", fold=1)


@pytest.fixture(scope="module")
def ensemble(runs: list[Path], phantom_data: Path, tmp_path_factory: pytest.TempPathFactory) -> BundleOutcome:
    return bundle(runs, phantom_data, tmp_path_factory.mktemp("models") / "both", domain_shift=False)


def dice_in(path: Path) -> dict[str, str]:
    with path.open(newline="") as file:
        return {row["patient"]: row["dice"] for row in csv.DictReader(file)}


def test_several_runs_become_an_ensemble_of_bundles(ensemble: BundleOutcome) -> None:
    members = {"unet-8", "resunet-pp-8"}
    assert {path.name for path in ensemble.folder.iterdir()} == {*members, "ensemble.json", *EVIDENCE}
    assert load_ensemble_contract(ensemble.folder).members.keys() == members
    for name in members:
        assert {path.name for path in (ensemble.folder / name).iterdir()} == {WEIGHTS, "contract.json", *EVIDENCE}
    assert ensemble.title == "U-Net 8 and ResUNet++ 8"


def test_weights_are_kept_in_half_precision_and_statistics_are_not(ensemble: BundleOutcome, runs: list[Path]) -> None:
    small = load_file(ensemble.folder / "unet-8" / WEIGHTS)
    whole = load_file(runs[0] / "bundle" / WEIGHTS)
    assert small.keys() == whole.keys()
    for name, values in small.items():
        assert values.dtype == (np.float16 if values.ndim > 1 else np.float32)
        np.testing.assert_allclose(values, whole[name], rtol=1e-3, atol=1e-6)


def test_its_scores_are_those_that_a_user_gets(ensemble: BundleOutcome, phantom_data: Path, tmp_path: Path) -> None:
    """Predict and evaluate what the model has not seen: the table that lies beside it comes out."""
    for folder in (ensemble.folder, ensemble.folder / "unet-8"):
        masks = tmp_path / folder.name
        predicted = predict([phantom_data], masks, model=folder, out_of_fold=True, previews=False)
        evaluate(masks, phantom_data, tmp_path / "scores.csv")
        assert dice_in(tmp_path / "scores.csv") == dice_in(folder / "scores.csv")
        assert set(dice_in(folder / "scores.csv")) == set(load_split(folder / "split.json").test)
        with (folder / "failure_detection.csv").open(newline="") as file:
            trusted = {row["patient"]: row["expected_dice"] for row in csv.DictReader(file)}
        for result in predicted.results:
            expected = "" if result.expected_dice is None else f"{result.expected_dice:.4f}"
            assert trusted[result.patient] == expected


def test_temperature_and_rule_are_chosen_on_validation_patients_alone(
    runs: list[Path], phantom_data: Path, store: ArrayStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one fold, for each of two networks and for both together; of several tells test_bundle_decisions.py."""
    from glioseg.commands import bundle_decisions as module

    fitted_on: list[set[str]] = []
    ruled_on: list[list[bytes]] = []
    fit, choose = module.fit_temperature, module.choose_postprocessing

    def watched(found, store):
        fitted_on.append(set(found))
        return fit(found, store)

    def watched_choice(predicted):
        ruled_on.append(sorted(truth.tobytes() for _, truth in predicted))
        return choose(predicted)

    monkeypatch.setattr(module, "fit_temperature", watched)
    monkeypatch.setattr(module, "choose_postprocessing", watched_choice)
    bundle(runs, phantom_data, tmp_path / "model", domain_shift=False)
    validation = set(load_split(runs[0] / "split.json").validation)
    assert fitted_on == [validation] * 3
    assert ruled_on == [sorted(store.mask(patient).voxels.tobytes() for patient in validation)] * 3


def test_one_run_becomes_a_bundle(runs: list[Path], phantom_data: Path, store: ArrayStore, tmp_path: Path) -> None:
    outcome = bundle(runs[:1], phantom_data, tmp_path / "model")
    assert {path.name for path in outcome.folder.iterdir()} == {WEIGHTS, "contract.json", "domain_shift.csv", *EVIDENCE}
    contract = load_contract(outcome.folder)
    assert contract.temperature != 1
    found = dice_in(outcome.folder / "domain_shift.csv")
    assert found.keys() == dice_in(outcome.folder / "scores.csv").keys()
    model = Model.load(outcome.folder, backend="torch", device="cpu")
    patient = min(found)
    expected = domain_shift_dice(model, store, [patient])[patient]
    assert found[patient] == ("" if expected is None else f"{expected:.4f}")
    card = (outcome.folder / "card.md").read_text()
    assert card.startswith("# U-Net 8\n")
    for heading in ("## Use", "## Data", "## Scores", "## External scans", "## Failure detection", "## Failures"):
        assert heading in card


def test_two_runs_of_one_network_have_names_of_their_own(runs: list[Path], phantom_data: Path, tmp_path: Path) -> None:
    twin = shutil.copytree(runs[0], tmp_path / "twin")
    outcome = bundle([runs[0], twin], phantom_data, tmp_path / "model", domain_shift=False)
    assert load_ensemble_contract(outcome.folder).members.keys() == {"unet-8", "unet-8-2"}


@pytest.fixture(scope="module")
def folds(
    ensemble: BundleOutcome, other_fold: Path, phantom_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> BundleOutcome:
    """Two networks of fold 0, taken from a model made earlier, and one of fold 1."""
    return bundle(
        [ensemble.folder, other_fold], phantom_data, tmp_path_factory.mktemp("models") / "folds", domain_shift=False
    )


def test_runs_of_several_folds_become_one_model(folds: BundleOutcome, ensemble: BundleOutcome) -> None:
    members = {"unet-8_fold-0", "resunet-pp-8_fold-0", "unet-8_fold-1"}
    contract = load_ensemble_contract(folds.folder)
    assert contract.members.keys() == members
    assert {path.name for path in folds.folder.iterdir()} == {
        *members,
        "ensemble.json",
        *EVIDENCE - {"split.json"},
    }
    assert folds.title == "U-Net 8 (2 folds) and ResUNet++ 8"
    earlier = load_ensemble_contract(ensemble.folder)
    assert contract.members["unet-8_fold-0"] == earlier.members["unet-8"]
    (decided,) = contract.folds.values()
    assert (decided.temperature, decided.postprocessing) == (earlier.temperature, earlier.postprocessing)


def test_every_patient_is_scored_by_the_fold_that_held_it_back(
    folds: BundleOutcome, ensemble: BundleOutcome, other_fold: Path, phantom_data: Path, tmp_path: Path
) -> None:
    """The very scores of fold 0's model for its patients, of fold 1's network for the others; a user gets them too."""
    found = dice_in(folds.folder / "scores.csv")
    network = dice_in(folds.folder / "unet-8_fold-1" / "scores.csv")
    assert found == dice_in(ensemble.folder / "scores.csv") | network
    assert set(network) == set(load_split(other_fold / "split.json").test)
    predict([phantom_data], tmp_path / "masks", model=folds.folder, out_of_fold=True, previews=False)
    evaluate(tmp_path / "masks", phantom_data, tmp_path / "scores.csv")
    assert dice_in(tmp_path / "scores.csv") == found
    assert len(found) == 4


def test_the_card_of_folds_tells_each_network_and_all_together(folds: BundleOutcome) -> None:
    card = (folds.folder / "card.md").read_text()
    assert "4 patients of fold 0 of 3, fold 1 of 3, each predicted by the networks of the fold that had held" in card
    assert "--out-of-fold" in card
    rows = {line.split("|")[1].strip(): line for line in card.splitlines() if line.startswith("| ")}
    assert {"unet-8", "resunet-pp-8", "all together"} <= rows.keys()
    mean = np.mean([float(value) for value in dice_in(folds.folder / "scores.csv").values()])
    assert f"| {mean:.3f} |" in rows["all together"]


def test_a_patient_tested_by_two_splits_is_refused(runs: list[Path], phantom_data: Path, tmp_path: Path) -> None:
    config = load_config(assignments=('network.name="unet"', "network.width=8", *SETTINGS))
    train(phantom_data, tmp_path / "other", config=config, split=SplitChoice(folds=2, only_folds=(0,)))
    with pytest.raises(GliosegError, match="is tested by 'fold 0 of 3' and by 'fold 0 of 2'"):
        bundle([runs[0], tmp_path / "other"], phantom_data, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_other_data_is_refused(runs: list[Path], phantom_data: Path, tmp_path: Path) -> None:
    changed = shutil.copytree(phantom_data, tmp_path / "data")
    (image, *_) = sorted(path for path in changed.rglob("*_1.tif"))
    shutil.copy(image.with_name(image.name.replace("_1.tif", "_2.tif")), image)
    with pytest.raises(GliosegError, match="data is other"):
        bundle(runs, changed, tmp_path / "model")


def test_an_unfinished_run_is_refused(runs: list[Path], phantom_data: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(runs[0], tmp_path / "broken")
    (broken / "scores.json").unlink()
    with pytest.raises(GliosegError, match="broken is no finished run"):
        bundle([broken], phantom_data, tmp_path / "model")


def test_nothing_is_replaced(runs: list[Path], phantom_data: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine").touch()
    with pytest.raises(GliosegError, match="mine is a file"):
        bundle(runs, phantom_data, tmp_path / "model" / "mine")
    with pytest.raises(GliosegError, match="is not empty"):
        bundle(runs, phantom_data, tmp_path / "model")


def test_no_run_is_refused(phantom_data: Path, tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match="no run is given"):
        bundle([], phantom_data, tmp_path / "model")


def test_a_model_may_share_the_networks_of_one_beside_it(
    folds: BundleOutcome, phantom_data: Path, tmp_path: Path
) -> None:
    names = ("unet-8_fold-0", "unet-8_fold-1")
    both = shutil.copytree(folds.folder, tmp_path / "both")
    before = {path: path.read_bytes() for path in both.rglob("*") if path.is_file()}
    settings = {"domain_shift": False, "shared": True, "flips_in_turn": True, "crop_to_head": True}
    shared = bundle([both / name for name in names], phantom_data, tmp_path / "unet", **settings)
    assert {path.name for path in shared.folder.iterdir()} == {"ensemble.json", *EVIDENCE - {"split.json"}}
    assert {path: path.read_bytes() for path in both.rglob("*") if path.is_file()} == before
    copied = bundle([both / name for name in names], phantom_data, tmp_path / "copied", domain_shift=False)
    assert (shared.scores, shared.title) == (copied.scores, copied.title)
    update = {"members_in": "../both", "flips_in_turn": True, "crop_to_head": True}
    expected = load_ensemble_contract(copied.folder).model_copy(update=update)
    assert load_ensemble_contract(shared.folder) == expected
    predict([phantom_data], tmp_path / "masks", model=shared.folder, out_of_fold=True, previews=False)
    evaluate(tmp_path / "masks", phantom_data, tmp_path / "scores.csv")
    assert dice_in(tmp_path / "scores.csv") == dice_in(copied.folder / "scores.csv")
    again = bundle([shared.folder], phantom_data, tmp_path / "again", domain_shift=False)
    assert load_ensemble_contract(again.folder).members.keys() == set(names)


@pytest.mark.parametrize("option", ["flips_in_turn", "crop_to_head"])
def test_what_several_networks_do_together_is_refused_for_one(
    folds: BundleOutcome, phantom_data: Path, tmp_path: Path, option: str
) -> None:
    with pytest.raises(GliosegError, match="several networks"):
        bundle([folds.folder / "unet-8_fold-0"], phantom_data, tmp_path / "one", **{option: True})


def test_only_members_of_one_model_beside_it_are_shared(
    folds: BundleOutcome, ensemble: BundleOutcome, phantom_data: Path, tmp_path: Path
) -> None:
    beside = folds.folder.parent / "new"
    for members, out in (
        ([folds.folder / "unet-8_fold-0", folds.folder / "unet-8_fold-1"], tmp_path / "far"),
        ([folds.folder / "unet-8_fold-1"], beside),
        ([ensemble.folder / "resunet-pp-8", folds.folder / "unet-8_fold-1"], beside),
    ):
        with pytest.raises(GliosegError, match="cannot share these networks"):
            bundle(members, phantom_data, out, shared=True)
        assert not out.exists()
