"""What the training scans look like, in the numbers by which later scans are compared with them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from glioseg.dataset.head_masks import BRAIN_BIT, open_head_masks
from glioseg.dataset.store import ArrayStore
from glioseg.inference.out_of_distribution import Range, image_features, training_ranges
from glioseg.training.config import TrainingConfig
from glioseg.volume import Volume


def feature_ranges(store: ArrayStore, patients: Sequence[str], config: TrainingConfig) -> dict[str, Range]:
    """The range of each feature over the patients that the weights were fitted to.

    Where training took skull and scalp off, each patient counts twice: whole, and as the brain alone.
    """
    return training_ranges(image_features(scan, config.preprocessing) for scan in _scans(store, patients, config))


def _scans(store: ArrayStore, patients: Sequence[str], config: TrainingConfig) -> Iterator[Volume]:
    strips = config.augmentation.skull_stripping > 0
    head_masks = open_head_masks(store) if strips else None
    for patient in patients:
        volume = store.volume(patient)
        yield volume
        if head_masks is not None:
            entry = store.entry(patient)
            brain = head_masks[entry.start : entry.stop] & BRAIN_BIT != 0
            yield replace(volume, voxels=np.where(brain[..., None], volume.voxels, np.uint8(0)))
