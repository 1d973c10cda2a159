from pathlib import Path

import pytest
from bright_flair import BrightFlair

from glioseg.dataset.phantom import write_phantoms
from glioseg.dataset.store import ArrayStore, open_store
from glioseg.evaluation.metrics import dice
from glioseg.inference.contract import Contract
from glioseg.inference.model import Model
from glioseg.inference.preprocessing import Preprocessing
from glioseg.training.domain_shift_validation import domain_shift_dice


@pytest.fixture(scope="module")
def head_masks(tmp_path_factory: pytest.TempPathFactory) -> ArrayStore:
    root = tmp_path_factory.mktemp("heads")
    write_phantoms(root, patients=2, size=128)
    return open_store(root, cache=tmp_path_factory.mktemp("cache"))


def test_scores_each_patients_stand_in_as_predict_would(head_masks: ArrayStore) -> None:
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
    names = [entry.patient for entry in head_masks.patients]
    scores = domain_shift_dice(model, head_masks, names)
    assert list(scores) == names
    at_home = {name: dice(model.mask(head_masks.volume(name)).voxels, head_masks.mask(name).voxels) for name in names}
    assert all(0 < (score or 0) < 1 for score in scores.values())
    assert all(scores[name] != at_home[name] for name in names)
    blind = Model.of(BrightFlair(100), contract)  # type: ignore[arg-type]
    assert set(domain_shift_dice(blind, head_masks, names).values()) == {0.0}


def test_a_run_that_is_told_to_keeps_the_scores(head_masks: ArrayStore, tmp_path: Path) -> None:
    from glioseg.dataset.splits import Split
    from glioseg.execution.experiment import train_and_score
    from glioseg.training.config import load_config
    from glioseg.training.run_folder import RunFolder

    config = load_config(
        assignments=("network.width=2", "sampling.crop_size=32", "sampling.batch_size=2", "budget.steps=1",
                     "validation.domain_shift=true", "augmentation.skull_stripping=0.5", "machine.device=cpu")
    )  # fmt: skip
    train, validate = (entry.patient for entry in head_masks.patients)
    folder = RunFolder(tmp_path)
    train_and_score(config, head_masks, Split("two", (train,), (validate,), ()), folder)
    assert f'"{validate}"' in folder.domain_shift.read_text()
