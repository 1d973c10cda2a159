"""The training loop, readable from top to bottom."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import nn

from glioseg.atomic import write_text_atomically
from glioseg.dataset.splits import Split, check_patients_present, save_split
from glioseg.dataset.store import ArrayStore
from glioseg.errors import GliosegError
from glioseg.evaluation.metrics import dice
from glioseg.inference.predictor import predict_probabilities
from glioseg.machine import choose_device, choose_precision, keep_freed_memory
from glioseg.networks import build_network
from glioseg.training.augmentation import augment
from glioseg.training.average import moving_average
from glioseg.training.checkpoint import RunState, load_checkpoint, save_checkpoint
from glioseg.training.config import TrainingConfig, save_config
from glioseg.training.console import TrainingConsole
from glioseg.training.guard import NonFiniteGuard
from glioseg.training.objective import MULTITASK, batch_loss, is_multitask
from glioseg.training.run_folder import RunFolder, write_history
from glioseg.training.sampling import Batch, SliceSampler
from glioseg.training.schedule import Progress, learning_rate

CHECK_EVERY_STEPS = {"cpu": 1, "cuda": 50}
"""How often loss and gradients are looked at; on a GPU each look makes it wait."""


@dataclass(frozen=True)
class TrainedNetwork:
    """What training leaves.

    Attributes:
        network: The averaged weights, in evaluation mode.
        state: Steps, seconds and the learning curve.
    """

    network: nn.Module
    state: RunState


def train_network(
    config: TrainingConfig, store: ArrayStore, split: Split, folder: RunFolder, *, resume: bool = False
) -> TrainedNetwork:
    """Train one network under one split until its budget is spent.

    Args:
        config: Every setting.
        store: The data.
        split: Who trains and who validates.
        folder: Where configuration, split, log and checkpoint are kept.
        resume: Go on from the folder's checkpoint where there is one. On a CPU, and with a budget of steps or
            epochs, the result equals that of an uninterrupted run bit for bit.

    Raises:
        GliosegError: If the folder holds another run, the loss is no number, or a file cannot be written.
    """
    check_patients_present(split, [entry.patient for entry in store.patients])
    fabric = _launch(config)
    network: nn.Module = build_network(config.network.name, config.network.width)
    # On its device before a checkpoint is loaded: the optimiser's moments go where the weights are, and stay there.
    network.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = moving_average(network, config.optimisation.ema_decay)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=config.optimisation.weight_decay, fused=True)
    sampler = SliceSampler(store, split.train, config.sampling, config.preprocessing, config.seed)
    progress = Progress.of(config.budget, sampler.steps_per_epoch)
    identity = _identity(config, split, store)
    state = _prepare(folder, config, split, identity, resume, network, average, optimiser)
    average.to(fabric.device)
    trained, optimiser = fabric.setup(network, optimiser)
    if is_multitask(network):
        trained.mark_forward_method(MULTITASK)
    guard = NonFiniteGuard(sampler.names)
    check_every = CHECK_EVERY_STEPS[fabric.device.type]

    with TrainingConsole(f"{config.network.name} {split.name}") as console:
        network.train()
        losses: list[float] = []
        epoch_started = state.seconds
        while (share := progress.share(state.step, state.seconds)) < 1:
            began = time.perf_counter()
            optimiser.param_groups[0]["lr"] = learning_rate(share, config.optimisation)
            batch = _on_device(sampler.batch(state.step), fabric.device)
            chance = _generator(config.seed, state.step, fabric.device)
            zoom = 0.5 if share < config.sampling.coarse_share else 1.0
            crop_size = round(config.sampling.crop_size * zoom)
            images, target = augment(batch, config.augmentation, crop_size, chance, zoom=zoom)
            # On one device Fabric calls a marked method without the precision that it gives to forward.
            with fabric.autocast():
                loss = batch_loss(trained, images.contiguous(memory_format=torch.channels_last), target)
            fabric.backward(loss)
            norm = nn.utils.clip_grad_norm_(network.parameters(), config.optimisation.clip_norm)
            optimiser.step()
            optimiser.zero_grad()
            average.update_parameters(network)
            guard.watch(state.step, loss, norm)
            state.step += 1
            if state.step % check_every == 0:
                losses += guard.check()
            state.seconds += time.perf_counter() - began

            steps_in_epoch = (state.step - 1) % sampler.steps_per_epoch + 1
            rate = steps_in_epoch * config.sampling.batch_size / (state.seconds - epoch_started)
            now = progress.share(state.step, state.seconds)
            if losses:
                console.step(now, float(np.mean(losses)), rate, state.seconds * (1 / now - 1))
            if steps_in_epoch == sampler.steps_per_epoch or now >= 1:
                losses += guard.check()
                score = None
                if now >= 1 or len(state.history) % config.validation.every_epochs == 0:
                    score = validation_dice(average.module, store, split.validation, config, fabric.device)
                state.history.append(
                    {
                        "epoch": len(state.history) + 1,
                        "step": state.step,
                        "seconds": state.seconds,
                        "loss": float(np.mean(losses)),
                        "validation_dice": score,
                        "learning_rate": optimiser.param_groups[0]["lr"],
                        "slices_per_second": rate,
                    }
                )
                write_history(folder.log, state.history)
                save_checkpoint(folder.checkpoint, identity, state, network, average, optimiser)
                if score is not None:
                    console.say(f"epoch {len(state.history)}: loss {np.mean(losses):.3f}, validation DSC {score:.3f}")
                losses = []
                epoch_started = state.seconds
    return TrainedNetwork(average.module.eval(), state)


def validation_probabilities(
    network: nn.Module, store: ArrayStore, patients: Sequence[str], config: TrainingConfig, device: torch.device
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Predict patients one by one; yields the name and the probabilities (slice, row, column)."""
    was_training = network.training
    network.eval()
    precision = choose_precision(config.machine.precision, device)
    for patient in patients:
        yield (
            patient,
            predict_probabilities(
                network,
                store.volume(patient),
                config.preprocessing,
                flip=config.validation.flip,
                device=device,
                precision=precision,
            ),
        )
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


def _launch(config: TrainingConfig) -> Fabric:
    """Set seeds and switches, and start Fabric on one device."""
    keep_freed_memory()
    torch.use_deterministic_algorithms(config.machine.deterministic)
    torch.manual_seed(config.seed)
    device = choose_device(config.machine.device)
    precision = choose_precision(config.machine.precision, device)
    fabric = Fabric(accelerator=device.type, devices=1, precision="bf16-mixed" if precision == "bf16" else "32-true")
    fabric.launch()
    return fabric


def _prepare(
    folder: RunFolder,
    config: TrainingConfig,
    split: Split,
    identity: dict[str, str],
    resume: bool,
    network: nn.Module,
    average: torch.optim.swa_utils.AveragedModel,
    optimiser: torch.optim.Optimizer,
) -> RunState:
    """Start the folder, or load what it holds."""
    if folder.checkpoint.exists():
        if not resume:
            raise GliosegError(
                f"{folder.root} already holds a run", remedy="Add --resume to go on with it, or name another folder"
            )
        return load_checkpoint(folder.checkpoint, identity, network, average, optimiser)
    write_text_atomically(folder.config, save_config(config))
    save_split(split, folder.split)
    return RunState()


def _identity(config: TrainingConfig, split: Split, store: ArrayStore) -> dict[str, str]:
    settings = hashlib.sha256(config.model_dump_json().encode()).hexdigest()
    return {"settings": settings, "split": split.sha256, "data": store.fingerprint}


def _on_device(batch: Batch, device: torch.device) -> Batch:
    if device.type == "cpu":
        return batch
    return Batch(*(part.pin_memory().to(device, non_blocking=True) for part in vars(batch).values()))


def _generator(seed: int, step: int, device: torch.device) -> torch.Generator:
    """Chance for one step, from the seed and the step alone, so that resuming needs no memory of it."""
    mixed = int(np.random.SeedSequence((seed, step, 1)).generate_state(1, np.uint64)[0])
    return torch.Generator(device).manual_seed(mixed & (2**63 - 1))
