"""One experiment: train a network, ship it as a bundle, score the bundle on patients it has not seen.

``glioseg train`` is a study of one experiment, ``glioseg study`` one of many.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter
from torch import nn

from glioseg.atomic import atomic_file, write_text_atomically
from glioseg.dataset.splits import Split
from glioseg.dataset.store import ArrayStore
from glioseg.errors import BadFileError, fault_in_words
from glioseg.evaluation.scores import PatientScores, Scores, score_patient
from glioseg.formats.damage import damage_told
from glioseg.inference.bundle import save_bundle
from glioseg.inference.card import CardScores, write_card
from glioseg.inference.contract import CARD, Contract
from glioseg.inference.model import Model
from glioseg.inference.prediction import BATCH_SIZE
from glioseg.machine import choose_device, describe_device, library_versions
from glioseg.networks.table import find_network
from glioseg.report.figures import save_learning_curve
from glioseg.study.cost import RunCost
from glioseg.training.checkpoint import RunState
from glioseg.training.config import TrainingConfig
from glioseg.training.engine import train_network
from glioseg.training.feature_ranges import feature_ranges
from glioseg.training.run_folder import RunFolder
from glioseg.training.validation import choose_decision, domain_shift_dice, inference_settings, validation_probabilities
from glioseg.volume import Mask, Volume


@dataclass(frozen=True)
class TrainingOutcome:
    """What an experiment leaves.

    Attributes:
        folder: The run's folder with bundle, log and scores.
        scores: Scores on the test patients, or on the validation patients where the split has no test.
        part: On which patients, in words.
    """

    folder: RunFolder
    scores: Scores
    part: str


def train_and_score(
    config: TrainingConfig,
    store: ArrayStore,
    split: Split,
    folder: RunFolder,
    *,
    resume: bool = False,
) -> TrainingOutcome:
    """Train a network, choose temperature, threshold and component rule, write the bundle, and score it.

    The scores are written last: a folder that has them is complete.

    Args:
        config: Every setting.
        store: The data.
        split: Who trains, validates and is tested.
        folder: The run's folder.
        resume: Go on with the run that the folder holds.

    Raises:
        GliosegError: If the folder holds another run, the loss is no number, or a file cannot be written.
    """
    trained = train_network(config, store, split, folder, resume=resume)
    save_learning_curve(trained.state.history, folder.learning_curve)
    contract = _ship(trained.network, config, store, split, folder)
    # Score the bundle as a user would load it, not the network in memory.
    model = Model.load(folder.bundle, backend="torch", device=config.machine.device, precision=config.machine.precision)
    patients, part = _scored_part(split)
    masks = {patient: model.mask(store.volume(patient)) for patient in patients}
    scores = Scores(tuple(scored(masks[patient], store) for patient in patients))
    if config.validation.domain_shift:
        domain_shift = domain_shift_dice(model, store, split.validation)
        write_text_atomically(folder.domain_shift, json.dumps(domain_shift, indent=2) + "\n")
    cost = _cost(trained.network, trained.state, config, folder.bundle, store.volume(patients[0])) if patients else None
    _save_masks(folder.masks, masks)
    write_text_atomically(folder.bundle / CARD, write_card(contract, split.train, CardScores(scores, part)))
    write_text_atomically(folder.cost, json.dumps(asdict(cost) if cost else {}, indent=2) + "\n")
    write_text_atomically(folder.scores, scores.to_json())
    return TrainingOutcome(folder, scores, part)


_AGAIN = "Take the run's folder away and repeat the command"


def load_masks(folder: RunFolder) -> dict[str, Mask]:
    """The masks of the patients that the run was scored on, by patient.

    Raises:
        GliosegError: If they cannot be read.
    """
    with damage_told(folder.masks, "NPZ", _AGAIN), np.load(folder.masks) as kept:
        return {patient: Mask(patient, kept[patient]) for patient in kept.files}


def load_cost(folder: RunFolder) -> RunCost | None:
    """What the run took; None where it was scored on nobody.

    Raises:
        GliosegError: If the file cannot be read.
    """
    try:
        text = folder.cost.read_text(encoding="utf-8")
        return None if text.strip() == "{}" else TypeAdapter(RunCost).validate_json(text)
    except (OSError, ValueError) as error:
        raise BadFileError(
            folder.cost, "cannot be read", expected="what a run took", found=fault_in_words(error), remedy=_AGAIN
        ) from error


def prediction_ms_per_slice(bundle: Path, volume: Volume, *, repeats: int = 3) -> float:
    """Milliseconds that a slice takes to predict on the CPU: the median of some batches after one to warm up."""
    model = Model.load(bundle, backend="torch", device="cpu")
    few = Volume(volume.patient, volume.voxels[:BATCH_SIZE])
    seconds = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        model.probabilities(few)
        seconds.append(time.perf_counter() - began)
    return 1000 * float(np.median(seconds[1:])) / len(few.voxels)


def _ship(network: nn.Module, config: TrainingConfig, store: ArrayStore, split: Split, folder: RunFolder) -> Contract:
    device = choose_device(config.machine.device)
    predicted = validation_probabilities(network, store, split.validation, config, device)
    decision = choose_decision(predicted, store)
    entry = find_network(config.network.name)
    contract = Contract(
        network=config.network.name,
        width=entry.width(config.network.width),
        preprocessing=config.preprocessing,
        **(dict(inference_settings(config)) | dict(decision)),
        feature_ranges=feature_ranges(store, split.train, config),
        split_sha256=split.sha256,
        data_fingerprint=store.fingerprint,
        training_patients=len(split.train),
        versions=library_versions(),
    )
    return save_bundle(folder.bundle, network, contract, write_card(contract, split.train))


def scored(mask: Mask, store: ArrayStore) -> PatientScores:
    """Every metric of a patient's mask, against the true one in the store."""
    entry = store.entry(mask.patient)
    truth = store.mask(mask.patient)
    return score_patient(mask, truth, site=entry.site, missing_sequences=entry.missing_sequences)


def _cost(network: nn.Module, state: RunState, config: TrainingConfig, bundle: Path, volume: Volume) -> RunCost:
    return RunCost(
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        training_minutes=state.seconds / 60,
        training_steps=state.step,
        training_device=describe_device(choose_device(config.machine.device)),
        cpu_ms_per_slice=prediction_ms_per_slice(bundle, volume),
        cpu=describe_device(choose_device("cpu")),
    )


def _save_masks(path: Path, masks: Mapping[str, Mask]) -> None:
    with atomic_file(path) as file:
        np.savez_compressed(file, **{patient: mask.voxels for patient, mask in masks.items()})  # type: ignore[arg-type]


def _scored_part(split: Split) -> tuple[tuple[str, ...], str]:
    if split.test:
        return split.test, f"{len(split.test)} test patients of the {split.name} split"
    return split.validation, f"{len(split.validation)} validation patients of the {split.name} split"
