"""From a scan to the probabilities that a network finds in it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glioseg.head import FOREGROUND_THRESHOLD
from glioseg.inference.backends import Backend
from glioseg.inference.contract import InferenceSettings
from glioseg.inference.postprocessing import sigmoid, smoothed_through_plane
from glioseg.inference.preprocessing import (
    Preprocessing,
    clip_and_normalise,
    downsample,
    intensity_statistics,
    slices_seen,
    upsample,
)
from glioseg.inference.sliding_window import Patches, crops_to_head, sliding_window
from glioseg.machine import threads
from glioseg.volume import Volume

BATCH_SIZE = 8
"""Slices, or patches of them, computed at a time: enough to fill two cores, little enough to stay below a gigabyte."""

PATCHES_PER_THREAD = 4
"""Patches that a thread computes at a time, where that makes more than a batch of slices."""

Extent = int | Literal["head"] | None
"""What a network sees of a slice, downsampled: patches of so many rows and columns, a crop to the head, or all."""

Side = Literal["scan", "mirror image", "both"]
"""What a network is shown: the scan as it lies, its left-right mirror image, or one after the other for their mean."""


@dataclass(frozen=True)
class Batch:
    """Some slices of a scan, ready for a network.

    Attributes:
        slices: Which slices, from 0.
        images: Of :func:`network_images`.
        patches: Where patches lie on them; None for a network that sees whole slices.
    """

    slices: NDArray[np.intp]
    images: NDArray[np.float32]
    patches: Patches | None


def batches(volume: Volume, preprocessing: Preprocessing, extent: Extent) -> Iterator[Batch]:
    """The slices of a scan that show a head: nothing in the others is tumour.

    Args:
        volume: The scan.
        preprocessing: As in training.
        extent: What the network sees of a slice.
    """
    statistics = intensity_statistics(volume, preprocessing)
    shown = np.flatnonzero((volume.channel("flair") > FOREGROUND_THRESHOLD).any(axis=(1, 2)))
    for start in range(0, len(shown), BATCH_SIZE):
        slices = shown[start : start + BATCH_SIZE]
        images = network_images(volume, slices, statistics, preprocessing)
        yield Batch(slices, images, network_patches(volume, slices, preprocessing, extent))


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
    prepared = batches(volume, preprocessing, settings.patch_px)
    return predict_batches(
        backend, prepared, volume, preprocessing, side_shown(settings), settings.through_plane_smoothing
    )


def side_shown(settings: InferenceSettings) -> Side:
    """What a network is shown by its own settings."""
    return "both" if settings.flip else "scan"


def predict_batches(
    backend: Backend,
    prepared: Iterable[Batch],
    volume: Volume,
    preprocessing: Preprocessing,
    side: Side,
    through_plane_smoothing: float,
) -> NDArray[np.float32]:
    """As :func:`predict_probabilities`, of a scan that :func:`batches` has prepared, for several networks at once.

    Args:
        backend: The network.
        prepared: The scan's slices.
        volume: The scan.
        preprocessing: As in training.
        side: What the network is shown.
        through_plane_smoothing: As for :func:`glioseg.inference.postprocessing.smoothed_through_plane`.
    """
    slices, rows, columns = volume.voxels.shape[:3]
    probabilities = np.zeros((slices, rows, columns), np.float32)
    for batch in prepared:
        found = _predicted(backend, batch, _COMPUTED[side])
        probabilities[batch.slices] = upsample(found, preprocessing.downsampling_factor, rows, columns)
    return smoothed_through_plane(probabilities, through_plane_smoothing, out=probabilities)


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
        Normalised and downsampled, shape (slice, channel, row, column); with ``preprocessing.context`` the channels of
        the slice itself, then of the slice before it, then of the one after it.
    """
    seen = slices_seen(slices, 0, len(volume.voxels) - 1, preprocessing.context)

    def image(index: np.int64) -> NDArray[np.float32]:
        # One at a time: at the scan's own size a batch of them counts in memory.
        whole = np.ascontiguousarray(np.moveaxis(volume.voxels[index], -1, 0), np.float32)[None]
        return downsample(clip_and_normalise(whole, statistics), preprocessing.downsampling_factor)

    images = np.concatenate([image(index) for index in seen.ravel()])
    return images.reshape(len(slices), -1, *images.shape[-2:])


def network_patches(
    volume: Volume, slices: NDArray[np.intp], preprocessing: Preprocessing, extent: Extent
) -> Patches | None:
    """What a network sees of slices, downsampled as :func:`network_images` gives them; None where it is all of them."""
    if extent is None:
        return None
    head = volume.channel("flair")[slices, None] > FOREGROUND_THRESHOLD
    shown = _without_noise(downsample(head.astype(np.float32), preprocessing.downsampling_factor)[:, 0] > 0)
    return crops_to_head(shown) if extent == "head" else sliding_window(shown, extent)


def _without_noise(head: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without specks, which would stretch the head over the air beside it; where nothing else is, they are kept."""
    opened: NDArray[np.bool_] = ndimage.binary_opening(head, np.ones((1, 3, 3), np.bool_), iterations=2)
    return np.where(opened.any(axis=(1, 2), keepdims=True), opened, head)


def _predicted(
    backend: Backend, batch: Batch, compute: Callable[[Backend, NDArray[np.float32]], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Probabilities of whole slices, downsampled, shape (slice, row, column)."""
    if batch.patches is None:
        return compute(backend, batch.images)
    return batch.patches.stitch(compute(backend, batch.patches.extract(batch.images)))


def _probabilities(backend: Backend, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """In batches again: there may be several patches to a slice."""
    found = np.empty((len(images), *images.shape[2:]), np.float32)
    at_once = max(BATCH_SIZE, PATCHES_PER_THREAD * threads())
    for start in range(0, len(images), at_once):
        batch = slice(start, start + at_once)
        found[batch] = sigmoid(backend.logits(images[batch])[:, 0])
    return found


def _of_mirror_image(backend: Backend, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of the left-right mirror image, turned back."""
    return _probabilities(backend, np.ascontiguousarray(images[..., ::-1]))[..., ::-1]


def _of_both(backend: Backend, images: NDArray[np.float32]) -> NDArray[np.float32]:
    return (_probabilities(backend, images) + _of_mirror_image(backend, images)) / np.float32(2)


_COMPUTED = {"scan": _probabilities, "mirror image": _of_mirror_image, "both": _of_both}
