from dataclasses import replace
from pathlib import Path

import numpy as np

from glioseg.dataset.heads import BRAIN_BIT, DEEP_ENOUGH_PX, heads_of, open_heads, stored_head
from glioseg.dataset.store import ArrayStore, open_store
from glioseg.head.depth import head_depth_px
from glioseg.volume import Volume


def test_heads_of_the_store_are_those_of_its_patients_one_after_another(phantom_data: Path, tmp_path: Path) -> None:
    store = open_store(phantom_data, cache=tmp_path)
    heads = open_heads(store)
    assert heads.shape == store.masks.shape
    assert heads.dtype == np.uint8
    entry = store.patients[2]
    np.testing.assert_array_equal(heads[entry.start : entry.stop], heads_of(store.volume(entry.patient)))


def test_are_kept_and_mapped_the_second_time(phantom_data: Path, tmp_path: Path) -> None:
    store = open_store(phantom_data, cache=tmp_path)
    first = np.array(open_heads(store))
    (path,) = tmp_path.rglob("heads-*.u8")
    path.write_bytes(bytes(first.size))
    assert not open_heads(store).any()
    # A file cut short is found again.
    path.write_bytes(b"short")
    np.testing.assert_array_equal(open_heads(store), first)


def test_arrays_in_memory_need_no_file(store: ArrayStore) -> None:
    in_memory = replace(store, images=np.array(store.images))
    np.testing.assert_array_equal(open_heads(in_memory), open_heads(store))


def test_one_patients_head_is_sought_alone_or_taken_from_the_file(phantom_data: Path, tmp_path: Path) -> None:
    store = open_store(phantom_data, cache=tmp_path)
    entry = store.patients[1]
    alone = np.array(stored_head(store, entry.patient))
    assert not list(tmp_path.rglob("heads-*.u8"))
    np.testing.assert_array_equal(alone, open_heads(store)[entry.start : entry.stop])
    np.testing.assert_array_equal(alone, stored_head(store, entry.patient))
    (path,) = tmp_path.rglob("heads-*.u8")
    path.write_bytes(bytes(store.masks.size))
    assert not stored_head(store, entry.patient).any()


def test_depth_and_brain_share_a_byte() -> None:
    voxels = np.zeros((2, 100, 100, 3), np.uint8)
    voxels[:, 10:90, 10:90] = 120
    volume = Volume("P", voxels)
    heads, depth = heads_of(volume), head_depth_px(volume)
    np.testing.assert_array_equal(heads & (BRAIN_BIT - 1), depth)
    brain = heads & BRAIN_BIT != 0
    assert brain.any()
    assert not brain[depth < 7].any()


def test_where_no_brain_is_found_what_lies_deep_stands_for_it() -> None:
    voxels = np.zeros((2, 64, 64, 3), np.uint8)
    voxels[:, 10:54, 10:54] = 120
    volume = Volume("P", voxels)
    deep = head_depth_px(volume) >= DEEP_ENOUGH_PX
    assert deep.any()
    np.testing.assert_array_equal(heads_of(volume) & BRAIN_BIT != 0, deep)
