"""What nnU-Net is given and what it gives back."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from benchmarks.nnunet_files import DATASET, image_paths, nnunet_splits, read_voxels, write_mask_folder, write_raw

from glioseg.dataset.lgg import PatientFiles, find_patients, read_patient, write_patient
from glioseg.dataset.splits import Split
from glioseg.formats.masks import read_mask
from glioseg.volume import CHANNELS, Mask, Volume

PATIENT = "TCGA_CS_0001_19990101"
SHAPE = (3, 8, 6)


@pytest.fixture
def files(tmp_path: Path) -> PatientFiles:
    """A patient of three slices, numbered 9 to 11, so that the order of names is not that of slices."""
    chance = np.random.default_rng(0)
    names = tuple(f"{PATIENT}_{number}" for number in (9, 10, 11))
    volume = Volume(PATIENT, chance.integers(0, 256, (*SHAPE, len(CHANNELS)), np.uint8), slice_names=names)
    write_patient(tmp_path / "data", volume, Mask(PATIENT, chance.random(SHAPE) < 0.3, slice_names=names))
    return find_patients(tmp_path / "data")[0]


def test_nnunet_gets_each_channel_and_the_mask(files: PatientFiles, tmp_path: Path) -> None:
    write_raw([files], tmp_path / "raw")
    volume, mask = read_patient(files)
    assert mask is not None
    dataset = tmp_path / "raw" / DATASET
    for number, path in enumerate(image_paths(dataset, PATIENT)):
        np.testing.assert_array_equal(read_voxels(path), volume.voxels[..., number])
    np.testing.assert_array_equal(read_voxels(dataset / "labelsTr" / f"{PATIENT}.nii.gz"), mask.voxels)
    content = json.loads((dataset / "dataset.json").read_text())
    assert list(content["channel_names"].values()) == list(CHANNELS)
    assert content["numTraining"] == 1


def test_slices_lie_farther_apart_than_pixels(files: PatientFiles, tmp_path: Path) -> None:
    """nnU-Net cuts its 2d slices across the axis of the largest spacing."""
    write_raw([files], tmp_path / "raw")
    header = nibabel.load(image_paths(tmp_path / "raw" / DATASET, PATIENT)[0]).header
    assert header.get_data_shape() == SHAPE[::-1]
    assert np.argmax(header.get_zooms()) == 2


def test_a_mask_comes_back_on_the_slices_it_was_made_of(files: PatientFiles, tmp_path: Path) -> None:
    write_raw([files], tmp_path / "raw")
    write_mask_folder(tmp_path / "raw" / DATASET / "labelsTr" / f"{PATIENT}.nii.gz", files, tmp_path / "masks")
    found, (_, truth) = read_mask(tmp_path / "masks" / PATIENT), read_patient(files)
    assert truth is not None
    np.testing.assert_array_equal(found.voxels, truth.voxels)
    assert found.slice_names == truth.slice_names


def test_a_mask_of_another_number_of_slices_is_refused(files: PatientFiles, tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.zeros((6, 8, 2), np.uint8), np.eye(4))
    nibabel.save(image, tmp_path / "short.nii.gz")
    with pytest.raises(ValueError, match="zip"):
        write_mask_folder(tmp_path / "short.nii.gz", files, tmp_path / "masks")


def test_a_fold_never_trains_on_whom_it_tests() -> None:
    split = Split("fold 0 of 1", train=("b", "a"), validation=("c",), test=("d",))
    assert nnunet_splits([split]) == [{"train": ["a", "b"], "val": ["c"]}]
