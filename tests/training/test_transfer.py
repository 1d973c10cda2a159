from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from glioseg.dataset.splits import Split, save_split
from glioseg.dataset.store import ArrayStore
from glioseg.errors import GliosegError
from glioseg.inference.bundle import load_bundle, save_bundle
from glioseg.inference.contract import SPLIT, Contract
from glioseg.inference.model import Model
from glioseg.inference.preprocessing import Preprocessing
from glioseg.networks import build_network
from glioseg.training.config import Distillation, load_config
from glioseg.training.transfer import load_pretrained, soft_targets

Bundle = Callable[..., Path]
OLD = Split("old", ("TCGA_CS_1", "TCGA_CS_2"), ("TCGA_CS_3",), ("TCGA_CS_4",))


def network(name: str = "unet", width: int = 8, channels: int = 3) -> nn.Module:
    return build_network(name, width, channels).eval()


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    def written(name: str = "unet", *, split: bool = True) -> Path:
        torch.manual_seed(1)
        contract = Contract(
            network=name,
            width=8,
            preprocessing=Preprocessing(downsampling_factor=2),
            split_sha256=OLD.sha256,
            data_fingerprint="",
            training_patients=2,
            versions={},
        )
        folder = tmp_path / "run" / "bundle"
        save_bundle(folder, network(name), contract, "card")
        if split:
            save_split(OLD, folder.parent / "split.json")
        return folder

    return written


@pytest.mark.parametrize("name", ["unet", "resunet-pp"])
def test_with_slices_beside_it_the_network_begins_with_the_answers_of_the_bundle(bundle: Bundle, name: str) -> None:
    wider, images = network(name, channels=9), torch.randn(1, 9, 32, 32)
    load_pretrained(wider, bundle(name), OLD)
    same = network(name)
    load_pretrained(same, bundle(name), OLD)
    with torch.inference_mode():
        torch.testing.assert_close(wider(images), same(images[:, :3]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("other", [network(width=16), network("resunet-pp")])
def test_another_network_is_refused(bundle: Bundle, other: nn.Module) -> None:
    with pytest.raises(GliosegError, match="do not fit"):
        load_pretrained(other, bundle(), OLD)


@pytest.mark.parametrize("part", ["validation", "test"])
def test_a_patient_that_the_bundle_was_trained_on_cannot_be_held_back(bundle: Bundle, part: str) -> None:
    split = replace(OLD, train=("TCGA_CS_5",), **{part: ("TCGA_CS_2",)})
    with pytest.raises(GliosegError, match="TCGA_CS_2, whom the new run holds back"):
        load_pretrained(network(), bundle(), split)


def test_a_bundle_that_does_not_tell_its_patients_is_refused(bundle: Bundle) -> None:
    with pytest.raises(GliosegError, match="nothing tells on whom"):
        load_pretrained(network(), bundle(split=False), OLD)


def test_going_on_takes_network_and_preprocessing_of_the_bundle_and_less_time(bundle: Bundle) -> None:
    folder, usual = bundle(), load_config()
    config = load_config(assignments=["preprocessing.context=1"], pretrained=folder)
    assert config.network.pretrained == str(folder)
    assert (config.network.name, config.network.width) == ("unet", 8)
    assert (config.preprocessing.downsampling_factor, config.preprocessing.context) == (2, 1)
    assert config.optimisation.learning_rate == usual.optimisation.learning_rate / 4
    assert config.budget.epochs == 15


def test_going_on_from_several_networks_names_one_of_them() -> None:
    assert load_config(pretrained=Path("fast")).network.name == "unet"
    with pytest.raises(GliosegError, match="unet-16_fold-0"):
        load_config(pretrained=Path("unet"))


@pytest.fixture
def teacher(untrained_bundle: Path, small_split: Split, tmp_path: Path) -> Path:
    network, contract = load_bundle(untrained_bundle)
    save_bundle(tmp_path / "teacher", network, contract.model_copy(update={"flip": True}), "card")
    save_split(small_split, tmp_path / "teacher" / SPLIT)
    return tmp_path / "teacher"


def test_without_a_teacher_there_are_no_targets(small_store: ArrayStore, small_split: Split) -> None:
    assert soft_targets(small_store, Distillation(), small_split) is None


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
def test_targets_mix_mask_and_teacher(
    small_store: ArrayStore, small_split: Split, teacher: Path, weight: float
) -> None:
    targets = soft_targets(small_store, Distillation(teacher=str(teacher), weight=weight), small_split)
    network = Model.load(teacher).first
    plain = Model.of(network.backend, network.contract.model_copy(update={"flip": False}))
    assert targets is not None
    for entry in small_store.patients:
        taught = 255 * plain.probabilities(small_store.volume(entry.patient))
        mixed = weight * taught + (1 - weight) * 255.0 * small_store.mask(entry.patient).voxels
        np.testing.assert_allclose(targets[entry.start : entry.stop], mixed, atol=1)


def test_a_network_that_saw_whom_the_run_holds_back_may_not_teach(
    small_store: ArrayStore, small_split: Split, teacher: Path
) -> None:
    swapped = replace(small_split, train=small_split.validation, validation=small_split.train)
    with pytest.raises(GliosegError, match="may teach this run"):
        soft_targets(small_store, Distillation(teacher=str(teacher)), swapped)


def test_answers_are_computed_once(
    store: ArrayStore, small_split: Split, teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody = replace(small_split, train=tuple(e.patient for e in store.patients), validation=(), test=())
    settings = Distillation(teacher=str(teacher))
    first = soft_targets(store, settings, everybody)
    monkeypatch.delattr(Model, "probabilities")
    second = soft_targets(store, settings, everybody)
    assert first is not None
    np.testing.assert_array_equal(first, second)
