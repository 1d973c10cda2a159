"""Slices a second of a whole training step, and of prediction."""

import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch

from glioseg.inference.backends.torch_backend import TorchBackend
from glioseg.inference.predictor import BATCH_SIZE, predict_probabilities
from glioseg.inference.preprocessing import Preprocessing
from glioseg.machine import choose_precision, keep_freed_memory
from glioseg.networks import build_network
from glioseg.training.augmentation import augment
from glioseg.training.config import Augmentation
from glioseg.training.objective import batch_loss
from glioseg.training.sampling import Batch
from glioseg.volume import Volume

RUNS = 5
DEVICE = torch.device("cpu")


def throughput_rows() -> Iterator[tuple[str, str, str]]:
    """U-Net at the two widths that the documentation uses."""
    keep_freed_memory()
    for width, crop_size, batch_size in ((16, 160, 16), (32, 256, 4)):
        augmentation, step = training_step(width, crop_size, batch_size)
        what = f"U-Net {width}, {batch_size} crops of {crop_size}"
        share = augmentation / (augmentation + step)
        yield f"{what}: training", f"{batch_size / (augmentation + step):.1f} slices/s", ""
        yield f"{what}: share of augmentation in a step", f"{share:.0%}", "10 %"
        yield f"U-Net {width}, 256x256: prediction without mirroring", f"{prediction(width):.1f} slices/s", ""


def training_step(width: int, crop_size: int, batch_size: int) -> tuple[float, float]:
    """Median seconds of augmentation and of forward, backward and optimiser step."""
    precision = choose_precision("auto", DEVICE)
    network = build_network("unet", width).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), fused=True)
    images = torch.randint(0, 256, (batch_size, 3, 256, 256), dtype=torch.uint8)
    statistics_of = torch.tensor([80.0, 40.0, 250.0]).expand(batch_size, 3, 3)
    batch = Batch(images, images[:, :1] > 250, statistics_of)
    chance = torch.Generator().manual_seed(0)

    def vary() -> tuple[torch.Tensor, torch.Tensor]:
        return augment(batch, Augmentation(), crop_size, chance)

    inputs, target = vary()
    inputs = inputs.contiguous(memory_format=torch.channels_last)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = batch_loss(network, inputs, target)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()

    return _median_seconds(vary), _median_seconds(step)


def prediction(width: int) -> float:
    """Slices a second of normalising and computing a scan, without reading and writing."""
    slices = 3 * BATCH_SIZE
    voxels = np.random.default_rng(0).integers(0, 256, (slices, 256, 256, 3), dtype=np.uint8)
    backend = TorchBackend(build_network("unet", width), device=DEVICE)

    def predict() -> None:
        predict_probabilities(backend, Volume("noise", voxels), Preprocessing(), flip=False)

    return slices / _median_seconds(predict)


def _median_seconds(action: Callable[[], object]) -> float:
    times = []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])
