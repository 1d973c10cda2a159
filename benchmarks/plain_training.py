"""The training step of a notebook: eager PyTorch in float32, slices turned and scaled one by one by SciPy.

The same network, the same slices, and the kinds of variation that the published notebooks for this dataset use. Nothing
is done badly on purpose: volumes are in memory and normalised before the clock starts.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class PlainSlices(Dataset[tuple[Tensor, Tensor]]):
    """Normalised slices in memory, varied when they are asked for.

    Args:
        images: Shape (slice, channel, row, column), float32.
        masks: Shape (slice, 1, row, column), float32.
    """

    def __init__(self, images: NDArray[np.float32], masks: NDArray[np.float32]) -> None:
        self.images, self.masks = images, masks
        self.chance = np.random.default_rng(0)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image, mask = self.images[index], self.masks[index]
        angle, scale = np.deg2rad(self.chance.uniform(-20, 20)), self.chance.uniform(0.8, 1.25)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / scale
        centre = (np.array(image.shape[1:]) - 1) / 2
        shift = centre - turn @ centre
        image = np.stack([ndimage.affine_transform(channel, turn, shift, order=1) for channel in image])
        mask = ndimage.affine_transform(mask[0], turn, shift, order=0)[None]
        if self.chance.random() < 0.5:
            image, mask = image[..., ::-1], mask[..., ::-1]
        image = image * self.chance.uniform(0.8, 1.2) + self.chance.uniform(-0.2, 0.2)
        return torch.from_numpy(np.ascontiguousarray(image, np.float32)), torch.from_numpy(np.ascontiguousarray(mask))


def plain_step(
    network: nn.Module, images: NDArray[np.float32], masks: NDArray[np.float32], batch_size: int
) -> Callable[[], None]:
    """One step: load a batch, predict, Dice with cross-entropy, learn by Adam."""
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4)
    loader = DataLoader(PlainSlices(images, masks), batch_size, shuffle=True, drop_last=True)
    batches = iter(loader)

    def step() -> None:
        nonlocal batches
        try:
            inputs, target = next(batches)
        except StopIteration:
            batches = iter(loader)
            inputs, target = next(batches)
        optimiser.zero_grad()
        logits = network(inputs)
        found = torch.sigmoid(logits)
        overlap = 2 * (found * target).sum() + 1
        loss = 1 - overlap / (found.sum() + target.sum() + 1)
        loss = loss + nn.functional.binary_cross_entropy_with_logits(logits, target)
        loss.backward()
        optimiser.step()

    return step
