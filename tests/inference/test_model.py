import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from glioseg.dataset.splits import Split, save_split
from glioseg.errors import GliosegError
from glioseg.inference import model as module
from glioseg.inference import prediction
from glioseg.inference.bundle import load_bundle, save_bundle
from glioseg.inference.contract import (
    ENSEMBLE,
    SPLIT,
    Contract,
    EnsembleContract,
    load_ensemble_contract,
    save_ensemble,
)
from glioseg.inference.model import Model
from glioseg.inference.postprocessing import Decision, Postprocessing, calibrated
from glioseg.inference.prediction import Batch, Extent, batches
from glioseg.inference.preprocessing import Preprocessing, intensity_statistics
from glioseg.networks import build_network
from glioseg.volume import Volume


@pytest.fixture
def folder(tmp_path: Path, network: nn.Module, contract: Contract) -> Path:
    """Two networks, one of which has a temperature of its own, and a rule for both together."""
    torch.manual_seed(5)
    other = build_network("resunet-pp", 8)
    first = save_bundle(tmp_path / "unet-8", network, contract, "")
    second_contract = contract.model_copy(update={"network": "resunet-pp", "temperature": 2.0})
    second = save_bundle(tmp_path / "resunet-pp-8", other, second_contract, "")
    members = {"unet-8": first.weights_sha256, "resunet-pp-8": second.weights_sha256}
    together = EnsembleContract(members=members, temperature=1.5, postprocessing=Postprocessing(threshold=0.55))
    save_ensemble(tmp_path, together, "# both\n")
    return tmp_path


def load(folder: Path) -> Model:
    return Model.load(folder, backend="torch", device="cpu", precision="32")


def test_it_is_the_calibrated_mean_of_its_members(folder: Path, scan: Volume) -> None:
    alone = [
        Model.load(folder / name, backend="torch", device="cpu", precision="32").probabilities(scan)
        for name in ("unet-8", "resunet-pp-8")
    ]
    found = load(folder).probabilities(scan)
    np.testing.assert_allclose(found, calibrated((alone[0] + alone[1]) / 2, 1.5), rtol=0, atol=1e-6)
    assert np.abs(alone[0] - alone[1]).max() > 1e-3


def test_a_black_scan_is_refused_as_those_of_other_formats_are(folder: Path, scan: Volume) -> None:
    with pytest.raises(GliosegError, match="the FLAIR shows no head"):
        load(folder).predict(replace(scan, voxels=np.zeros_like(scan.voxels)))


def test_networks_see_a_scan_and_its_mirror_image_in_turn(folder: Path, scan: Volume) -> None:
    both = load_ensemble_contract(folder)
    save_ensemble(folder, both.model_copy(update={"flips_in_turn": True}), "")
    first, second = (
        Model.of(network.backend, network.contract.model_copy(update={"flip": False}))
        for network in load(folder).networks.values()
    )
    mirrored = replace(scan, voxels=np.ascontiguousarray(scan.voxels[:, :, ::-1]))
    expected = (first.probabilities(scan) + second.probabilities(mirrored)[..., ::-1]) / 2
    np.testing.assert_allclose(load(folder).probabilities(scan), calibrated(expected, 1.5), rtol=0, atol=1e-6)


def test_only_fully_convolutional_networks_see_crops_to_the_head(
    tmp_path: Path, folder: Path, scan: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = {}
    for name in load(folder).networks:
        network, contract = load_bundle(folder / name)
        patched = contract.model_copy(update={"patch_px": 32})
        members[name] = save_bundle(tmp_path / "patched" / name, network, patched, "").weights_sha256
    seen: list[Extent] = []

    def watched(volume: Volume, preprocessing: Preprocessing, extent: Extent) -> Iterator[Batch]:
        seen.append(extent)
        return batches(volume, preprocessing, extent)

    monkeypatch.setattr(module, "batches", watched)
    for cropped in (False, True):
        save_ensemble(tmp_path / "patched", EnsembleContract(members=members, crop_to_head=cropped), "")
        load(tmp_path / "patched").probabilities(scan)
    assert seen == [32, "head", 32]


def test_a_network_that_sees_no_mirror_image_sees_none_in_turn_either(
    tmp_path: Path, network: nn.Module, contract: Contract, scan: Volume
) -> None:
    plain = contract.model_copy(update={"flip": False})
    members = {name: save_bundle(tmp_path / name, network, plain, "").weights_sha256 for name in ("one", "two")}
    save_ensemble(tmp_path, EnsembleContract(members=members, flips_in_turn=True), "")
    expected = load(tmp_path / "one").probabilities(scan)
    np.testing.assert_allclose(load(tmp_path).probabilities(scan), expected, rtol=0, atol=1e-6)


def test_the_mask_follows_its_own_rule(folder: Path, scan: Volume) -> None:
    model = load(folder)
    mask = model.mask(scan)
    np.testing.assert_array_equal(mask.voxels, model.probabilities(scan) >= np.float32(0.55))
    assert (mask.patient, mask.slice_names) == (scan.patient, scan.slice_names)


def test_it_says_what_it_is(folder: Path) -> None:
    model = load(folder)
    assert model.title == "U-Net 8 and ResUNet++ 8"
    assert len(model.identity) == 64
    assert model.split_sha256 == "1234567890abcdef"
    facts = model.facts()
    assert facts["backend"] == "torch"
    assert facts["model"]["temperature"] == 1.5
    assert facts["model"]["networks"]["resunet-pp-8"]["temperature"] == 2.0
    json.dumps(facts)


def test_a_folder_is_loaded_as_what_it_is(folder: Path) -> None:
    assert list(load(folder).networks) == ["unet-8", "resunet-pp-8"]
    alone = load(folder / "unet-8")
    assert len(alone.networks) == 1
    assert alone.title == "U-Net 8"
    assert alone.identity == alone.first.contract.weights_sha256
    assert alone.facts()["model"]["network"] == "unet"


def test_what_networks_share_is_computed_once(folder: Path, scan: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Volume] = []

    def watched(volume: Volume, settings: Preprocessing) -> np.ndarray:
        found.append(volume)
        return intensity_statistics(volume, settings)

    monkeypatch.setattr(prediction, "intensity_statistics", watched)
    load(folder).probabilities(scan)
    assert len(found) == 1


def test_another_network_in_a_members_place_is_noticed(folder: Path, contract: Contract) -> None:
    torch.manual_seed(6)
    save_bundle(folder / "unet-8", build_network("unet", 8), contract, "")
    with pytest.raises(GliosegError, match=r"unet-8 is not the network that ensemble\.json names"):
        load(folder)


def test_members_may_lie_in_a_folder_beside(folder: Path, scan: Volume) -> None:
    contract = load(folder).contract.model_copy(update={"members_in": f"../{folder.name}"})
    beside = folder.parent / f"beside-{folder.name}"
    save_ensemble(beside, contract, "")
    np.testing.assert_array_equal(load(beside).probabilities(scan), load(folder).probabilities(scan))
    assert load(beside).identity == load(folder).identity


def test_a_missing_member_is_named(folder: Path) -> None:
    (folder / "unet-8" / "contract.json").unlink()
    with pytest.raises(GliosegError, match="unet-8 is no model bundle"):
        load(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read"),
        ('{"members": {"unet-8": "ab"}}', "damaged at members"),
        ('{"members": {"../unet-8": "ab", "b": "c"}}', "damaged at members"),
        ('{"members": {"a": "ab", "b": "c"}, "members_in": "/"}', "damaged at members_in"),
        ('{"members": {"a": "ab", "b": "c"}, "members_in": "../../a"}', "damaged at members_in"),
        ('{"members": {"a": "ab", "b": "c"}, "members_in": ".."}', "damaged at members_in"),
        ('{"members": {"a": "ab", "b": "c"}, "temperature": 0}', "damaged at temperature"),
        ('{"members": {"a": "ab", "b": "c"}, "surprise": 0}', "damaged at surprise"),
    ],
)
def test_a_damaged_contract_is_one_message(folder: Path, content: str, message: str) -> None:
    (folder / ENSEMBLE).write_text(content)
    with pytest.raises(GliosegError, match=message):
        load(folder)


FIRST = Split("fold 0 of 2", ("A_1",), (), ("B_1", "C_1"))
SECOND = Split("fold 1 of 2", ("B_1", "C_1"), (), ("A_1",))


@pytest.fixture
def folds(tmp_path: Path, network: nn.Module, contract: Contract) -> Path:
    """Two networks of the first fold, which decide together, and one of the second."""
    hashes = {}
    for name, split in (("one", FIRST), ("two", FIRST), ("three", SECOND)):
        own = contract.model_copy(update={"split_sha256": split.sha256})
        hashes[name] = save_bundle(tmp_path / name, network, own, "").weights_sha256
        save_split(split, tmp_path / name / SPLIT)
    decided = Decision(temperature=1.5, postprocessing=Postprocessing(threshold=0.4))
    save_ensemble(tmp_path, EnsembleContract(members=hashes, folds={FIRST.sha256: decided}, temperature=3.0), "")
    return tmp_path


def test_each_patient_belongs_to_the_networks_that_were_not_trained_on_it(folds: Path) -> None:
    parts = load(folds).out_of_fold()
    assert parts.keys() == {"A_1", "B_1", "C_1"}
    assert [network.folder for network in parts["A_1"].networks.values()] == [folds / "three"]
    together = parts["B_1"]
    assert parts["C_1"] is together
    assert list(together.networks) == ["one", "two"]
    assert (together.decision.temperature, together.decision.postprocessing.threshold) == (1.5, 0.4)


def test_a_single_network_predicts_its_own_test_patients(folds: Path) -> None:
    parts = load(folds / "one").out_of_fold()
    assert parts.keys() == {"B_1", "C_1"}
    assert {part.first.folder for part in parts.values()} == {folds / "one"}


def test_without_a_split_nobody_is_known_to_be_unseen(folds: Path) -> None:
    model = load(folds)
    (folds / "two" / SPLIT).unlink()
    with pytest.raises(GliosegError, match="two does not tell which patients it has not seen"):
        model.out_of_fold()
