"""Which slices make up a batch, as a function of the seed and the step alone.

Nothing is remembered between batches, so a resumed run draws what the uninterrupted one would have drawn, and the
batch of any step can be named after the fact.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glioseg.dataset.store import ArrayStore, StoredPatient
from glioseg.errors import GliosegError
from glioseg.inference.preprocessing import Preprocessing, intensity_statistics
from glioseg.training.config import Sampling
from glioseg.training.skull import stripped_statistics
from glioseg.volume import Volume


@dataclass(frozen=True)
class Batch:
    """Slices as stored, with what normalises them.

    Attributes:
        images: Shape (slice, channel, row, column), uint8.
        masks: Shape (slice, 1, row, column), bool.
        statistics: Shape (slice, channel, 3), float32: mean, deviation, upper limit.
        heads: Shape (slice, 1, row, column), uint8, from :func:`glioseg.dataset.heads.open_heads`; None where skulls
            stay on.
        stripped_statistics: Shape (slice, way, channel, 3), from
            :func:`glioseg.training.skull.stripped_statistics`; None likewise.
    """

    images: Tensor
    masks: Tensor
    statistics: Tensor
    heads: Tensor | None = None
    stripped_statistics: Tensor | None = None


@dataclass(frozen=True)
class Skulls:
    """What it takes to take skulls off.

    Attributes:
        heads: Depth and brain of every slice of the store, from :func:`glioseg.dataset.heads.open_heads`.
        deepest_px: The largest depth that may be taken off, in pixels.
    """

    heads: NDArray[np.uint8]
    deepest_px: int

    def statistics(self, volume: Volume, entry: StoredPatient, preprocessing: Preprocessing) -> NDArray[np.float32]:
        """As :func:`glioseg.training.skull.stripped_statistics`, for a patient of the store."""
        return stripped_statistics(volume, self.heads[entry.start : entry.stop], preprocessing, self.deepest_px)


class SliceSampler:
    """Draws training slices, those with tumour more often.

    Args:
        store: The arrays.
        patients: The training patients' names; their order does not matter.
        settings: Batch size and share of tumour slices.
        preprocessing: Gives the intensity statistics.
        seed: The run's seed.
        skulls: Depth and brain of every slice where skulls are taken off at random; None where they stay on.

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
        skulls: Skulls | None = None,
    ) -> None:
        self._store = store
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
        self._statistics = _of_slices(
            self._entries, lambda entry: intensity_statistics(store.volume(entry.patient), preprocessing)
        )
        self._skulls = skulls
        if skulls is not None:
            self._stripped_statistics = _of_slices(
                self._entries, lambda entry: skulls.statistics(store.volume(entry.patient), entry, preprocessing)
            )

    @property
    def steps_per_epoch(self) -> int:
        """Batches that hold as many slices as the training patients have."""
        return max(1, len(self.slices) // self._settings.batch_size)

    def indices(self, step: int) -> NDArray[np.int64]:
        """The store's slice numbers in the batch of a step."""
        generator = np.random.default_rng((self._seed, step))
        size = self._settings.batch_size
        from_tumour = round(size * self._settings.tumour_share)
        return np.concatenate(
            [generator.choice(self._tumour_slices, from_tumour), generator.choice(self.slices, size - from_tumour)]
        )

    def batch(self, step: int) -> Batch:
        """The batch of a step."""
        indices = self.indices(step)
        images = torch.from_numpy(self._store.images[indices]).permute(0, 3, 1, 2)
        masks = torch.from_numpy(self._store.masks[indices])[:, None]
        batch = Batch(images, masks, _stacked(self._statistics, indices))
        if self._skulls is None:
            return batch
        heads = torch.from_numpy(self._skulls.heads[indices])[:, None]
        return replace(batch, heads=heads, stripped_statistics=_stacked(self._stripped_statistics, indices))

    def names(self, step: int) -> list[str]:
        """The names of the slices in the batch of a step, for messages."""
        return [self._name(int(index)) for index in self.indices(step)]

    def _name(self, index: int) -> str:
        entry = next(entry for entry in self._entries if entry.start <= index < entry.stop)
        return entry.slice_names[index - entry.start]


def _of_slices(
    entries: Sequence[StoredPatient], statistics: Callable[[StoredPatient], NDArray[np.float32]]
) -> dict[int, NDArray[np.float32]]:
    """For each slice the statistics of its patient."""
    rows: dict[int, NDArray[np.float32]] = {}
    for entry in entries:
        rows.update(dict.fromkeys(range(entry.start, entry.stop), statistics(entry)))
    return rows


def _stacked(statistics: dict[int, NDArray[np.float32]], indices: NDArray[np.int64]) -> Tensor:
    return torch.from_numpy(np.stack([statistics[int(index)] for index in indices]))
