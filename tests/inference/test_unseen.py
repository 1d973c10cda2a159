from pathlib import Path

import pytest
from torch import nn

from glioseg.dataset.splits import Split, save_split
from glioseg.errors import GliosegError
from glioseg.inference.bundle import save_bundle
from glioseg.inference.contract import SPLIT, Contract
from glioseg.inference.ensemble import Decision, Ensemble, EnsembleContract, save_ensemble
from glioseg.inference.load import load_segmenter
from glioseg.inference.postprocessing import Postprocessing
from glioseg.inference.predictor import Predictor
from glioseg.inference.unseen import unseen_by

FIRST = Split("fold 0 of 2", ("A_1",), (), ("B_1", "C_1"))
SECOND = Split("fold 1 of 2", ("B_1", "C_1"), (), ("A_1",))


@pytest.fixture
def folder(tmp_path: Path, network: nn.Module, contract: Contract) -> Path:
    """Two networks of the first fold, which decide together, and one of the second."""
    hashes = {}
    for name, split in (("one", FIRST), ("two", FIRST), ("three", SECOND)):
        own = contract.model_copy(update={"split_sha256": split.sha256})
        hashes[name] = save_bundle(tmp_path / name, network, own, "").weights_sha256
        save_split(split, tmp_path / name / SPLIT)
    decided = Decision(temperature=1.5, postprocessing=Postprocessing(threshold=0.4))
    save_ensemble(tmp_path, EnsembleContract(members=hashes, folds={FIRST.sha256: decided}, temperature=3.0), "")
    return tmp_path


def test_each_patient_belongs_to_the_networks_that_were_not_trained_on_it(folder: Path) -> None:
    model = load_segmenter(folder, backend="torch", device="cpu")
    assert isinstance(model, Ensemble)
    parts = unseen_by(model, folder)
    assert parts.keys() == {"A_1", "B_1", "C_1"}
    assert parts["A_1"] is model.members["three"]
    together = parts["B_1"]
    assert parts["C_1"] is together
    assert isinstance(together, Ensemble)
    assert list(together.members) == ["one", "two"]
    assert (together.contract.temperature, together.contract.postprocessing.threshold) == (1.5, 0.4)


def test_a_single_network_predicts_its_own_test_patients(folder: Path) -> None:
    model = load_segmenter(folder / "one", backend="torch", device="cpu")
    assert isinstance(model, Predictor)
    assert unseen_by(model, folder / "one") == {"B_1": model, "C_1": model}


def test_without_a_split_nobody_is_known_to_be_unseen(folder: Path) -> None:
    model = load_segmenter(folder, backend="torch", device="cpu")
    (folder / "two" / SPLIT).unlink()
    with pytest.raises(GliosegError, match="two does not tell which patients it has not seen"):
        unseen_by(model, folder)
