"""PyTorch: every network that was trained, on CPU or GPU."""

from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from glioseg.inference.backends import BackendName, Device
from glioseg.inference.bundle import load_network
from glioseg.inference.contract import Contract
from glioseg.machine import Precision, choose_device, choose_precision, describe_device


class TorchBackend:
    """A network of PyTorch.

    Args:
        network: With its weights; it is put into evaluation mode.
        device: Where to compute.
        precision: Arithmetic of the convolutions.
    """

    name: BackendName = "torch"

    def __init__(
        self, network: nn.Module, *, device: Device | torch.device = "auto", precision: Precision = "auto"
    ) -> None:
        self._device = device if isinstance(device, torch.device) else choose_device(device)
        self.device = describe_device(self._device)
        self.precision = choose_precision(precision, self._device)
        self._network = network.eval().to(self._device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @classmethod
    def from_bundle(
        cls, folder: Path, contract: Contract, *, device: Device = "auto", precision: Precision = "auto"
    ) -> Self:
        """Load a bundle's weights; raises as :func:`glioseg.inference.bundle.load_network`."""
        return cls(load_network(folder, contract), device=device, precision=precision)

    @torch.inference_mode()
    def logits(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Normalised images (slice, channel, row, column) to logits (slice, 1, row, column), both float32."""
        given = torch.from_numpy(np.ascontiguousarray(images)).to(self._device)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            found = self._network(given.contiguous(memory_format=torch.channels_last))
        computed: NDArray[np.float32] = found.float().cpu().numpy()
        return computed
