"""Every backend answers as PyTorch does, from a bundle that needs no PyTorch."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from untrained import untrained_contract

from glioseg.dataset.phantom import make_phantom
from glioseg.errors import GliosegError
from glioseg.inference import export as module
from glioseg.inference.backends import BackendName, is_installed
from glioseg.inference.bundle import load_bundle, save_bundle
from glioseg.inference.contract import CONTRACT, MODEL_ONNX, MODEL_OPENVINO, WEIGHTS, load_contract
from glioseg.inference.export import SAME_ANSWER, Form, Patient, export_bundle
from glioseg.inference.model import Model
from glioseg.networks import build_network
from glioseg.volume import Volume

SIZE = 64
CASES = [("openvino", "openvino"), ("onnx", "openvino"), ("onnx", "onnxruntime")]


@pytest.fixture(scope="module")
def exported(untrained_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same network in both formats."""
    folders = {}
    for form in ("onnx", "openvino"):
        folders[form] = tmp_path_factory.mktemp(form) / "bundle"
        export_bundle(untrained_bundle, folders[form], form, size_px=SIZE)
    return folders


@pytest.fixture(scope="module")
def patient() -> Patient:
    return Patient(*make_phantom(1, size=SIZE, slices=12))


@pytest.mark.parametrize(("form", "backend"), CASES)
@pytest.mark.parametrize("size", [64, 51])
def test_answers_as_pytorch_does(
    exported: dict[str, Path], untrained_bundle: Path, patient: Patient, form: str, backend: BackendName, size: int
) -> None:
    volume = Volume("P", patient.volume.voxels[:, :size, :size])
    found = Model.load(exported[form], backend=backend, precision="32").probabilities(volume)
    padded = Volume("P", np.pad(volume.voxels, ((0, 0), (0, SIZE - size), (0, SIZE - size), (0, 0)), mode="edge"))
    # The statistics are those of the scan itself.
    original = Model.load(untrained_bundle, backend="torch", device="cpu", precision="32")
    if size == SIZE:
        np.testing.assert_allclose(found, original.probabilities(padded), atol=SAME_ANSWER)
    assert found.shape == volume.voxels.shape[:3]
    assert found.std() > 0


def test_any_number_of_threads_gives_the_same(
    exported: dict[str, Path], patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for number in ("1", "3", "50"):
        monkeypatch.setenv("OMP_NUM_THREADS", number)
        found.append(Model.load(exported["onnx"], backend="onnxruntime").probabilities(patient.volume))
    np.testing.assert_allclose(found[1], found[0], atol=1e-6)
    np.testing.assert_allclose(found[2], found[0], atol=1e-6)


@pytest.mark.parametrize("form", ["onnx", "openvino"])
def test_the_contract_holds_the_comparison(exported: dict[str, Path], form: str) -> None:
    facts = load_contract(exported[form]).exported
    assert facts is not None
    assert (facts.format, facts.precision, facts.rows, facts.columns) == (form, "32", SIZE, SIZE)
    assert 0 < facts.parity.largest_difference < SAME_ANSWER
    assert facts.parity.slices > 0


@pytest.mark.parametrize(("form", "backend"), CASES)
def test_prediction_imports_no_pytorch(exported: dict[str, Path], form: str, backend: str) -> None:
    code = f"""
import sys
from pathlib import Path
import numpy as np
from glioseg.inference.model import Model
from glioseg.volume import Volume
volume = Volume("P", np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8))
Model.load(Path({str(exported[form])!r}), backend={backend!r}).mask(volume)
sys.exit("torch was imported" if "torch" in sys.modules else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_auto_takes_the_fastest_that_is_there(exported: dict[str, Path], untrained_bundle: Path) -> None:
    assert Model.load(exported["openvino"]).first.backend.name == "openvino"
    assert Model.load(untrained_bundle).first.backend.name == "torch"


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_a_bundle_without_the_backends_model_says_how_to_make_one(untrained_bundle: Path, backend: BackendName) -> None:
    with pytest.raises(GliosegError, match=r"found a model for torch. Remedy: glioseg export|glioseg export"):
        Model.load(untrained_bundle, backend=backend)


@pytest.mark.parametrize(("form", "backend"), CASES)
def test_larger_slices_than_the_model_takes_are_refused(
    exported: dict[str, Path], form: str, backend: BackendName
) -> None:
    volume = Volume("P", np.full((1, 80, 64, 3), 90, np.uint8))
    with pytest.raises(GliosegError, match="too large for the exported model"):
        Model.load(exported[form], backend=backend).probabilities(volume)


@pytest.mark.parametrize(("form", "name"), [("onnx", MODEL_ONNX), ("openvino", MODEL_OPENVINO)])
@pytest.mark.parametrize("harm", ["changed", "missing"])
def test_a_changed_or_missing_model_is_refused(
    exported: dict[str, Path], tmp_path: Path, form: str, name: str, harm: str
) -> None:
    folder = shutil.copytree(exported[form], tmp_path / "copy")
    (folder / name).write_bytes(b"other") if harm == "changed" else (folder / name).unlink()
    with pytest.raises(GliosegError):
        Model.load(folder, backend="openvino")


def test_a_graph_beside_the_weights_takes_them_from_there(untrained_bundle: Path, tmp_path: Path) -> None:
    """In half precision as in single; the file of weights stands there once, for PyTorch and for the runtime."""
    network, contract = load_bundle(untrained_bundle)
    folder = tmp_path / "bundle"
    save_bundle(folder, network, contract.model_copy(update={"patch_px": 32}), "# card\n", half=True)
    before = (folder / WEIGHTS).read_bytes()
    facts = export_bundle(folder, folder, "onnx").exported
    assert facts is not None
    assert (folder / WEIGHTS).read_bytes() == before
    assert (folder / MODEL_ONNX).stat().st_size < 100_000
    assert facts.files_sha256.keys() == {MODEL_ONNX, WEIGHTS}
    volume = make_phantom(2, size=SIZE, slices=8)[0]
    answers = [Model.load(folder, backend=name, precision="32").probabilities(volume) for name in get_args(BackendName)]
    for answer in answers[1:]:
        np.testing.assert_allclose(answer, answers[0], atol=SAME_ANSWER)


def test_an_export_that_answers_otherwise_is_not_written(
    untrained_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAME_ANSWER", 0.0)
    with pytest.raises(GliosegError, match="does not answer as the original"):
        export_bundle(untrained_bundle, tmp_path / "new", "openvino", size_px=SIZE)
    assert not (tmp_path / "new").exists()


def test_a_network_that_bins_is_exported_for_binned_slices(
    untrained_bundle: Path, tmp_path: Path, patient: Patient
) -> None:
    halved = shutil.copytree(untrained_bundle, tmp_path / "halved")
    contract = load_contract(halved)
    preprocessing = contract.preprocessing.model_copy(update={"downsampling_factor": 2})
    (halved / CONTRACT).write_text(contract.model_copy(update={"preprocessing": preprocessing}).model_dump_json())
    facts = export_bundle(halved, tmp_path / "new", "openvino", size_px=SIZE).exported
    assert facts is not None
    assert (facts.rows, facts.columns) == (SIZE // 2, SIZE // 2)
    found = Model.load(tmp_path / "new", precision="32").probabilities(patient.volume)
    original = Model.load(halved, device="cpu", precision="32").probabilities(patient.volume)
    np.testing.assert_allclose(found, original, atol=SAME_ANSWER)
    with pytest.raises(GliosegError, match="at most 64 x 64 pixels, found 80 x 64"):
        Model.load(tmp_path / "new").probabilities(Volume("P", np.full((1, 80, 64, 3), 90, np.uint8)))


@pytest.mark.parametrize("form", ["onnx", "openvino"])
def test_a_network_of_windows_is_exported_for_slices_of_any_size(
    untrained_bundle: Path, tmp_path: Path, patient: Patient, form: Form
) -> None:
    folder = shutil.copytree(untrained_bundle, tmp_path / "windows")
    contract = load_contract(folder).model_copy(update={"patch_px": 32})
    (folder / CONTRACT).write_text(contract.model_dump_json())
    int8 = form == "onnx"
    facts = export_bundle(folder, tmp_path / "new", form, int8=int8, patients=[patient], affordable_dice_loss=9)
    assert facts.exported is not None
    assert facts.exported.size_px is None
    original = Model.load(folder, device="cpu", precision="32")
    larger = Volume("P", np.pad(patient.volume.voxels, ((0, 0), (9, 9), (30, 0), (0, 0)), mode="edge"))
    for volume in (patient.volume, larger):
        found = Model.load(tmp_path / "new", precision="32").probabilities(volume)
        np.testing.assert_allclose(found, original.probabilities(volume), atol=SAME_ANSWER)
    with pytest.raises(GliosegError, match="takes slices of any"):
        export_bundle(folder, tmp_path / "other", form, size_px=SIZE)


def test_a_network_that_pools_over_the_image_is_exported_for_its_windows(tmp_path: Path, patient: Patient) -> None:
    contract = untrained_contract(width=8, threshold=0.5, patch_px=32).model_copy(update={"network": "resunet-pp"})
    save_bundle(tmp_path / "windows", build_network("resunet-pp", 8), contract, "# card\n")
    facts = export_bundle(tmp_path / "windows", tmp_path / "new", "onnx", patients=[patient]).exported
    assert facts is not None
    assert facts.size_px == (32, 32)


def test_onnx_runtime_does_not_pretend_to_compute_in_bfloat16(exported: dict[str, Path]) -> None:
    with pytest.raises(GliosegError, match=r"onnxruntime computes in float32 alone\. Leave out --precision"):
        Model.load(exported["onnx"], backend="onnxruntime", precision="bf16")
    assert Model.load(exported["onnx"], backend="onnxruntime", precision="32").first.backend.precision == "32"


def test_eight_bits_are_measured_on_patients(untrained_bundle: Path, tmp_path: Path, patient: Patient) -> None:
    with pytest.raises(GliosegError, match=r"must be calibrated.* with --patients"):
        export_bundle(untrained_bundle, tmp_path / "new", "openvino", size_px=SIZE, int8=True)
    pytest.importorskip("nncf")
    try:
        contract = export_bundle(
            untrained_bundle, tmp_path / "new", "openvino", size_px=SIZE, int8=True, patients=[patient]
        )
    except GliosegError as error:
        assert "costs this network too much" in str(error)  # noqa: PT017
        assert not (tmp_path / "new" / CONTRACT).exists()
    else:
        assert contract.exported is not None
        assert contract.exported.precision == "int8"
        assert contract.exported.parity.dice_loss is not None
        assert contract.exported.parity.dice_loss < module.AFFORDABLE_DICE_LOSS


def test_a_folder_with_a_bundle_is_left_alone(exported: dict[str, Path], untrained_bundle: Path) -> None:
    with pytest.raises(GliosegError, match="holds a bundle already"):
        export_bundle(untrained_bundle, exported["onnx"], "onnx")


def test_a_folder_of_other_files_is_refused_and_left_alone(untrained_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "P1_flair.nii.gz").write_bytes(b"a scan")
    with pytest.raises(GliosegError, match=r"holds other files, .* found P1_flair\.nii\.gz"):
        export_bundle(untrained_bundle, tmp_path, "onnx", size_px=SIZE)
    assert [path.name for path in tmp_path.iterdir()] == ["P1_flair.nii.gz"]


def test_what_an_export_left_that_was_killed_is_written_again(untrained_bundle: Path, tmp_path: Path) -> None:
    for name in (MODEL_ONNX, WEIGHTS, ".workshop.x.unfinished"):
        (tmp_path / name).write_bytes(b"half")
    export_bundle(untrained_bundle, tmp_path, "onnx", size_px=SIZE)
    assert load_contract(tmp_path).exported is not None


def test_every_backend_is_installed_where_it_is_tested() -> None:
    assert all(is_installed(name) for name in get_args(BackendName))
