"""Validation patients, predicted whole, as a user would have them predicted."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from glioseg.dataset.store import ArrayStore
from glioseg.evaluation.metrics import dice
from glioseg.inference.backends.torch_backend import TorchBackend
from glioseg.inference.contract import InferenceSettings
from glioseg.inference.prediction import predict_probabilities
from glioseg.training.config import TrainingConfig
from glioseg.training.crop import crop_px


def inference_settings(config: TrainingConfig) -> InferenceSettings:
    """How the network is used, while it is trained and after; how its answers become a mask is decided later."""
    validation = config.validation
    return InferenceSettings(
        flip=validation.flip, through_plane_smoothing=validation.through_plane_smoothing, patch_px=crop_px(config)
    )


def validation_probabilities(
    network: nn.Module, store: ArrayStore, patients: Sequence[str], config: TrainingConfig, device: torch.device
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Predict patients one by one; yields the name and the probabilities (slice, row, column)."""
    was_training = network.training
    backend = TorchBackend(network, device=device, precision=config.machine.precision)
    settings = inference_settings(config)
    for patient in patients:
        yield patient, predict_probabilities(backend, store.volume(patient), config.preprocessing, settings)
    network.train(was_training)


def validation_dice(
    network: nn.Module, store: ArrayStore, patients: Sequence[str], config: TrainingConfig, device: torch.device
) -> float | None:
    """Mean per-patient 3-D Dice at the threshold 0.5; None without patients."""
    scores = [
        dice(probabilities >= 0.5, store.mask(patient).voxels)
        for patient, probabilities in validation_probabilities(network, store, patients, config, device)
    ]
    defined = [score for score in scores if score is not None]
    return float(np.mean(defined)) if defined else None
