"""Validation patients, predicted whole as a user would have them, and what is chosen on them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from glioseg.dataset.head_masks import BRAIN_BIT, stored_head_mask
from glioseg.dataset.store import ArrayStore
from glioseg.errors import GliosegError
from glioseg.evaluation.calibration import LogitCounts
from glioseg.evaluation.domain_shift import simulate_domain_shift
from glioseg.evaluation.metrics import dice
from glioseg.inference.backends.torch_backend import TorchBackend
from glioseg.inference.contract import InferenceSettings
from glioseg.inference.external import predict_external
from glioseg.inference.model import Model
from glioseg.inference.postprocessing import Decision, Postprocessing, binarise, calibrated
from glioseg.inference.prediction import predict_probabilities
from glioseg.training.config import TrainingConfig
from glioseg.training.sampling import crop_px


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


CANDIDATES = [
    Postprocessing(threshold=threshold, components=components)
    # Nearest to the default first: the first of equals is chosen.
    for threshold in (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8)
    for components in ("all", "relative")
]
"""The largest component alone is left out: on a dozen patients its gain is visible, and its rare cost, a whole
patient lost to a larger false positive, is not."""

WORTHWHILE_GAIN = 0.003
"""What a candidate must gain in mean Dice over the default: less is chance with a dozen patients."""


def choose_decision(predicted: Iterable[tuple[str, NDArray[np.float32]]], store: ArrayStore) -> Decision:
    """How a model's probabilities become a mask.

    Args:
        predicted: Name and uncalibrated probabilities (slice, row, column) of each validation patient.
        store: Holds their scans and masks.

    Returns:
        The temperature, and threshold and component rule for probabilities that it has calibrated; the default where
        there is no patient.
    """
    found = dict(predicted)
    temperature = fit_temperature(found, store)
    sharp = [(calibrated(values, temperature), store.mask(patient).voxels) for patient, values in found.items()]
    return Decision(temperature=temperature, postprocessing=choose_postprocessing(sharp))


def fit_temperature(found: Mapping[str, NDArray[np.float32]], store: ArrayStore) -> float:
    """The temperature under which the true masks are likeliest; arguments as :func:`choose_decision`."""
    counts = LogitCounts.none()
    for patient, values in found.items():
        counts += LogitCounts.of(values, store.mask(patient).voxels, brain_of(store, patient))
    return counts.temperature()


def brain_of(store: ArrayStore, patient: str) -> NDArray[np.bool_]:
    """Where calibration is judged: the brain, shape (slice, row, column)."""
    return np.asarray(stored_head_mask(store, patient) & BRAIN_BIT != 0)


def choose_postprocessing(predicted: Sequence[tuple[NDArray[np.floating], NDArray[np.bool_]]]) -> Postprocessing:
    """Pick the candidate of the highest mean per-patient Dice; the default where none gains enough over it.

    Args:
        predicted: For each validation patient its probabilities, 0 to 1, and its true mask, both of shape
            (slice, row, column).

    Returns:
        The choice; the default where there is no patient.
    """
    default = Postprocessing()
    scores = {candidate: _mean_dice(predicted, candidate) for candidate in (default, *CANDIDATES)}
    best = max(scores, key=lambda candidate: scores[candidate])
    return best if scores[best] >= scores[default] + WORTHWHILE_GAIN else default


def _mean_dice(predicted: Sequence[tuple[NDArray[np.floating], NDArray[np.bool_]]], candidate: Postprocessing) -> float:
    scores = [dice(binarise(values, candidate), truth) for values, truth in predicted]
    defined = [score for score in scores if score is not None]
    return float(np.mean(defined)) if defined else 0.0


def domain_shift_dice(model: Model, store: ArrayStore, patients: Sequence[str]) -> dict[str, float | None]:
    """3-D Dice of each patient under a simulated domain shift, predicted as an external scan is.

    Args:
        model: Ready for use.
        store: The data.
        patients: Who is predicted so; a score that decides anything is one of validation patients.

    Returns:
        By patient; None where both masks are empty, or where no brain was found to keep, so that nothing is left.
    """
    scores: dict[str, float | None] = {}
    for patient in patients:
        volume, truth = simulate_domain_shift(store.volume(patient), store.mask(patient))
        # Each was predicted as it is before: what is refused here is a scan that was stripped of too much.
        scores[patient] = None
        with suppress(GliosegError):
            scores[patient] = dice(predict_external(model, volume).mask.voxels, truth.voxels)
    return scores
