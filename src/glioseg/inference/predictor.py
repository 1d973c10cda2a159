"""From a scan to probabilities and a mask, with one network."""

from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import expit

from glioseg.errors import GliosegError
from glioseg.inference.backends import Backend, BackendName, BackendPrecision, Device, load_backend
from glioseg.inference.binning import binned, unbinned
from glioseg.inference.calibration import calibrated
from glioseg.inference.contract import Contract, load_contract
from glioseg.inference.familiarity import traits, unfamiliar
from glioseg.inference.neighbours import with_neighbours
from glioseg.inference.postprocessing import Postprocessing, cut_mask
from glioseg.inference.preprocessing import Preprocessing, clip_and_normalise, intensity_statistics
from glioseg.inference.windows import Windows, lay_windows
from glioseg.networks.table import find_network
from glioseg.volume import Mask, Volume

BATCH_SIZE = 8
"""Slices, or windows of them, computed at a time: enough to fill two cores, little enough to stay below a gigabyte."""


class Predictor:
    """A bundle ready for use.

    Args:
        backend: The network with its weights.
        contract: What it needs.
    """

    def __init__(self, backend: Backend, contract: Contract) -> None:
        self.backend = backend
        self.contract = contract

    @classmethod
    def from_bundle(
        cls,
        folder: Path,
        *,
        backend: BackendName | Literal["auto"] = "auto",
        device: Device = "auto",
        precision: BackendPrecision = "auto",
    ) -> Self:
        """Load a bundle; arguments and errors as :func:`glioseg.inference.backends.load_backend`."""
        contract = load_contract(folder)
        return cls(load_backend(folder, contract, backend, device=device, precision=precision), contract)

    @property
    def title(self) -> str:
        """As :attr:`glioseg.inference.segmenter.Segmenter.title`."""
        return find_network(self.contract.network).titled(self.contract.width)

    @property
    def identity(self) -> str:
        """Hash of the weights."""
        return self.contract.weights_sha256

    @property
    def split_sha256(self) -> str:
        """Hash of the split of patients that it was trained under."""
        return self.contract.split_sha256

    @property
    def head_above(self) -> float:
        """FLAIR above this belongs to the head."""
        return self.contract.preprocessing.head_above

    def unfamiliar(self, volume: Volume) -> tuple[str, ...]:
        """As :meth:`glioseg.inference.segmenter.Segmenter.unfamiliar`."""
        return unfamiliar(traits(volume, self.contract.preprocessing), self.contract.familiar)

    def facts(self) -> dict[str, Any]:
        """As :meth:`glioseg.inference.segmenter.Segmenter.facts`."""
        return {
            "model": self.contract.model_dump(mode="json"),
            "backend": self.backend.name,
            "device": self.backend.device,
            "precision": self.backend.precision,
        }

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
        found = predict_probabilities(
            self.backend,
            volume,
            self.contract.preprocessing,
            flip=self.contract.flip,
            window_px=self.contract.window_px,
            neighbour_weight=self.contract.neighbour_weight,
        )
        return calibrated(found, self.contract.temperature)

    def mask(self, volume: Volume) -> Mask:
        """The tumour's mask on the scan's own grid; raises as :meth:`probabilities`."""
        return self.cut(volume, self.probabilities(volume))

    def cut(self, volume: Volume, probabilities: NDArray[np.float32]) -> Mask:
        """The mask that the contract's rule cuts out of probabilities on the scan's own grid."""
        return mask_on_grid(volume, probabilities, self.contract.postprocessing)


def mask_on_grid(volume: Volume, probabilities: NDArray[np.float32], rule: Postprocessing) -> Mask:
    """The mask that a rule cuts out of probabilities on the scan's own grid."""
    return Mask(volume.patient, cut_mask(probabilities, rule), slice_names=volume.slice_names, affine=volume.affine)


def predict_probabilities(
    backend: Backend,
    volume: Volume,
    preprocessing: Preprocessing,
    *,
    flip: bool,
    window_px: int | None = None,
    neighbour_weight: float = 0.0,
) -> NDArray[np.float32]:
    """Probabilities of a network that is being trained or used.

    Slices that show no head are not computed: nothing in them is tumour.

    Args:
        backend: The network.
        volume: The scan.
        preprocessing: As in training.
        flip: Whether to average with the left-right mirror image.
        window_px: Rows and columns of the windows that the network sees, binned; whole slices if None.
        neighbour_weight: Of each slice beside a slice, as :func:`glioseg.inference.neighbours.with_neighbours`.

    Returns:
        Shape (slice, row, column), 0 to 1.
    """
    statistics = intensity_statistics(volume, preprocessing)
    slices, rows, columns = volume.voxels.shape[:3]
    probabilities = np.zeros((slices, rows, columns), np.float32)
    shown = np.flatnonzero((volume.channel("flair") > preprocessing.head_above).any(axis=(1, 2)))
    for start in range(0, len(shown), BATCH_SIZE):
        batch = shown[start : start + BATCH_SIZE]
        images = network_images(volume, batch, statistics, preprocessing)
        if window_px is None:
            found = _predicted(backend, images, flip)
        else:
            windows = network_windows(volume, batch, preprocessing, window_px)
            found = windows.join(_predicted(backend, windows.cut(images), flip))
        probabilities[batch] = unbinned(found, preprocessing.binning, rows, columns)
    return with_neighbours(probabilities, neighbour_weight)


def network_images(
    volume: Volume, slices: NDArray[np.intp], statistics: NDArray[np.float32], preprocessing: Preprocessing
) -> NDArray[np.float32]:
    """Slices of a scan as the network sees them.

    Args:
        volume: The scan.
        slices: Which slices, from 0.
        statistics: From :func:`glioseg.inference.preprocessing.intensity_statistics`.
        preprocessing: As in training.

    Returns:
        Normalised and binned, shape (slice, channel, row, column).
    """
    images = np.ascontiguousarray(np.moveaxis(volume.voxels[slices], -1, 1), np.float32)
    return binned(clip_and_normalise(images, statistics), preprocessing.binning)


def network_windows(volume: Volume, slices: NDArray[np.intp], preprocessing: Preprocessing, window_px: int) -> Windows:
    """Where windows lie on slices of a scan, binned as :func:`network_images` gives them."""
    head = volume.channel("flair")[slices, None] > preprocessing.head_above
    return lay_windows(_without_noise(binned(head.astype(np.float32), preprocessing.binning)[:, 0] > 0), window_px)


def _without_noise(head: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without specks, which would stretch the head over the air beside it; where nothing else is, they are kept."""
    opened: NDArray[np.bool_] = ndimage.binary_opening(head, np.ones((1, 3, 3), np.bool_), iterations=2)
    return np.where(opened.any(axis=(1, 2), keepdims=True), opened, head)


def _predicted(backend: Backend, images: NDArray[np.float32], flip: bool) -> NDArray[np.float32]:
    return _mirrored_mean(backend, images) if flip else _probabilities(backend, images)


def _probabilities(backend: Backend, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """In batches again: there may be several windows to a slice."""
    found = np.empty((len(images), *images.shape[2:]), np.float32)
    for start in range(0, len(images), BATCH_SIZE):
        batch = slice(start, start + BATCH_SIZE)
        found[batch] = expit(backend.logits(images[batch])[:, 0])
    return found


def _mirrored_mean(backend: Backend, images: NDArray[np.float32]) -> NDArray[np.float32]:
    mirrored = _probabilities(backend, np.ascontiguousarray(images[..., ::-1]))[..., ::-1]
    return (_probabilities(backend, images) + mirrored) / np.float32(2)
