from dataclasses import replace

import numpy as np
import pytest
import torch

from glioseg.dataset.head_masks import head_masks_of
from glioseg.dataset.store import ArrayStore
from glioseg.inference.preprocessing import Preprocessing, intensity_statistics
from glioseg.training import device_cache
from glioseg.training.device_cache import DeviceCachedSlices, SkullStripping

CPU = torch.device("cpu")


def cached_slices(
    store: ArrayStore, *, skull_stripping: bool = False, device: torch.device = CPU
) -> DeviceCachedSlices:
    head_masks = (
        np.concatenate([head_masks_of(store.volume(entry.patient)) for entry in store.patients])
        if skull_stripping
        else None
    )
    found = SkullStripping(head_masks, 5) if head_masks is not None else None
    return DeviceCachedSlices.of(store, list(store.patients[1:3]), Preprocessing(), found, device)


def test_a_batch_is_the_slices_named_in_their_order(small_store: ArrayStore) -> None:
    wanted = np.array([9, 6, 9])
    batch = cached_slices(small_store).batch(wanted)
    np.testing.assert_array_equal(batch.images.permute(0, 2, 3, 1), small_store.images[wanted])
    np.testing.assert_array_equal(batch.masks[:, 0], small_store.masks[wanted])
    assert batch.head_masks is None
    assert batch.stripped_statistics is None


def test_each_slice_has_its_patients_statistics(small_store: ArrayStore) -> None:
    entries = small_store.patients[1:3]
    batch = cached_slices(small_store).batch(np.array([entry.start for entry in entries]))
    for row, entry in zip(batch.statistics, entries, strict=True):
        np.testing.assert_array_equal(row, intensity_statistics(small_store.volume(entry.patient), Preprocessing()))
    assert not torch.equal(batch.statistics[0], batch.statistics[1])


def test_heads_and_their_statistics_travel_with_the_slices(small_store: ArrayStore) -> None:
    entry = small_store.patients[2]
    slices = cached_slices(small_store, skull_stripping=True)
    batch = slices.batch(np.array([entry.start + 1]))
    head_masks = head_masks_of(small_store.volume(entry.patient))
    assert batch.head_masks is not None
    assert batch.stripped_statistics is not None
    np.testing.assert_array_equal(batch.head_masks[0, 0], head_masks[1])
    expected = SkullStripping(small_store.masks[:0].astype(np.uint8), 5)
    expected = replace(expected, head_masks=np.concatenate([np.zeros_like(head_masks)] * 2 + [head_masks]))
    found = expected.statistics(small_store.volume(entry.patient), entry, Preprocessing())
    np.testing.assert_array_equal(batch.stripped_statistics[0], found)


def test_targets_travel_with_the_slices(small_store: ArrayStore) -> None:
    targets = np.random.default_rng(0).integers(0, 256, small_store.masks.shape, np.uint8)
    slices = DeviceCachedSlices.of(small_store, list(small_store.patients[1:3]), Preprocessing(), None, CPU, targets)
    batch = slices.batch(np.array([9, 6, 9]))
    assert batch.targets is not None
    np.testing.assert_array_equal(batch.targets[:, 0], targets[[9, 6, 9]])
    assert cached_slices(small_store).batch(np.array([9])).targets is None


def test_a_processor_maps_the_store_and_copies_nothing(small_store: ArrayStore) -> None:
    slices = cached_slices(small_store)
    assert slices.images.data_ptr() == small_store.images.ctypes.data


def test_a_set_larger_than_its_share_of_the_gpu_stays_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = torch.device("cuda")
    for free_bytes, expected in ((1000, True), (999, False)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free_bytes: (free, 4000))
        assert device_cache.fits(500, gpu) is expected
    assert device_cache.fits(10**15, CPU)


def test_a_slice_comes_with_those_beside_it_and_never_with_another_patients(small_store: ArrayStore) -> None:
    first, last = small_store.patients[1].start, small_store.patients[1].stop - 1
    slices = DeviceCachedSlices.of(small_store, list(small_store.patients[1:3]), Preprocessing(context=1), None, CPU)
    batch = slices.batch(np.array([first, first + 1, last]))
    seen = [[first, first, first + 1], [first + 1, first, first + 2], [last, last - 1, last]]
    expected = small_store.images[np.array(seen)].transpose(0, 1, 4, 2, 3).reshape(3, 9, *small_store.images.shape[1:3])
    np.testing.assert_array_equal(batch.images, expected)


def test_the_slice_after_a_patients_last_is_the_last_itself(small_store: ArrayStore) -> None:
    first, last = small_store.patients[1].start, small_store.patients[1].stop - 1
    entries = list(small_store.patients[1:3])
    after = DeviceCachedSlices.of(small_store, entries, Preprocessing(), None, CPU, with_next=True).batch(
        np.array([first, last])
    )
    assert after.next_slices is not None
    expected = small_store.images[[first + 1, last]].transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(after.next_slices.images, expected)
    np.testing.assert_array_equal(after.next_slices.masks[:, 0], small_store.masks[[first + 1, last]])
    assert cached_slices(small_store).batch(np.array([first])).next_slices is None
