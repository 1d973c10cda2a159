"""The training loop, readable from top to bottom."""

import hashlib
import logging
import time
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from glioseg import interruption
from glioseg.atomic import clear_unfinished, write_text_atomically
from glioseg.dataset.head_masks import open_head_masks
from glioseg.dataset.splits import Split, check_patients_present, save_split
from glioseg.dataset.store import ArrayStore
from glioseg.errors import GliosegError
from glioseg.machine import choose_device, choose_memory_format, choose_precision, keep_freed_memory
from glioseg.networks import build_network
from glioseg.networks.table import find_network
from glioseg.training.augmentation import augment
from glioseg.training.checkpoint import RunState, load_checkpoint, save_checkpoint
from glioseg.training.config import TrainingConfig, save_config
from glioseg.training.device_cache import SkullStripping
from glioseg.training.devices import is_shared, share_statistics
from glioseg.training.losses import MULTITASK, batch_loss, find_region_loss, is_multitask
from glioseg.training.monitoring import TrainingConsole, require_tensorboard, write_tensorboard
from glioseg.training.optimisation import NonFiniteCheck, Progress, learning_rate, moving_average
from glioseg.training.run_folder import RunFolder, write_history
from glioseg.training.sampling import SliceSampler, crop_downsampling, crop_px
from glioseg.training.transfer import load_pretrained, soft_targets
from glioseg.training.validation import validation_dice

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
        Interrupted: If the run was asked to end; it goes on from there when it is resumed.
    """
    run = _Run(config, store, split, folder, resume)
    title = find_network(config.network.name).titled(config.network.width)
    with TrainingConsole(f"{title}, {split.name}") as console:
        while run.share < 1:
            run.step()
            run.show(console)
            if run.epoch_is_over:
                run.end_epoch(console)
            elif run.is_interrupted:
                run.keep()
            if run.is_interrupted:
                interruption.end()
    run.leave_to_the_first_process()
    return TrainedNetwork(run.average.module.eval(), run.state)


class _Run:
    """What lives as long as the loop: network, average, optimiser, sampler, and how far they are."""

    def __init__(
        self, config: TrainingConfig, store: ArrayStore, split: Split, folder: RunFolder, resume: bool
    ) -> None:
        check_patients_present(split, [entry.patient for entry in store.patients])
        self.config, self.store, self.split, self.folder = config, store, split, folder
        self.fabric = _launch(config)
        self.device = self.fabric.device
        self.memory_format = _memory_format(config, self.device)
        channels = config.preprocessing.input_channels
        self.network: nn.Module = build_network(config.network.name, config.network.width, channels)
        if config.network.pretrained is not None:
            load_pretrained(self.network, Path(config.network.pretrained), split)
        # On its device before a checkpoint is loaded: the optimiser's moments go where the weights are, and stay there.
        self.network.to(self.device, memory_format=self.memory_format)  # type: ignore[call-overload]
        self.average = moving_average(self.network, config.optimisation.ema_decay)
        optimiser = torch.optim.AdamW(
            self.network.parameters(), weight_decay=config.optimisation.weight_decay, fused=True
        )
        self.sampler = SliceSampler(
            store,
            split.train,
            config.sampling,
            config.preprocessing,
            config.seed,
            skull_stripping=find_skull_stripping(config, store),
            device=self.device,
            targets=soft_targets(store, config.distillation, split),
            with_next=config.augmentation.slice_thickness > 0,
        )
        self.progress = Progress.of(config.budget, self.sampler.steps_per_epoch)
        self.identity = _identity(config, split, store)
        self.state = _state_of(folder, self.identity, resume, self.network, self.average, optimiser)
        # One process writes: another would take away what is just being written for what a killed one left.
        if self.fabric.is_global_zero:
            _prepare(folder, config, split)
        if is_shared():
            share_statistics(self.network)
        self.trained, self.optimiser = self.fabric.setup(self.network, optimiser)
        if is_multitask(self.network):
            self.trained.mark_forward_method(MULTITASK)
        self.network.train()
        # Coarse and fine crops are compiled apart: kernels for any size are slower.
        loss = partial(batch_loss, region_loss=find_region_loss(config.optimisation.region_loss, self.network))
        self.loss = torch.compile(loss, dynamic=False) if config.machine.compile else loss
        self.non_finite = NonFiniteCheck(self.sampler.names)
        self.is_interrupted = False

    @property
    def share(self) -> float:
        """Share of the budget that is spent, 0 to 1."""
        return self.progress.share(self.state.step, self.state.seconds)

    @property
    def steps_in_epoch(self) -> int:
        """Steps done since the epoch began."""
        return (self.state.step - 1) % self.sampler.steps_per_epoch + 1

    @property
    def epoch_is_over(self) -> bool:
        """Whether the epoch, or the budget, ends with the step just done."""
        return self.steps_in_epoch == self.sampler.steps_per_epoch or self.share >= 1

    @property
    def slices_per_second(self) -> float:
        """The rate of this epoch so far."""
        slices = self.steps_in_epoch * self.config.sampling.batch_size
        return slices / self.state.epoch_seconds

    def step(self) -> None:
        """One batch: draw, vary, predict, learn, average."""
        began = time.perf_counter()
        self.optimiser.param_groups[0]["lr"] = learning_rate(self.share, self.config.optimisation)
        images, target = self._batch()
        # On one device Fabric calls a marked method without the precision that it gives to forward.
        with self.fabric.autocast():
            loss = self.loss(self.trained, images, target)
        self.fabric.backward(loss)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.config.optimisation.clip_norm)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.average.update_parameters(self.network)
        self.non_finite.record(self.state.step, loss, norm)
        self.state.step += 1
        if self.state.step % CHECK_EVERY_STEPS[self.device.type] == 0:
            self.state.losses += self.non_finite.check()
        seconds, self.is_interrupted = self._agreed(time.perf_counter() - began, interruption.is_asked())
        self.state.seconds += seconds
        self.state.epoch_seconds += seconds

    def _agreed(self, seconds: float, asked: bool) -> tuple[float, bool]:
        """Time and wish to end as the first process sees them: all must take the same steps."""
        if not is_shared():
            return seconds, asked
        told = torch.tensor([seconds, float(asked)], dtype=torch.float64, device=self.device)
        torch.distributed.broadcast(told, 0)
        return float(told[0]), bool(told[1])

    def leave_to_the_first_process(self) -> None:
        """End the others: what follows a training is done once."""
        if is_shared():
            self.fabric.barrier()
            if not self.fabric.is_global_zero:
                raise SystemExit(0)
            torch.distributed.destroy_process_group()

    def _batch(self) -> tuple[Tensor, Tensor]:
        step, coarse = self.state.step, self.share < self.config.sampling.progressive_resizing_fraction
        images, target = augment(
            self.sampler.batch(step),
            self.config.augmentation,
            crop_px(self.config, coarse=coarse),
            _generator(self.config.seed, step, self.device),
            downsampling_factor=crop_downsampling(self.config, coarse=coarse),
        )
        return images.contiguous(memory_format=self.memory_format), target

    def show(self, console: TrainingConsole) -> None:
        """Tell a person how far the run is."""
        if self.state.losses and self.fabric.is_global_zero:
            seconds_left = self.state.seconds * (1 / self.share - 1)
            console.step(self.share, float(np.mean(self.state.losses)), self.slices_per_second, seconds_left)

    def end_epoch(self, console: TrainingConsole) -> None:
        """Validate where it is due, write the log, and keep what a resumed run needs."""
        self.state.losses += self.non_finite.check()
        number, loss, score = len(self.state.history) + 1, float(np.mean(self.state.losses)), None
        if self.share >= 1 or (number - 1) % self.config.validation.every_epochs == 0:
            score = validation_dice(self.average.module, self.store, self.split.validation, self.config, self.device)
        row = {
            "epoch": number,
            "step": self.state.step,
            "seconds": self.state.seconds,
            "loss": loss,
            "validation_dice": score,
            "learning_rate": self.optimiser.param_groups[0]["lr"],
            "slices_per_second": self.slices_per_second,
        }
        self.state.history.append(row)
        if self.fabric.is_global_zero:
            write_history(self.folder.log, self.state.history)
            if self.config.machine.tensorboard:
                write_tensorboard(self.folder.tensorboard, row)
        self.state.losses, self.state.epoch_seconds = [], 0.0
        self.keep()
        if score is not None and self.fabric.is_global_zero:
            console.say(f"epoch {number}: loss {loss:.3f}, validation DSC {score:.3f}")

    def keep(self) -> None:
        """Write what a resumed run goes on from."""
        self.state.losses += self.non_finite.check()
        if self.fabric.is_global_zero:
            save_checkpoint(
                self.folder.checkpoint, self.identity, self.state, self.network, self.average, self.optimiser
            )


def _launch(config: TrainingConfig) -> Fabric:
    """Set seeds and switches, and start Fabric, on several devices with a process for each."""
    if config.machine.tensorboard:
        require_tensorboard()
    keep_freed_memory()
    torch.use_deterministic_algorithms(config.machine.deterministic)
    torch.manual_seed(config.seed)
    device = choose_device(config.machine.device)
    precision = choose_precision(config.machine.precision, device)
    # It tells the precision at each start, which config.json and the report hold.
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    # On a machine that has SLURM installed Fabric warns of every run that it did not start.
    warnings.filterwarnings("ignore", "The `srun` command is available")
    fabric = Fabric(
        accelerator=device.type,
        devices=config.machine.devices,
        num_nodes=config.machine.nodes,
        strategy="ddp" if config.machine.processes > 1 else "auto",
        precision="bf16-mixed" if precision == "bf16" else "32-true",
    )
    fabric.launch()
    return fabric


def _memory_format(config: TrainingConfig, device: torch.device) -> torch.memory_format:
    precision, planes = choose_precision(config.machine.precision, device), find_network(config.network.name).planes
    return choose_memory_format(precision, device, crop_px(config), planes)


def _state_of(
    folder: RunFolder,
    identity: dict[str, str],
    resume: bool,
    network: nn.Module,
    average: torch.optim.swa_utils.AveragedModel,
    optimiser: torch.optim.Optimizer,
) -> RunState:
    """How far the run in a folder has come, whose weights are loaded; a new run's where there is none."""
    if not folder.checkpoint.exists():
        return RunState()
    if not resume:
        raise GliosegError(
            f"{folder.root} already holds a run", remedy="Add --resume to go on with it, or name another folder"
        )
    return load_checkpoint(folder.checkpoint, identity, network, average, optimiser)


def _prepare(folder: RunFolder, config: TrainingConfig, split: Split) -> None:
    """Take away what a killed run left unfinished, and tell what a new one does."""
    clear_unfinished(folder.root)
    if not folder.checkpoint.exists():
        write_text_atomically(folder.config, save_config(config))
        save_split(split, folder.split)


def _identity(config: TrainingConfig, split: Split, store: ArrayStore) -> dict[str, str]:
    settings = hashlib.sha256(config.model_dump_json().encode()).hexdigest()
    return {"settings": settings, "split": split.sha256, "data": store.fingerprint}


def find_skull_stripping(config: TrainingConfig, store: ArrayStore) -> SkullStripping | None:
    """Depth and brain of every slice, kept beside the store from then on; None where skulls stay on."""
    if config.augmentation.skull_stripping == 0:
        return None
    return SkullStripping(open_head_masks(store), config.augmentation.skull_stripping_px[1])


def _generator(seed: int, step: int, device: torch.device) -> torch.Generator:
    """Chance for one step, from the seed and the step alone, so that resuming needs no memory of it."""
    mixed = int(np.random.SeedSequence((seed, step, 1)).generate_state(1, np.uint64)[0])
    return torch.Generator(device).manual_seed(mixed & (2**63 - 1))
