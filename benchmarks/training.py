"""Training: slices a second of whole steps, loading and variation included, against a notebook's loop and MONAI's.

The networks have about equal arithmetic and see whole slices of 256 x 256 pixels, four at a time. Ours is the product's
own ``train_network``; the others train the same network on the same slices.
"""

import tempfile
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.ceiling import matrix_gflops
from benchmarks.monai_training import monai_step
from benchmarks.plain_training import plain_step
from benchmarks.stopwatch import median_seconds
from benchmarks.tables import Table, times
from glioseg.dataset.splits import Split
from glioseg.dataset.store import ArrayStore
from glioseg.inference.prediction import network_images
from glioseg.inference.preprocessing import Preprocessing, intensity_statistics
from glioseg.machine import choose_precision
from glioseg.networks import build_network
from glioseg.networks.cost import network_cost
from glioseg.networks.table import find_network
from glioseg.study.plan import MATCHED_WIDTHS
from glioseg.training.augmentation import augment
from glioseg.training.config import Augmentation, TrainingConfig, load_config
from glioseg.training.engine import train_network
from glioseg.training.run_folder import RunFolder
from glioseg.training.sampling import SliceSampler

BATCH_SIZE = 4
PASSES = 3
"""Multiply-accumulates of a training step, as multiples of those of the forward pass: forward, and backward to weights
and to inputs."""
Step = Callable[[nn.Module, NDArray[np.float32], NDArray[np.float32], int], Callable[[], None]]


def training_tables(store: ArrayStore) -> list[Table]:
    """Rates of the three networks, and what a batch costs to make."""
    device = torch.device("cpu")
    precision = choose_precision("auto", device)
    ceiling = matrix_gflops(device, torch.bfloat16 if precision == "bf16" else torch.float32)
    images, masks = _slices(store)
    names = [entry.patient for entry in store.patients[:2]]
    rows = []
    for name, width in MATCHED_WIDTHS.items():
        ours = training_rate(name, width, store, names, BATCH_SIZE, "machine.device=cpu", "budget.epochs=2")
        plain = _rate(plain_step, name, width, images, masks)
        monai = _rate(monai_step, name, width, images, masks)
        gflops = 2 * PASSES * network_cost(name, width).gmacs * ours
        rows.append(
            (
                f"{find_network(name).title} {width}",
                *(f"{rate:.2f}" for rate in (ours, plain, monai)),
                times(ours, plain),
                times(ours, monai),
                f"{gflops:.0f}",
                f"{gflops / ceiling:.0%}",
            )
        )
    header = ("network", "glioseg", "plain", "MONAI", "to plain", "to MONAI", "GFLOP/s", "of the ceiling")
    note = (
        f"Slices a second of whole training steps: batches of {BATCH_SIZE}, 256 x 256, precision {precision}. The "
        f"ceiling is a matrix product of this precision in the same run: {ceiling:.0f} GFLOP/s."
    )
    return [Table("Training", header, rows, note), _batches(store)]


def training_rate(
    name: str, width: int, store: ArrayStore, patients: Sequence[str], batch_size: int, *settings: str
) -> float:
    """Slices a second of the product's own training, in the last of its epochs; those before warm up."""
    split = Split("benchmark", train=tuple(patients), validation=(), test=())
    with tempfile.TemporaryDirectory() as folder:
        config = _config(name, width, batch_size, 256, *settings)
        trained = train_network(config, store, split, RunFolder(Path(folder) / "run"))
    rate = trained.state.history[-1]["slices_per_second"]
    assert rate is not None
    return float(rate)


def _config(name: str, width: int, batch_size: int, crop_size: int, *settings: str) -> TrainingConfig:
    return load_config(
        assignments=(
            f"network.name={name}",
            f"network.width={width}",
            f"sampling.batch_size={batch_size}",
            f"sampling.crop_size={crop_size}",
            "validation.every_epochs=1000",
            *settings,
        )
    )


def _rate(make: Step, name: str, width: int, images: NDArray[np.float32], masks: NDArray[np.float32]) -> float:
    torch.manual_seed(0)
    step = make(build_network(name, width).train(), images, masks, BATCH_SIZE)
    return BATCH_SIZE / median_seconds(step)


def _slices(store: ArrayStore) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The first two patients' slices, normalised, with their masks: what the others have in memory."""
    settings, images, masks = Preprocessing(), [], []
    for entry in store.patients[:2]:
        volume = store.volume(entry.patient)
        every = np.arange(len(volume.voxels))
        images.append(network_images(volume, every, intensity_statistics(volume, settings), settings))
        masks.append(store.mask(entry.patient).voxels[:, None].astype(np.float32))
    return np.concatenate(images), np.concatenate(masks)


def _batches(store: ArrayStore) -> Table:
    """What drawing and varying a batch costs beside the step that it feeds."""
    rows = [_batch_row(store, crop_size, batch_size) for crop_size, batch_size in ((128, 8), (192, 16), (256, 4))]
    header = ("batch", "drawing [ms]", "variation [ms]", "step of U-Net 32 [ms]", "share of both")
    return Table("What a batch costs", header, rows, "Target: a tenth of the step at most.")


def _batch_row(store: ArrayStore, crop_size: int, batch_size: int) -> tuple[str, ...]:
    config = _config("unet", 32, batch_size, crop_size)
    names = [entry.patient for entry in store.patients]
    sampler = SliceSampler(store, names, config.sampling, config.preprocessing, 0)
    chance, number, batch = torch.Generator().manual_seed(0), count(), sampler.batch(0)
    drawn = median_seconds(lambda: sampler.batch(next(number)), runs=10)
    varied = median_seconds(lambda: augment(batch, Augmentation(), crop_size, chance), runs=10)
    step = _step_seconds(crop_size, batch_size)
    share = (drawn + varied) / (drawn + varied + step)
    milliseconds = (f"{1e3 * drawn:.1f}", f"{1e3 * varied:.1f}", f"{1e3 * step:.0f}")
    return (f"{batch_size} of {crop_size}", *milliseconds, f"{share:.0%}")


def _step_seconds(crop_size: int, batch_size: int) -> float:
    """Forward, backward and Adam of U-Net 32 on noise."""
    network = build_network("unet", 32).train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(network.parameters(), fused=True)
    inputs = torch.randn(batch_size, 3, crop_size, crop_size).contiguous(memory_format=torch.channels_last)
    bf16 = choose_precision("auto", torch.device("cpu")) == "bf16"

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = network(inputs).float().square().mean()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()

    return median_seconds(step)
