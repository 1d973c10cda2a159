"""A training that takes seconds: patients of a few slices, a narrow U-Net, four steps an epoch."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from glioseg.dataset.splits import Split
from glioseg.dataset.store import ArrayStore, StoredPatient
from glioseg.training.config import TrainingConfig, load_config

SLICES = 6
TINY = (
    "network.width=8",
    "sampling.batch_size=4",
    "sampling.crop_size=32",
    "augmentation.shift_pixels=8",
    "machine.device=cpu",
    "machine.precision=32",
    "validation.every_epochs=1",
    "validation.flip=false",
    "optimisation.learning_rate=1e-2",
    "optimisation.ema_decay=0.5",
    "budget.steps=12",
)


@pytest.fixture(scope="session")
def small_store(store: ArrayStore) -> ArrayStore:
    """Six slices of each practice patient, those around the middle of the tumour."""
    entries: list[StoredPatient] = []
    rows: list[int] = []
    for entry in store.patients:
        tumour = np.flatnonzero(store.masks[entry.start : entry.stop].any(axis=(1, 2)))
        first = max(0, min(int(np.median(tumour)) - SLICES // 2, entry.stop - entry.start - SLICES))
        start = len(rows)
        names = entry.slice_names[first : first + SLICES]
        entries.append(replace(entry, start=start, stop=start + SLICES, slice_names=names))
        rows += range(entry.start + first, entry.start + first + SLICES)
    return ArrayStore(store.images[rows], store.masks[rows], tuple(entries), "a" * 64)


@pytest.fixture(scope="session")
def small_split(small_store: ArrayStore) -> Split:
    """Three patients train, one validates, two are tested: 18 slices, so 4 batches of 4 in an epoch."""
    names = [entry.patient for entry in small_store.patients]
    return Split("by hand", tuple(names[:3]), tuple(names[3:4]), tuple(names[4:]))


@pytest.fixture(scope="session")
def tiny_config() -> Callable[..., TrainingConfig]:
    """Three epochs of four steps; assignments change that."""

    def build(*assignments: str) -> TrainingConfig:
        return load_config(assignments=(*TINY, *assignments))

    return build
