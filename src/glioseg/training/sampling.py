"""Which slices make up a batch, as a function of the seed and the step alone, and how large its crops are.

Nothing is remembered between batches, so a resumed run draws what the uninterrupted one would have drawn, and the
batch of any step can be named after the fact.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from glioseg.dataset.store import ArrayStore
from glioseg.errors import GliosegError
from glioseg.inference.preprocessing import Preprocessing
from glioseg.networks.table import find_network
from glioseg.training.config import Sampling, TrainingConfig
from glioseg.training.device_cache import Batch, DeviceCachedSlices, SkullStripping


class SliceSampler:
    """Draws training slices, those with tumour more often.

    Args:
        store: The arrays.
        patients: The training patients' names; their order does not matter.
        settings: Batch size and share of tumour slices.
        preprocessing: Gives the intensity statistics.
        seed: The run's seed.
        skull_stripping: Depth and brain of every slice where skulls are taken off at random; None where they stay on.
        device: Where batches are wanted; the CPU if None.
        targets: What the network shall answer for every slice of the store, from
            :func:`glioseg.training.transfer.soft_targets`; the masks if None.
        with_next: Whether a batch holds the slices after its own too.

    Raises:
        GliosegError: If there is no training patient, or none has a tumour.
    """

    def __init__(
        self,
        store: ArrayStore,
        patients: Sequence[str],
        settings: Sampling,
        preprocessing: Preprocessing,
        seed: int,
        *,
        skull_stripping: SkullStripping | None = None,
        device: torch.device | None = None,
        targets: NDArray[np.uint8] | None = None,
        with_next: bool = False,
    ) -> None:
        self._settings = settings
        self._seed = seed
        self._entries = [store.entry(patient) for patient in sorted(patients)]
        if not self._entries:
            raise GliosegError("the split has no training patient", remedy="Give a split with more patients")
        self.slices: NDArray[np.int64] = np.concatenate([np.arange(e.start, e.stop) for e in self._entries])
        with_tumour = np.array([store.masks[index].any() for index in self.slices])
        self._tumour_slices = self.slices[with_tumour]
        if self._tumour_slices.size == 0:
            raise GliosegError("no training slice shows a tumour", remedy="Check the masks with 'glioseg data check'")
        poles = np.concatenate([_poles(entry.start, entry.stop) for entry in self._entries])
        self._pole_slices = np.setdiff1d(poles, self._tumour_slices)
        self._cache = DeviceCachedSlices.of(
            store, self._entries, preprocessing, skull_stripping, device or torch.device("cpu"), targets, with_next
        )

    @property
    def steps_per_epoch(self) -> int:
        """Batches that hold as many slices as the training patients have."""
        return max(1, len(self.slices) // self._settings.batch_size)

    def indices(self, step: int) -> NDArray[np.int64]:
        """The store's slice numbers in the batch of a step."""
        generator = np.random.default_rng((self._seed, step))
        size = self._settings.batch_size
        from_tumour = round(size * self._settings.foreground_fraction)
        from_poles = round(size * self._settings.pole_share) if self._pole_slices.size else 0
        return np.concatenate(
            [
                generator.choice(self._tumour_slices, from_tumour),
                generator.choice(self.slices, size - from_tumour - from_poles),
                *([generator.choice(self._pole_slices, from_poles)] if from_poles else []),
            ]
        )

    def batch(self, step: int) -> Batch:
        """The batch of a step, on the device."""
        return self._cache.batch(self.indices(step))

    def names(self, step: int) -> list[str]:
        """The names of the slices in the batch of a step, for messages."""
        return [self._name(int(index)) for index in self.indices(step)]

    def _name(self, index: int) -> str:
        entry = next(entry for entry in self._entries if entry.start <= index < entry.stop)
        return entry.slice_names[index - entry.start]


def _poles(start: int, stop: int) -> NDArray[np.int64]:
    """The lowest and the highest quarter of a scan's slices."""
    quarter = (stop - start) // 4
    return np.concatenate([np.arange(start, start + quarter), np.arange(stop - quarter, stop)])


def crop_px(config: TrainingConfig, *, coarse: bool = False) -> int:
    """Rows and columns that the network computes for a crop: what it would pad shows the slice instead.

    Args:
        config: Every setting.
        coarse: In the first part of the budget, at half the resolution.
    """
    multiple = find_network(config.network.name).size_multiple
    pixels = round(config.sampling.crop_size / crop_downsampling(config, coarse=coarse))
    return math.ceil(pixels / multiple) * multiple


def crop_downsampling(config: TrainingConfig, *, coarse: bool = False) -> int:
    """Pixels of the slice, along rows and columns, that are one in a crop."""
    return config.preprocessing.downsampling_factor * (2 if coarse else 1)
