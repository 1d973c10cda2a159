import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

import glioseg.dataset.store as store_module
from glioseg.dataset.lgg import PatientFiles, find_patients, read_patient
from glioseg.dataset.store import ArrayStore, open_store
from glioseg.errors import GliosegError
from glioseg.formats.tif import write_mask_slice
from glioseg.volume import Mask, Volume

Spy = list[str]


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    """The patients whose files are read."""
    read: Spy = []

    def watched(files: PatientFiles) -> tuple[Volume, Mask | None]:
        read.append(files.patient)
        return read_patient(files)

    monkeypatch.setattr(store_module, "read_patient", watched)
    return read


@pytest.fixture
def data(phantom_data: Path, tmp_path: Path) -> Path:
    """Two of the practice patients, to be changed at will."""
    root = tmp_path / "data"
    for files in find_patients(phantom_data)[:2]:
        shutil.copytree(phantom_data / files.patient, root / files.patient)
    shutil.copy(phantom_data / "data.csv", root)
    return root


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_arrays_hold_what_the_reader_reads(phantom_data: Path, store: ArrayStore) -> None:
    patients = find_patients(phantom_data)
    assert [entry.patient for entry in store.patients] == [files.patient for files in patients]
    for files in patients:
        volume, mask = read_patient(files)
        assert mask is not None
        stored, stored_mask = store.volume(files.patient), store.mask(files.patient)
        assert np.array_equal(stored.voxels, volume.voxels)
        assert np.array_equal(stored_mask.voxels, mask.voxels)
        assert stored.slice_names == stored_mask.slice_names == volume.slice_names
        entry = store.entry(files.patient)
        assert entry.missing_sequences == volume.missing
        assert entry.clinical == files.clinical
        assert entry.site in files.patient.split("_")
    assert any(entry.missing_sequences for entry in store.patients)
    assert all(entry.clinical for entry in store.patients)


def test_the_patients_follow_one_another_without_a_gap(store: ArrayStore) -> None:
    starts = [entry.start for entry in store.patients]
    stops = [entry.stop for entry in store.patients]
    assert starts == [0, *stops[:-1]]
    assert stops[-1] == len(store.images) == len(store.masks)
    assert (store.images.dtype, store.masks.dtype) == (np.uint8, np.bool_)


def test_a_patient_who_is_not_there_is_a_key_error(store: ArrayStore) -> None:
    for ask in (store.entry, store.volume, store.mask):
        with pytest.raises(KeyError, match="nobody"):
            ask("nobody")


def test_the_second_opening_reads_no_image(data: Path, cache: Path, spy: Spy) -> None:
    first = open_store(data, cache=cache)
    assert spy == [entry.patient for entry in first.patients]
    again = open_store(data, cache=cache)
    assert len(spy) == 2
    assert again.patients == first.patients
    assert again.fingerprint == first.fingerprint
    assert np.array_equal(again.images, first.images)
    assert np.array_equal(again.masks, first.masks)


def test_every_name_of_a_folder_leads_to_the_same_arrays(
    data: Path, cache: Path, spy: Spy, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(data, cache=cache)
    monkeypatch.chdir(data)
    open_store(Path(), cache=cache)
    (data.parent / "link").symlink_to(data)
    open_store(data.parent / "link", cache=cache)
    assert len(spy) == 2


def test_the_cache_is_where_the_variable_says(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIOSEG_CACHE", str(tmp_path / "chosen"))
    open_store(data)
    (folder,) = (tmp_path / "chosen").iterdir()
    assert names(folder) == ["images.u8", "index.json", "masks.u8"]


def rewrite_mask(data: Path) -> None:
    path = sorted(data.glob("*/*_3_mask.tif"))[0]
    write_mask_slice(path, np.ones((64, 64), np.bool_))


def touch_picture(data: Path) -> None:
    path = sorted(data.glob("*/*_3.tif"))[0]
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))


def remove_patient(data: Path) -> None:
    shutil.rmtree(data / names(data)[0])


def rename_patient(data: Path) -> None:
    old = data / names(data)[0]
    for path in list(old.iterdir()):
        path.rename(path.with_name(path.name.replace("PHANTOM", "RENAMED")))
    old.rename(data / old.name.replace("PHANTOM", "RENAMED"))


def change_table(data: Path) -> None:
    (data / "data.csv").unlink()


CHANGES = (rewrite_mask, touch_picture, remove_patient, rename_patient, change_table)


@pytest.mark.parametrize("change", CHANGES)
def test_changed_data_are_read_again(data: Path, cache: Path, spy: Spy, change: Callable[[Path], None]) -> None:
    open_store(data, cache=cache)
    spy.clear()
    change(data)
    store = open_store(data, cache=cache)
    assert spy == [files.patient for files in find_patients(data)] == [entry.patient for entry in store.patients]
    for files in find_patients(data):
        volume, mask = read_patient(files)
        assert mask is not None
        assert np.array_equal(store.volume(files.patient).voxels, volume.voxels)
        assert np.array_equal(store.mask(files.patient).voxels, mask.voxels)
        assert store.entry(files.patient).clinical == files.clinical
    assert len(names(cache)) == 1


def test_the_fingerprint_tells_pixels_and_names_and_nothing_else(data: Path, cache: Path) -> None:
    fingerprints = [open_store(data, cache=cache).fingerprint]
    for change in (touch_picture, change_table, rewrite_mask, rename_patient, remove_patient):
        change(data)
        fingerprints.append(open_store(data, cache=cache).fingerprint)
    assert fingerprints[0] == fingerprints[1] == fingerprints[2]
    assert len(set(fingerprints)) == 4
    shutil.copytree(data, data.parent / "copy")
    assert open_store(data.parent / "copy", cache=cache).fingerprint == fingerprints[-1]


def remove_index(folder: Path) -> None:
    (folder / "index.json").unlink()


def spoil_index(folder: Path) -> None:
    (folder / "index.json").write_text("{")


def empty_index(folder: Path) -> None:
    signature = json.loads((folder / "index.json").read_text())["signature"]
    (folder / "index.json").write_text(json.dumps({"signature": signature}))


def remove_arrays(folder: Path) -> None:
    (folder / "images.u8").unlink()


def cut_arrays(folder: Path) -> None:
    with (folder / "masks.u8").open("r+b") as file:
        file.truncate(100)


@pytest.mark.parametrize("damage", [remove_index, spoil_index, empty_index, remove_arrays, cut_arrays])
def test_damaged_arrays_are_built_anew(data: Path, cache: Path, damage: Callable[[Path], None]) -> None:
    sound = open_store(data, cache=cache)
    images, masks = sound.images.copy(), sound.masks.copy()
    (folder,) = cache.iterdir()
    damage(folder)
    again = open_store(data, cache=cache)
    assert np.array_equal(again.images, images)
    assert np.array_equal(again.masks, masks)


def test_an_unfinished_build_leaves_nothing(data: Path, cache: Path, spy: Spy, monkeypatch: pytest.MonkeyPatch) -> None:
    cut = sorted(data.glob("*/*_3.tif"))[-1]
    whole = cut.read_bytes()
    cut.write_bytes(whole[:-100])
    with pytest.raises(GliosegError, match=cut.name):
        open_store(data, cache=cache)
    assert len(spy) == 2
    assert names(cache) == []
    cut.write_bytes(whole)
    assert len(open_store(data, cache=cache).patients) == 2


def test_a_failed_rebuild_keeps_the_arrays_of_another_folder(data: Path, cache: Path, spy: Spy) -> None:
    other = shutil.copytree(data, data.parent / "other")
    open_store(other, cache=cache)
    sorted(data.glob("*/*_3.tif"))[-1].write_bytes(b"")
    with pytest.raises(GliosegError):
        open_store(data, cache=cache)
    spy.clear()
    open_store(other, cache=cache)
    assert spy == []


def test_a_full_disk_is_an_error_with_a_remedy_and_leaves_nothing(
    data: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_module, "_write_arrays", full)
    with pytest.raises(GliosegError, match="No space left on device") as caught:
        open_store(data, cache=cache)
    assert "GLIOSEG_CACHE" in str(caught.value.remedy)
    assert names(cache) == []


def test_a_cache_that_cannot_be_a_folder_is_an_error_with_a_remedy(data: Path, cache: Path) -> None:
    cache.write_text("mine")
    with pytest.raises(GliosegError, match="cannot keep the arrays in") as caught:
        open_store(data, cache=cache)
    assert "GLIOSEG_CACHE" in str(caught.value.remedy)
    assert cache.read_text() == "mine"


def test_a_home_that_cannot_be_written_is_no_hindrance_and_no_noise(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    for name, value in {"HOME": "file", "XDG_CACHE_HOME": "file/cache", "TMPDIR": "temporary"}.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.delenv("GLIOSEG_CACHE")
    store_module._cache_of_this_process.cache_clear()
    first = open_store(data)
    (folder,) = (tmp_path / "temporary").glob("glioseg-*/*")
    inode = (folder / "images.u8").stat().st_ino
    assert open_store(data).fingerprint == first.fingerprint
    assert (folder / "images.u8").stat().st_ino == inode
    assert capfd.readouterr() == ("", "")
    store_module._cache_of_this_process.cache_clear()


def test_arrays_that_another_process_finishes_meanwhile_are_left_alone(
    data: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs that start together on new data must not take the arrays from under each other."""

    def meanwhile(files: PatientFiles) -> tuple[Volume, Mask | None]:
        monkeypatch.setattr(store_module, "read_patient", read_patient)
        open_store(data, cache=cache)
        (folder,) = (path for path in cache.iterdir() if not path.name.startswith("."))
        inodes.append((folder / "images.u8").stat().st_ino)
        return read_patient(files)

    inodes: list[int] = []
    monkeypatch.setattr(store_module, "read_patient", meanwhile)
    assert len(open_store(data, cache=cache).patients) == 2
    (folder,) = cache.iterdir()
    assert inodes == [(folder / "images.u8").stat().st_ino]


def test_patients_of_different_sizes_are_refused(data: Path, cache: Path) -> None:
    name = find_patients(data)[1].patient
    for path in (data / name).iterdir():
        tifffile.imwrite(path, tifffile.imread(path)[:, :-2], metadata=None)
    with pytest.raises(GliosegError, match="differs in size from the patients before it") as caught:
        open_store(data, cache=cache)
    assert str(data / name) in str(caught.value)
    assert (caught.value.expected, caught.value.found) == ("64x64", "64x62")
    assert names(cache) == []


def test_data_without_masks_are_refused(data: Path, cache: Path) -> None:
    for path in data.glob("*/*_mask.tif"):
        path.unlink()
    with pytest.raises(GliosegError, match="has no mask"):
        open_store(data, cache=cache)
    assert not cache.exists()


def test_what_is_written_to_the_arrays_never_reaches_the_files(data: Path, cache: Path) -> None:
    store = open_store(data, cache=cache)
    (folder,) = cache.iterdir()
    before = {name: (folder / name).read_bytes() for name in names(folder)}
    images, masks = store.images.copy(), store.masks.copy()
    store.images[:] = 255 - store.images
    store.masks[:] = ~store.masks
    store.volume(store.patients[0].patient).voxels[0] = 7
    del store
    assert {name: (folder / name).read_bytes() for name in names(folder)} == before
    again = open_store(data, cache=cache)
    assert np.array_equal(again.images, images)
    assert np.array_equal(again.masks, masks)
