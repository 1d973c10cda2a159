"""From a scan to the probabilities that a network finds in it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import expit

from glioseg.head import HEAD_ABOVE
from glioseg.inference.backends import Backend
from glioseg.inference.contract import InferenceSettings
from glioseg.inference.postprocessing import with_neighbours
from glioseg.inference.preprocessing import (
    Preprocessing,
    binned,
    clip_and_normalise,
    intensity_statistics,
    slices_seen,
    unbinned,
)
from glioseg.inference.windows import Windows, lay_windows
from glioseg.volume import Volume

BATCH_SIZE = 8
"""Slices, or windows of them, computed at a time: enough to fill two cores, little enough to stay below a gigabyte."""


@dataclass(frozen=True)
class Batch:
    """Some slices of a scan, ready for a network.

    Attributes:
        slices: Which slices, from 0.
        images: Of :func:`network_images`.
        windows: Where windows lie on them; None for a network that sees whole slices.
    """

    slices: NDArray[np.intp]
    images: NDArray[np.float32]
    windows: Windows | None


def batches(volume: Volume, preprocessing: Preprocessing, window_px: int | None) -> Iterator[Batch]:
    """The slices of a scan that show a head: nothing in the others is tumour.

    Args:
        volume: The scan.
        preprocessing: As in training.
        window_px: Rows and columns of the windows that the network sees, binned; whole slices if None.
    """
    statistics = intensity_statistics(volume, preprocessing)
    shown = np.flatnonzero((volume.channel("flair") > HEAD_ABOVE).any(axis=(1, 2)))
    for start in range(0, len(shown), BATCH_SIZE):
        slices = shown[start : start + BATCH_SIZE]
        images = network_images(volume, slices, statistics, preprocessing)
        windows = None if window_px is None else network_windows(volume, slices, preprocessing, window_px)
        yield Batch(slices, images, windows)


def predict_probabilities(
    backend: Backend, volume: Volume, preprocessing: Preprocessing, settings: InferenceSettings
) -> NDArray[np.float32]:
    """Probabilities of a network that is being trained or used, before calibration.

    Args:
        backend: The network.
        volume: The scan.
        preprocessing: As in training.
        settings: How the network is used; temperature and post-processing are not looked at.

    Returns:
        Shape (slice, row, column), 0 to 1.
    """
    prepared = batches(volume, preprocessing, settings.window_px)
    return predict_batches(backend, prepared, volume, preprocessing, settings)


def predict_batches(
    backend: Backend,
    prepared: Iterable[Batch],
    volume: Volume,
    preprocessing: Preprocessing,
    settings: InferenceSettings,
) -> NDArray[np.float32]:
    """As :func:`predict_probabilities`, of a scan that :func:`batches` has prepared, for several networks at once."""
    slices, rows, columns = volume.voxels.shape[:3]
    probabilities = np.zeros((slices, rows, columns), np.float32)
    for batch in prepared:
        found = _predicted(backend, batch, settings.flip)
        probabilities[batch.slices] = unbinned(found, preprocessing.binning, rows, columns)
    return with_neighbours(probabilities, settings.neighbour_weight)


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
        Normalised and binned, shape (slice, channel, row, column); with ``preprocessing.context`` the channels of the
        slice itself, then of the slice before it, then of the one after it.
    """
    seen = slices_seen(slices, 0, len(volume.voxels) - 1, preprocessing.context)
    images = np.ascontiguousarray(np.moveaxis(volume.voxels[seen.ravel()], -1, 1), np.float32)
    images = binned(clip_and_normalise(images, statistics), preprocessing.binning)
    return images.reshape(len(slices), -1, *images.shape[-2:])


def network_windows(volume: Volume, slices: NDArray[np.intp], preprocessing: Preprocessing, window_px: int) -> Windows:
    """Where windows lie on slices of a scan, binned as :func:`network_images` gives them."""
    head = volume.channel("flair")[slices, None] > HEAD_ABOVE
    return lay_windows(_without_noise(binned(head.astype(np.float32), preprocessing.binning)[:, 0] > 0), window_px)


def _without_noise(head: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without specks, which would stretch the head over the air beside it; where nothing else is, they are kept."""
    opened: NDArray[np.bool_] = ndimage.binary_opening(head, np.ones((1, 3, 3), np.bool_), iterations=2)
    return np.where(opened.any(axis=(1, 2), keepdims=True), opened, head)


def _predicted(backend: Backend, batch: Batch, flip: bool) -> NDArray[np.float32]:
    """Probabilities of whole slices, binned, shape (slice, row, column)."""
    compute = _mirrored_mean if flip else _probabilities
    if batch.windows is None:
        return compute(backend, batch.images)
    return batch.windows.join(compute(backend, batch.windows.cut(batch.images)))


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
