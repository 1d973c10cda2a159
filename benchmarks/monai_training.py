"""The training step as MONAI's tutorials build it: its dictionary transforms, its loader, its loss."""

from collections.abc import Callable

import numpy as np
import torch
from monai.data import DataLoader, Dataset
from monai.losses import DiceCELoss
from monai.transforms import (
    Compose,
    RandAffined,
    RandFlipd,
    RandGaussianNoised,
    RandScaleIntensityd,
    RandShiftIntensityd,
)
from numpy.typing import NDArray
from torch import nn

BOTH = ("image", "mask")


def monai_step(
    network: nn.Module, images: NDArray[np.float32], masks: NDArray[np.float32], batch_size: int
) -> Callable[[], None]:
    """One step: load a batch, predict, Dice with cross-entropy, learn by Adam."""
    varied = Compose(
        [
            RandFlipd(BOTH, prob=0.5, spatial_axis=1),
            RandAffined(
                BOTH,
                prob=1.0,
                rotate_range=(0.35,),
                scale_range=(0.25, 0.25),
                mode=("bilinear", "nearest"),
                padding_mode="zeros",
            ),
            RandScaleIntensityd("image", factors=0.25, prob=1.0),
            RandShiftIntensityd("image", offsets=0.3, prob=1.0),
            RandGaussianNoised("image", prob=1.0, std=0.1),
        ]
    )
    slices = [{"image": image, "mask": mask} for image, mask in zip(images, masks, strict=True)]
    loader = DataLoader(Dataset(slices, varied), batch_size=batch_size, shuffle=True, drop_last=True)
    loss_of = DiceCELoss(sigmoid=True)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4)
    batches = iter(loader)

    def step() -> None:
        nonlocal batches
        try:
            batch = next(batches)
        except StopIteration:
            batches = iter(loader)
            batch = next(batches)
        optimiser.zero_grad()
        loss = loss_of(network(batch["image"].as_tensor()), batch["mask"].as_tensor())
        loss.backward()
        optimiser.step()

    return step
