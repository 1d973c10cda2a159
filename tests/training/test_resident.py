from dataclasses import replace

import numpy as np
import pytest
import torch

from glioseg.dataset.heads import heads_of
from glioseg.dataset.store import ArrayStore
from glioseg.inference.preprocessing import Preprocessing, intensity_statistics
from glioseg.training import resident
from glioseg.training.resident import ResidentSlices, Skulls

CPU = torch.device("cpu")


def resident_slices(store: ArrayStore, *, skulls: bool = False, device: torch.device = CPU) -> ResidentSlices:
    heads = np.concatenate([heads_of(store.volume(entry.patient)) for entry in store.patients]) if skulls else None
    found = Skulls(heads, 5) if heads is not None else None
    return ResidentSlices.of(store, list(store.patients[1:3]), Preprocessing(), found, device)


def test_a_batch_is_the_slices_named_in_their_order(small_store: ArrayStore) -> None:
    wanted = np.array([9, 6, 9])
    batch = resident_slices(small_store).batch(wanted)
    np.testing.assert_array_equal(batch.images.permute(0, 2, 3, 1), small_store.images[wanted])
    np.testing.assert_array_equal(batch.masks[:, 0], small_store.masks[wanted])
    assert batch.heads is None
    assert batch.stripped_statistics is None


def test_each_slice_has_its_patients_statistics(small_store: ArrayStore) -> None:
    entries = small_store.patients[1:3]
    batch = resident_slices(small_store).batch(np.array([entry.start for entry in entries]))
    for row, entry in zip(batch.statistics, entries, strict=True):
        np.testing.assert_array_equal(row, intensity_statistics(small_store.volume(entry.patient), Preprocessing()))
    assert not torch.equal(batch.statistics[0], batch.statistics[1])


def test_heads_and_their_statistics_travel_with_the_slices(small_store: ArrayStore) -> None:
    entry = small_store.patients[2]
    slices = resident_slices(small_store, skulls=True)
    batch = slices.batch(np.array([entry.start + 1]))
    heads = heads_of(small_store.volume(entry.patient))
    assert batch.heads is not None
    assert batch.stripped_statistics is not None
    np.testing.assert_array_equal(batch.heads[0, 0], heads[1])
    expected = Skulls(small_store.masks[:0].astype(np.uint8), 5)
    expected = replace(expected, heads=np.concatenate([np.zeros_like(heads)] * 2 + [heads]))
    found = expected.statistics(small_store.volume(entry.patient), entry, Preprocessing())
    np.testing.assert_array_equal(batch.stripped_statistics[0], found)


def test_targets_travel_with_the_slices(small_store: ArrayStore) -> None:
    targets = np.random.default_rng(0).integers(0, 256, small_store.masks.shape, np.uint8)
    slices = ResidentSlices.of(small_store, list(small_store.patients[1:3]), Preprocessing(), None, CPU, targets)
    batch = slices.batch(np.array([9, 6, 9]))
    assert batch.targets is not None
    np.testing.assert_array_equal(batch.targets[:, 0], targets[[9, 6, 9]])
    assert resident_slices(small_store).batch(np.array([9])).targets is None


def test_a_processor_maps_the_store_and_copies_nothing(small_store: ArrayStore) -> None:
    slices = resident_slices(small_store)
    assert slices.images.data_ptr() == small_store.images.ctypes.data


def test_a_set_larger_than_its_share_of_the_gpu_stays_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = torch.device("cuda")
    for free_bytes, expected in ((1000, True), (999, False)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free_bytes: (free, 4000))
        assert resident.fits(500, gpu) is expected
    assert resident.fits(10**15, CPU)


def test_a_slice_comes_with_those_beside_it_and_never_with_another_patients(small_store: ArrayStore) -> None:
    first, last = small_store.patients[1].start, small_store.patients[1].stop - 1
    slices = ResidentSlices.of(small_store, list(small_store.patients[1:3]), Preprocessing(context=1), None, CPU)
    batch = slices.batch(np.array([first, first + 1, last]))
    seen = [[first, first, first + 1], [first + 1, first, first + 2], [last, last - 1, last]]
    expected = small_store.images[np.array(seen)].transpose(0, 1, 4, 2, 3).reshape(3, 9, *small_store.images.shape[1:3])
    np.testing.assert_array_equal(batch.images, expected)
