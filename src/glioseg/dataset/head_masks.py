"""Depth and brain of every stored slice: found once, mapped from disk ever after."""

import numpy as np
from numpy.typing import NDArray

from glioseg.dataset.store import ArrayStore, find_beside, open_beside
from glioseg.head import FOREGROUND_THRESHOLD
from glioseg.head.brain import brain_mask
from glioseg.head.depth import head_depth_px
from glioseg.volume import Volume

BRAIN_BIT = 128
"""Set where brain lies; the other seven bits hold the depth in pixels."""
PLAUSIBLE_BRAIN = 0.2
"""A brain below this share of the head was not found; then what lies deep enough stands for it."""
DEEP_ENOUGH_PX = 15
_FILE = f"heads-1-{FOREGROUND_THRESHOLD:g}.u8"
"""The number is that of the form; another form gets another."""


def open_head_masks(store: ArrayStore) -> NDArray[np.uint8]:
    """Map the heads of all patients, finding them the first time: about a second for each patient.

    Args:
        store: The arrays.

    Returns:
        Shape (slice, row, column): the depth in pixels, with :data:`BRAIN_BIT` where brain lies.

    Raises:
        GliosegError: If the file cannot be written.
    """
    return open_beside(store, _FILE, lambda patient: head_masks_of(store.volume(patient)))


def stored_head_mask(store: ArrayStore, patient: str) -> NDArray[np.uint8]:
    """The head of one patient, as a part of :func:`open_head_masks`; those of the others are not sought for it."""
    found, entry = find_beside(store, _FILE), store.entry(patient)
    return head_masks_of(store.volume(patient)) if found is None else found[entry.start : entry.stop]


def head_masks_of(volume: Volume) -> NDArray[np.uint8]:
    """Depth and brain of one patient, in the form of :func:`open_head_masks`."""
    depth = head_depth_px(volume)
    brain = brain_mask(volume, depth)
    if brain.sum() < PLAUSIBLE_BRAIN * (depth > 0).sum():
        brain = depth >= DEEP_ENOUGH_PX
    return depth | np.where(brain, BRAIN_BIT, 0).astype(np.uint8)
