"""The graph in eight bits lies beside the other and is computed where, and only where, the processor is made for it."""

import math
from pathlib import Path

import numpy as np
import pytest

from glioseg.dataset.phantom import make_phantom
from glioseg.errors import GliosegError
from glioseg.inference import backends as module
from glioseg.inference.contract import CONTRACT, MODEL_INT8, MODEL_ONNX, load_contract
from glioseg.inference.export import Patient, export_bundle
from glioseg.inference.model import Model

SIZE = 64


@pytest.fixture(scope="module")
def patient() -> Patient:
    return Patient(*make_phantom(1, size=SIZE, slices=12))


@pytest.fixture(scope="module")
def both(untrained_bundle: Path, patient: Patient, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with both graphs; of a network that knows nothing, whatever eight bits cost."""
    out = tmp_path_factory.mktemp("both") / "bundle"
    settings = {"size_px": SIZE, "int8": True, "affordable_dice_loss": math.inf}
    export_bundle(untrained_bundle, out, "onnx", patients=[patient], **settings)
    return out


def loaded(folder: Path, monkeypatch: pytest.MonkeyPatch, *, able: bool, **settings: str) -> Model:
    monkeypatch.setattr(module, "has_eight_bit_instructions", lambda: able)
    return Model.load(folder, **settings)


def precision_of(model: Model) -> tuple[str, str]:
    return model.first.backend.name, model.first.backend.precision


def test_the_processor_and_the_wish_decide(both: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert precision_of(loaded(both, monkeypatch, able=True)) == ("onnxruntime", "int8")
    assert precision_of(loaded(both, monkeypatch, able=True, backend="openvino")) == ("openvino", "int8")
    assert precision_of(loaded(both, monkeypatch, able=True, backend="onnxruntime", precision="32"))[1] == "32"
    assert precision_of(loaded(both, monkeypatch, able=False, backend="onnxruntime")) == ("onnxruntime", "32")


def test_eight_bits_answer_nearly_the_same(both: Path, patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    coarse = loaded(both, monkeypatch, able=True, backend="onnxruntime").probabilities(patient.volume)
    fine = loaded(both, monkeypatch, able=False, backend="onnxruntime").probabilities(patient.volume)
    difference = np.abs(coarse - fine)
    # Without such instructions sums may overflow, which costs some more.
    assert 0 < difference.mean() < 0.05


def test_the_contract_tells_what_they_cost_and_holds_the_file(both: Path, patient: Patient) -> None:
    exported = load_contract(both).exported
    assert exported is not None
    assert exported.eight_bits is not None
    assert (exported.precision, exported.eight_bits.patients) == ("32", 1)
    assert exported.eight_bits.largest_difference > exported.parity.largest_difference
    assert {MODEL_ONNX, MODEL_INT8} < exported.files_sha256.keys()


def test_a_graph_that_costs_too_much_is_not_written(untrained_bundle: Path, patient: Patient, tmp_path: Path) -> None:
    settings = {"size_px": SIZE, "int8": True, "affordable_dice_loss": -math.inf}
    with pytest.raises(GliosegError, match="costs this network too much"):
        export_bundle(untrained_bundle, tmp_path / "new", "onnx", patients=[patient], **settings)
    assert not (tmp_path / "new" / CONTRACT).exists()


def test_a_changed_graph_is_refused(both: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in both.iterdir():
        (copy / path.name).write_bytes(path.read_bytes() + (b" " if path.name == MODEL_INT8 else b""))
    with pytest.raises(GliosegError, match=r"is not the file that contract\.json describes"):
        loaded(copy, monkeypatch, able=True)
    assert precision_of(loaded(copy, monkeypatch, able=False, backend="onnxruntime")) == ("onnxruntime", "32")
