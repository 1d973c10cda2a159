import csv
from pathlib import Path

import pytest

from glioseg.commands.bundle import bundle
from glioseg.commands.bundle_refit import bundle_refit
from glioseg.commands.evaluate import evaluate
from glioseg.commands.predict import predict
from glioseg.commands.train import SplitChoice, train
from glioseg.dataset.splits import Split, save_split
from glioseg.dataset.store import ArrayStore, open_store
from glioseg.errors import GliosegError
from glioseg.inference.contract import load_contract
from glioseg.inference.model import Model
from glioseg.training.config import load_config

SETTINGS = (
    "network.width=4",
    "sampling.batch_size=4",
    "sampling.crop_size=32",
    "machine.device=cpu",
    "machine.precision=32",
    "validation.through_plane_smoothing=0",
    "budget.steps=12",
)
FOLDS = 2


def run(data: Path, out: Path, split: SplitChoice, *more: str) -> Path:
    train(data, out, config=load_config(assignments=(*SETTINGS, *more)), split=split)
    return out


@pytest.fixture(scope="module")
def data(phantom_data: Path) -> Path:
    return phantom_data


@pytest.fixture(scope="module")
def root(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folds as a model, and a run on everybody."""
    root = tmp_path_factory.mktemp("refit")
    runs = [run(data, root / f"fold-{fold}", SplitChoice(folds=FOLDS, only_folds=(fold,))) for fold in range(FOLDS)]
    bundle(runs, data, root / "folds", domain_shift=False)
    names = tuple(entry.patient for entry in open_store(data).patients)
    save_split(Split("everybody", names, (), ()), root / "everybody.json")
    run(data, root / "all", SplitChoice(file=root / "everybody.json"))
    return root


def scores(path: Path) -> dict[str, str]:
    with path.open(newline="") as file:
        return {row["patient"]: row["dice"] for row in csv.DictReader(file)}


def test_a_network_of_everybody_has_the_scores_of_its_siblings_and_a_user_gets_them(
    root: Path, data: Path, tmp_path: Path
) -> None:
    outcome = bundle_refit(root / "all", root / "folds", data, root / "model", domain_shift=False)
    expected = scores(root / "folds" / "scores.csv")
    assert scores(outcome.folder / "scores.csv") == expected
    assert len(expected) == 6
    predict([data], tmp_path / "masks", model=outcome.folder, out_of_fold=True, previews=False)
    evaluate(tmp_path / "masks", data, tmp_path / "scores.csv")
    assert scores(tmp_path / "scores.csv") == expected
    assert "6 patients, each predicted by a network of the same recipe" in (outcome.folder / "card.md").read_text()


def test_without_unseen_it_is_the_network_of_everybody(root: Path, store: ArrayStore, data: Path) -> None:
    bundle_refit(root / "all", root / "folds", data, root / "other", domain_shift=False)
    contract = load_contract(root / "other")
    assert contract.siblings == "../folds"
    assert contract.training_patients == 6
    volume = store.volume(store.patients[0].patient)
    assert Model.load(root / "other").title == "U-Net 4"
    folds = Model.load(root / "folds").out_of_fold()[volume.patient]
    assert (Model.load(root / "other").probabilities(volume) != folds.probabilities(volume)).any()


def test_alone_it_predicts_but_cannot_tell_whom_it_has_not_seen(root: Path, data: Path, tmp_path: Path) -> None:
    model = bundle_refit(root / "all", root / "folds", data, root / "moved", domain_shift=False).folder
    alone = model.rename(tmp_path / "alone")
    assert Model.load(alone).title == "U-Net 4"
    with pytest.raises(GliosegError, match=r"held patients back in .*/folds.*pip install glioseg-models"):
        Model.load(alone).out_of_fold()


def test_networks_of_another_recipe_are_no_siblings(root: Path, data: Path, tmp_path: Path) -> None:
    split = SplitChoice(file=root / "everybody.json")
    other = run(data, tmp_path / "all", split, "validation.flip=false")
    with pytest.raises(GliosegError, match="no sibling of the run") as caught:
        bundle_refit(other, root / "folds", data, root / "new", domain_shift=False)
    assert caught.value.expected == "the same flip"
    assert not (root / "new").exists()


def test_a_run_that_held_patients_back_needs_no_siblings(root: Path, data: Path) -> None:
    with pytest.raises(GliosegError, match="test patients of its own"):
        bundle_refit(root / "fold-0", root / "folds", data, root / "new")


def test_siblings_lie_beside_the_model(root: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match="do not lie beside"):
        bundle_refit(root / "all", root / "folds", data, tmp_path / "new")


def test_a_run_on_everybody_alone_is_refused_with_the_remedy(root: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match="no test patients") as caught:
        bundle([root / "all"], data, tmp_path / "model")
    assert "--siblings" in str(caught.value)
