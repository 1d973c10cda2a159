from pathlib import Path

import pytest
from bright_flair import BrightFlair

from glioseg.dataset.phantom import write_phantoms
from glioseg.dataset.store import ArrayStore, open_store
from glioseg.evaluation.metrics import dice
from glioseg.inference.contract import Contract
from glioseg.inference.model import Model
from glioseg.inference.preprocessing import Preprocessing
from glioseg.training.stand_in_validation import stand_in_dice


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> ArrayStore:
    root = tmp_path_factory.mktemp("heads")
    write_phantoms(root, patients=2, size=128)
    return open_store(root, cache=tmp_path_factory.mktemp("cache"))


def test_scores_each_patients_stand_in_as_predict_would(heads: ArrayStore) -> None:
    contract = Contract(
        network="unet",
        width=8,
        preprocessing=Preprocessing(),
        flip=False,
        split_sha256="",
        data_fingerprint="",
        training_patients=0,
        versions={},
    )
    model = Model.of(BrightFlair(1.2), contract)  # type: ignore[arg-type]
    names = [entry.patient for entry in heads.patients]
    scores = stand_in_dice(model, heads, names)
    assert list(scores) == names
    at_home = {name: dice(model.mask(heads.volume(name)).voxels, heads.mask(name).voxels) for name in names}
    assert all(0 < (score or 0) < 1 for score in scores.values())
    assert all(scores[name] != at_home[name] for name in names)
    blind = Model.of(BrightFlair(100), contract)  # type: ignore[arg-type]
    assert set(stand_in_dice(blind, heads, names).values()) == {0.0}


def test_a_run_that_is_told_to_keeps_the_scores(heads: ArrayStore, tmp_path: Path) -> None:
    from glioseg.dataset.splits import Split
    from glioseg.execution.experiment import train_and_score
    from glioseg.training.config import load_config
    from glioseg.training.run_folder import RunFolder

    config = load_config(
        assignments=("network.width=2", "sampling.crop_size=32", "sampling.batch_size=2", "budget.steps=1",
                     "validation.stand_in=true", "augmentation.strip=0.5", "machine.device=cpu")
    )  # fmt: skip
    train, validate = (entry.patient for entry in heads.patients)
    folder = RunFolder(tmp_path)
    train_and_score(config, heads, Split("two", (train,), (validate,), ()), folder)
    assert f'"{validate}"' in folder.stand_in.read_text()
