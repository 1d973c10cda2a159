"""Depth and brain of every stored slice: found once, mapped from disk ever after."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glioseg.atomic import atomic_file, clear_unfinished
from glioseg.dataset.store import ArrayStore, beside_the_store
from glioseg.head import FOREGROUND_THRESHOLD
from glioseg.head.brain import brain_mask
from glioseg.head.depth import head_depth_px
from glioseg.volume import Volume

BRAIN_BIT = 128
"""Set where brain lies; the other seven bits hold the depth in pixels."""
PLAUSIBLE_BRAIN = 0.2
"""A brain below this share of the head was not found; then what lies deep enough stands for it."""
DEEP_ENOUGH_PX = 15
_FORMAT = 1


def open_head_masks(store: ArrayStore) -> NDArray[np.uint8]:
    """Map the heads of all patients, finding them the first time: about a second for each patient.

    Args:
        store: The arrays.

    Returns:
        Shape (slice, row, column): the depth in pixels, with :data:`BRAIN_BIT` where brain lies.

    Raises:
        GliosegError: If the file cannot be written.
    """
    folder = beside_the_store(store)
    if folder is None:
        return np.concatenate([head_masks_of(store.volume(entry.patient)) for entry in store.patients])
    path = _file(folder)
    if not _is_whole(path, store):
        clear_unfinished(folder)
        with atomic_file(path) as file:
            for entry in store.patients:
                file.write(head_masks_of(store.volume(entry.patient)).data)
    return _map(path, store)


def stored_head_mask(store: ArrayStore, patient: str) -> NDArray[np.uint8]:
    """The head of one patient, as a part of :func:`open_head_masks`; those of the others are not sought for it."""
    folder, entry = beside_the_store(store), store.entry(patient)
    if folder is None or not _is_whole(_file(folder), store):
        return head_masks_of(store.volume(patient))
    return _map(_file(folder), store)[entry.start : entry.stop]


def head_masks_of(volume: Volume) -> NDArray[np.uint8]:
    """Depth and brain of one patient, in the form of :func:`open_head_masks`."""
    depth = head_depth_px(volume)
    brain = brain_mask(volume, depth)
    if brain.sum() < PLAUSIBLE_BRAIN * (depth > 0).sum():
        brain = depth >= DEEP_ENOUGH_PX
    return depth | np.where(brain, BRAIN_BIT, 0).astype(np.uint8)


def _file(folder: Path) -> Path:
    return folder / f"heads-{_FORMAT}-{FOREGROUND_THRESHOLD:g}.u8"


def _is_whole(path: Path, store: ArrayStore) -> bool:
    return path.exists() and path.stat().st_size == store.masks.size


def _map(path: Path, store: ArrayStore) -> NDArray[np.uint8]:
    return np.memmap(path, np.uint8, "c", shape=store.masks.shape)
