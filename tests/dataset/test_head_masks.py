from dataclasses import replace
from pathlib import Path

import numpy as np

from glioseg.dataset.head_masks import BRAIN_BIT, DEEP_ENOUGH_PX, head_masks_of, open_head_masks, stored_head_mask
from glioseg.dataset.store import ArrayStore, open_store
from glioseg.head.depth import head_depth_px
from glioseg.volume import Volume


def test_heads_of_the_store_are_those_of_its_patients_one_after_another(phantom_data: Path, tmp_path: Path) -> None:
    store = open_store(phantom_data, cache=tmp_path)
    head_masks = open_head_masks(store)
    assert head_masks.shape == store.masks.shape
    assert head_masks.dtype == np.uint8
    entry = store.patients[2]
    np.testing.assert_array_equal(head_masks[entry.start : entry.stop], head_masks_of(store.volume(entry.patient)))


def test_are_kept_and_mapped_the_second_time(phantom_data: Path, tmp_path: Path) -> None:
    store = open_store(phantom_data, cache=tmp_path)
    first = np.array(open_head_masks(store))
    (path,) = tmp_path.rglob("heads-*.u8")
    path.write_bytes(bytes(first.size))
    assert not open_head_masks(store).any()
    # A file cut short is found again.
    path.write_bytes(b"short")
    np.testing.assert_array_equal(open_head_masks(store), first)


def test_arrays_in_memory_need_no_file(store: ArrayStore) -> None:
    in_memory = replace(store, images=np.array(store.images))
    np.testing.assert_array_equal(open_head_masks(in_memory), open_head_masks(store))


def test_one_patients_head_is_sought_alone_or_taken_from_the_file(phantom_data: Path, tmp_path: Path) -> None:
    store = open_store(phantom_data, cache=tmp_path)
    entry = store.patients[1]
    alone = np.array(stored_head_mask(store, entry.patient))
    assert not list(tmp_path.rglob("heads-*.u8"))
    np.testing.assert_array_equal(alone, open_head_masks(store)[entry.start : entry.stop])
    np.testing.assert_array_equal(alone, stored_head_mask(store, entry.patient))
    (path,) = tmp_path.rglob("heads-*.u8")
    path.write_bytes(bytes(store.masks.size))
    assert not stored_head_mask(store, entry.patient).any()


def test_depth_and_brain_share_a_byte() -> None:
    voxels = np.zeros((2, 100, 100, 3), np.uint8)
    voxels[:, 10:90, 10:90] = 120
    volume = Volume("P", voxels)
    head_masks, depth = head_masks_of(volume), head_depth_px(volume)
    np.testing.assert_array_equal(head_masks & (BRAIN_BIT - 1), depth)
    brain = head_masks & BRAIN_BIT != 0
    assert brain.any()
    assert not brain[depth < 7].any()


def test_where_no_brain_is_found_what_lies_deep_stands_for_it() -> None:
    voxels = np.zeros((2, 64, 64, 3), np.uint8)
    voxels[:, 10:54, 10:54] = 120
    volume = Volume("P", voxels)
    deep = head_depth_px(volume) >= DEEP_ENOUGH_PX
    assert deep.any()
    np.testing.assert_array_equal(head_masks_of(volume) & BRAIN_BIT != 0, deep)
