"""What the training scans look like, in the numbers by which later scans are compared with them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from glioseg.dataset.heads import BRAIN_BIT, open_heads
from glioseg.dataset.store import ArrayStore
from glioseg.inference.familiarity import Range, training_ranges, traits
from glioseg.training.config import TrainingConfig
from glioseg.volume import Volume


def familiar_ranges(store: ArrayStore, patients: Sequence[str], config: TrainingConfig) -> dict[str, Range]:
    """The range of each trait over the patients that the weights were fitted to.

    Where training took skull and scalp off, each patient counts twice: whole, and as the brain alone.
    """
    return training_ranges(traits(scan, config.preprocessing) for scan in _scans(store, patients, config))


def _scans(store: ArrayStore, patients: Sequence[str], config: TrainingConfig) -> Iterator[Volume]:
    strips = config.augmentation.strip > 0
    heads = open_heads(store) if strips else None
    for patient in patients:
        volume = store.volume(patient)
        yield volume
        if heads is not None:
            entry = store.entry(patient)
            brain = heads[entry.start : entry.stop] & BRAIN_BIT != 0
            yield replace(volume, voxels=np.where(brain[..., None], volume.voxels, np.uint8(0)))
