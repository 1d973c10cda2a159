from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from glioseg.dataset.store import ArrayStore
from glioseg.evaluation.metrics import dice
from glioseg.inference.backends.torch_backend import TorchBackend
from glioseg.inference.contract import InferenceSettings
from glioseg.inference.prediction import predict_probabilities
from glioseg.networks import build_network
from glioseg.training.config import TrainingConfig
from glioseg.training.crop import crop_px
from glioseg.training.validation import validation_dice, validation_probabilities

CPU = torch.device("cpu")
BuildConfig = Callable[..., TrainingConfig]


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """Random weights; the bias lifts about half of what they predict above one half."""
    torch.manual_seed(0)
    built = build_network("unet", 8).eval()
    with torch.inference_mode():
        built.head.bias -= built(torch.randn(2, 3, 64, 64)).median()
    return built


def names(store: ArrayStore) -> list[str]:
    return [entry.patient for entry in store.patients]


@pytest.mark.parametrize("flip", [True, False])
def test_predicts_each_patient_as_the_settings_say(
    network: nn.Module, small_store: ArrayStore, tiny_config: BuildConfig, flip: bool
) -> None:
    config = tiny_config(f"validation.flip={str(flip).lower()}", "preprocessing.clip_percentile=90")
    chosen = names(small_store)[1:3]
    found = dict(validation_probabilities(network, small_store, chosen, config, CPU))
    assert list(found) == chosen
    for patient, probabilities in found.items():
        backend = TorchBackend(network, device=CPU, precision="32")
        expected = predict_probabilities(
            backend,
            small_store.volume(patient),
            config.preprocessing,
            InferenceSettings(flip=flip, patch_px=crop_px(config), through_plane_smoothing=0.1),
        )
        np.testing.assert_array_equal(probabilities, expected)


def test_is_the_mean_of_the_patients_dice_at_one_half(
    network: nn.Module, small_store: ArrayStore, tiny_config: BuildConfig
) -> None:
    config, patients = tiny_config(), names(small_store)
    by_hand = [
        dice(probabilities >= 0.5, small_store.mask(patient).voxels)
        for patient, probabilities in validation_probabilities(network, small_store, patients, config, CPU)
    ]
    assert len(set(by_hand)) == len(patients)
    assert validation_dice(network, small_store, patients, config, CPU) == pytest.approx(np.mean(by_hand))


def test_a_patient_without_tumour_and_prediction_does_not_count(
    small_store: ArrayStore, tiny_config: BuildConfig
) -> None:
    class Nothing(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.full_like(images[:, :1], -9)

    masks = np.array(small_store.masks)
    first = small_store.patients[0]
    masks[first.start : first.stop] = False
    healthy = replace(small_store, masks=masks)
    assert validation_dice(Nothing(), healthy, names(small_store)[:2], tiny_config(), CPU) == 0
    assert validation_dice(Nothing(), healthy, names(small_store)[:1], tiny_config(), CPU) is None


def test_nobody_to_validate_on(network: nn.Module, small_store: ArrayStore, tiny_config: BuildConfig) -> None:
    assert validation_dice(network, small_store, (), tiny_config(), CPU) is None


def test_leaves_the_network_in_the_mode_it_was(small_store: ArrayStore, tiny_config: BuildConfig) -> None:
    network = nn.Sequential(nn.Conv2d(3, 1, 1), nn.BatchNorm2d(1))
    for mode in (True, False):
        network.train(mode)
        validation_dice(network, small_store, names(small_store)[:1], tiny_config(), CPU)
        assert network.training is mode
    assert network[1].num_batches_tracked == 0
