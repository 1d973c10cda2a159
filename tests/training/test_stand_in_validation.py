from pathlib import Path

import numpy as np
import pytest

from glioseg.dataset.phantom import write_phantoms
from glioseg.dataset.store import ArrayStore, open_store
from glioseg.evaluation.metrics import dice
from glioseg.evaluation.stand_in import stand_in
from glioseg.inference.contract import Contract
from glioseg.inference.foreign import predict_foreign
from glioseg.inference.model import Model
from glioseg.inference.preprocessing import Preprocessing
from glioseg.training.stand_in_validation import stand_in_dice


class BrightFlair:
    """A backend that says tumour where the normalised FLAIR is bright."""

    name, device, precision = "torch", "test", "32"

    def logits(self, images: np.ndarray) -> np.ndarray:
        return 4 * (images[:, 1:2] - 1.2)


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
    model = Model.of(BrightFlair(), contract)  # type: ignore[arg-type]
    names = [entry.patient for entry in heads.patients]
    scores = stand_in_dice(model, heads, names)
    assert list(scores) == names
    volume, truth = stand_in(heads.volume(names[1]), heads.mask(names[1]))
    assert scores[names[1]] == dice(predict_foreign(model, volume).mask.voxels, truth.voxels)
    assert all(0 < (score or 0) < 1 for score in scores.values())


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
