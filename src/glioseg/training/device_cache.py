"""Training slices cached where batches are made of them: on a GPU all of them at once, so that a step moves slice
numbers only."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glioseg.dataset.store import ArrayStore, StoredPatient
from glioseg.inference.preprocessing import Preprocessing, intensity_statistics, slices_seen
from glioseg.training.skull_stripping import stripped_statistics
from glioseg.volume import Volume

SHARE_FOR_DATA = 0.5
"""Of a GPU's free memory, what the slices may take; larger sets stay in the computer's memory."""


@dataclass(frozen=True)
class Batch:
    """Slices as stored, with what normalises them.

    Attributes:
        images: Shape (slice, input channel, row, column), uint8: the channels of the slice itself, then of the slices
            beside it where ``preprocessing.context`` asks for them.
        masks: Shape (slice, 1, row, column), bool.
        statistics: Shape (slice, channel, 3), float32: mean, deviation, upper limit.
        head_masks: Shape (slice, seen, row, column), uint8, of the slice and those beside it, from
            :func:`glioseg.dataset.head_masks.open_head_masks`; None where skulls stay on.
        stripped_statistics: Shape (slice, way, channel, 3), from
            :func:`glioseg.training.skull_stripping.stripped_statistics`; None likewise.
        targets: Shape (slice, 1, row, column), uint8, 0 to 255 for 0 to 1: what the network shall answer in place of
            the masks; None where these are all.
        next_slices: Images, masks and targets of the slice after each, or of the same where it is a patient's last;
            None where ``augmentation.slice_thickness`` does not ask for them.
    """

    images: Tensor
    masks: Tensor
    statistics: Tensor
    head_masks: Tensor | None = None
    stripped_statistics: Tensor | None = None
    targets: Tensor | None = None
    next_slices: "Batch | None" = None


@dataclass(frozen=True)
class SkullStripping:
    """What it takes to take skulls off.

    Attributes:
        head_masks: Depth and brain of every slice of the store, from
            :func:`glioseg.dataset.head_masks.open_head_masks`.
        deepest_px: The largest depth that may be taken off, in pixels.
    """

    head_masks: NDArray[np.uint8]
    deepest_px: int

    def statistics(self, volume: Volume, entry: StoredPatient, preprocessing: Preprocessing) -> NDArray[np.float32]:
        """As :func:`glioseg.training.skull_stripping.stripped_statistics`, for a patient of the store."""
        return stripped_statistics(volume, self.head_masks[entry.start : entry.stop], preprocessing, self.deepest_px)


@dataclass(frozen=True)
class DeviceCachedSlices:
    """A store's arrays and the statistics of its slices, as tensors.

    Attributes:
        images: Shape (slice, row, column, channel), uint8.
        masks: Shape (slice, row, column), bool.
        statistics: Shape (slice, channel, 3), float32; of training patients' slices only.
        head_masks: Shape (slice, row, column), uint8, or None.
        stripped_statistics: Shape (slice, way, channel, 3), float32, or None.
        targets: Shape (slice, row, column), uint8, or None.
        seen: Shape (slice, seen), int64: for each slice the slices that the network sees, itself first.
        next_slices: Shape (slice), int64: for each slice the one after it; None where batches need none.
        device: Where batches are wanted; the arrays lie there too if they fit.
    """

    images: Tensor
    masks: Tensor
    statistics: Tensor
    head_masks: Tensor | None
    stripped_statistics: Tensor | None
    targets: Tensor | None
    seen: Tensor
    next_slices: Tensor | None
    device: torch.device

    @classmethod
    def of(
        cls,
        store: ArrayStore,
        entries: list[StoredPatient],
        preprocessing: Preprocessing,
        skull_stripping: SkullStripping | None,
        device: torch.device,
        targets: NDArray[np.uint8] | None = None,
        with_next: bool = False,
    ) -> Self:
        """Bring a store to where its batches are made.

        Args:
            store: The arrays; on a CPU they stay mapped from disk.
            entries: The training patients.
            preprocessing: Gives the intensity statistics.
            skull_stripping: Depth and brain of every slice where skulls are taken off at random.
            device: Where batches are wanted.
            targets: As :attr:`targets`.
            with_next: Whether batches hold the slices after theirs too.
        """
        count = len(store.images)
        statistics = _of_slices(
            count, entries, lambda entry: intensity_statistics(store.volume(entry.patient), preprocessing)
        )
        images, masks = torch.from_numpy(store.images), torch.from_numpy(store.masks)
        head_masks = stripped = None
        if skull_stripping is not None:
            head_masks = torch.from_numpy(skull_stripping.head_masks)
            without = skull_stripping.statistics
            stripped = _of_slices(
                count, entries, lambda entry: without(store.volume(entry.patient), entry, preprocessing)
            )
        seen = torch.from_numpy(_seen(count, entries, preprocessing.context))
        # Of a slice and those beside it the last is the one after it.
        after = torch.from_numpy(_seen(count, entries, 1)[:, -1]) if with_next else None
        taught = None if targets is None else torch.from_numpy(targets)
        tensors = (images, masks, statistics, head_masks, stripped, taught, seen, after)
        if fits(sum(tensor.nbytes for tensor in tensors if tensor is not None), device):
            tensors = tuple(None if tensor is None else tensor.to(device) for tensor in tensors)  # type: ignore[assignment]
        return cls(*tensors, device=device)

    def batch(self, indices: NDArray[np.int64]) -> Batch:
        """Slices of the store by number, on the device."""
        wanted = torch.from_numpy(indices).to(self.images.device)
        batch = self._batch(wanted)
        return batch if self.next_slices is None else replace(batch, next_slices=self._batch(self.next_slices[wanted]))

    def _batch(self, wanted: Tensor) -> Batch:
        seen = self.seen[wanted]
        head_masks, stripped, targets = self.head_masks, self.stripped_statistics, self.targets
        return Batch(
            self._moved(self.images[seen]).permute(0, 1, 4, 2, 3).flatten(1, 2),
            self._moved(self.masks[wanted])[:, None],
            self._moved(self.statistics[wanted]),
            None if head_masks is None else self._moved(head_masks[seen]),
            None if stripped is None else self._moved(stripped[wanted]),
            None if targets is None else self._moved(targets[wanted])[:, None],
        )

    def _moved(self, tensor: Tensor) -> Tensor:
        if tensor.device == self.device:
            return tensor
        return tensor.pin_memory().to(self.device, non_blocking=True)


def fits(size_bytes: int, device: torch.device) -> bool:
    """Whether a set may lie on a device: always in a computer's memory, in a GPU's within :data:`SHARE_FOR_DATA`."""
    if device.type == "cpu":
        return True
    free_bytes, _ = torch.cuda.mem_get_info(device)
    return size_bytes <= SHARE_FOR_DATA * free_bytes


def _seen(count: int, entries: list[StoredPatient], context: int) -> NDArray[np.int64]:
    """For each slice of the store those that the network sees; a slice of no training patient sees itself."""
    seen = np.repeat(np.arange(count)[:, None], 1 + 2 * context, axis=1)
    for entry in entries:
        own = np.arange(entry.start, entry.stop)
        seen[own] = slices_seen(own, entry.start, entry.stop - 1, context)
    return seen


def _of_slices(
    count: int, entries: list[StoredPatient], statistics: Callable[[StoredPatient], NDArray[np.float32]]
) -> Tensor:
    """A row for each slice of the store: its patient's statistics, or zeros where it is none of these patients'."""
    rows: NDArray[np.float32] | None = None
    for entry in entries:
        found = statistics(entry)
        if rows is None:
            rows = np.zeros((count, *found.shape), np.float32)
        rows[entry.start : entry.stop] = found
    assert rows is not None
    return torch.from_numpy(rows)
