from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glioseg.dataset.splits import Split, save_split
from glioseg.dataset.store import ArrayStore
from glioseg.errors import GliosegError
from glioseg.inference.bundle import load_bundle, save_bundle
from glioseg.inference.contract import SPLIT
from glioseg.inference.model import Model
from glioseg.training.config import Distillation
from glioseg.training.teacher import soft_targets


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
