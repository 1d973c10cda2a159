"""From a scan to probabilities and a mask."""

from pathlib import Path
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from glioseg.errors import GliosegError
from glioseg.inference.bundle import load_bundle
from glioseg.inference.contract import Contract
from glioseg.inference.postprocessing import cut_mask
from glioseg.inference.preprocessing import Preprocessing, clip_and_normalise, intensity_statistics
from glioseg.machine import Precision, choose_device, choose_precision
from glioseg.volume import Mask, Volume

BATCH_SIZE = 8
"""Slices computed at a time: enough to fill two cores, little enough to stay below a gigabyte."""


class Predictor:
    """A bundle ready for use.

    Args:
        network: With its weights.
        contract: What it needs.
        device: Where to compute.
        precision: Arithmetic of the convolutions.
    """

    def __init__(
        self,
        network: nn.Module,
        contract: Contract,
        *,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        precision: Precision = "auto",
    ) -> None:
        self.contract = contract
        self.device = choose_device(device)
        self.precision = choose_precision(precision, self.device)
        self._network = network.eval().to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @classmethod
    def from_bundle(
        cls, folder: Path, *, device: Literal["auto", "cpu", "cuda"] = "auto", precision: Precision = "auto"
    ) -> Self:
        """Load a bundle; raises as :func:`glioseg.inference.bundle.load_bundle`."""
        return cls(*load_bundle(folder), device=device, precision=precision)

    def probabilities(self, volume: Volume) -> NDArray[np.float32]:
        """The probability of tumour at each voxel, shape (slice, row, column), 0 to 1.

        Raises:
            GliosegError: If the scan lacks a channel that the contract names.
        """
        if volume.channels != self.contract.channels:
            raise GliosegError(
                f"patient {volume.patient} does not fit the model",
                expected=f"channels {', '.join(self.contract.channels)}",
                found=", ".join(volume.channels),
            )
        return predict_probabilities(
            self._network,
            volume,
            self.contract.preprocessing,
            flip=self.contract.flip,
            device=self.device,
            precision=self.precision,
        )

    def mask(self, volume: Volume) -> Mask:
        """The tumour's mask on the scan's own grid; raises as :meth:`probabilities`."""
        inside = cut_mask(self.probabilities(volume), self.contract.postprocessing)
        return Mask(volume.patient, inside, slice_names=volume.slice_names, affine=volume.affine)


@torch.inference_mode()
def predict_probabilities(
    network: nn.Module,
    volume: Volume,
    preprocessing: Preprocessing,
    *,
    flip: bool,
    device: torch.device,
    precision: Literal["32", "bf16"],
) -> NDArray[np.float32]:
    """Probabilities of a network that is being trained or used.

    Args:
        network: In evaluation mode, on the device.
        volume: The scan.
        preprocessing: As in training.
        flip: Whether to average with the left-right mirror image.
        device: Where to compute.
        precision: Arithmetic of the convolutions.

    Returns:
        Shape (slice, row, column), 0 to 1.
    """
    statistics = torch.from_numpy(intensity_statistics(volume, preprocessing)).to(device)
    probabilities = np.empty(volume.voxels.shape[:3], np.float32)
    for start in range(0, len(probabilities), BATCH_SIZE):
        voxels = torch.from_numpy(np.ascontiguousarray(volume.voxels[start : start + BATCH_SIZE]))
        images = clip_and_normalise(voxels.to(device).permute(0, 3, 1, 2), statistics)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            predicted = _mirrored_mean(network, images) if flip else _sigmoid(network, images)
        probabilities[start : start + BATCH_SIZE] = predicted[:, 0].cpu().numpy()
    return probabilities


def _sigmoid(network: nn.Module, images: Tensor) -> Tensor:
    return torch.sigmoid(network(images.contiguous(memory_format=torch.channels_last)).float())


def _mirrored_mean(network: nn.Module, images: Tensor) -> Tensor:
    return (_sigmoid(network, images) + _sigmoid(network, images.flip(-1)).flip(-1)) / 2
