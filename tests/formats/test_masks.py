"""Masks from every format on their own grid, and nothing taken for a mask that is none."""

from collections.abc import Callable
from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pytest
from numpy.typing import NDArray

from glioseg.errors import BadOptionError, GliosegError
from glioseg.formats.masks import find_masks, patient_of, read_mask
from glioseg.formats.tif import write_mask_slice

Writer = Callable[[Path, NDArray[np.generic]], Path]

AFFINE_XYZ = np.array([[-0.9, 0, 0, 80], [0, 0.8, 0, -60], [0, 0, 4, -20], [0, 0, 0, 1.0]])


def inside_xyz() -> NDArray[np.bool_]:
    """Another count along each axis, so that a wrong order of axes cannot pass; indices are the file's (i, j, k)."""
    voxels = np.zeros((9, 8, 5), np.bool_)
    voxels[2:6, 3:5, 1:4] = True
    return voxels


def write_nifti(path: Path, voxels: NDArray[np.generic]) -> Path:
    nibabel.save(nibabel.Nifti1Image(voxels, AFFINE_XYZ), path)
    return path


def write_nrrd(path: Path, voxels: NDArray[np.generic]) -> Path:
    """NRRD with LPS directions: x and y of the affine change their sign."""
    lps = np.diag([-1.0, -1.0, 1.0]) @ AFFINE_XYZ[:3]
    header = {"space": "left-posterior-superior", "space directions": lps[:, :3].T, "space origin": lps[:, 3]}
    nrrd.write(str(path), voxels, header)
    return path


@pytest.mark.parametrize(
    ("name", "write"), [("A_mask.nii.gz", write_nifti), ("A_seg.nii", write_nifti), ("A-label.nrrd", write_nrrd)]
)
@pytest.mark.parametrize("value", [1, 255])
def test_a_mask_comes_back_in_its_place(tmp_path: Path, name: str, write: Writer, value: int) -> None:
    path = write(tmp_path / name, (inside_xyz() * value).astype(np.uint8))
    mask = read_mask(path)
    assert mask.patient == "A"
    assert np.array_equal(mask.voxels, inside_xyz().transpose(2, 1, 0))
    assert mask.affine is not None
    assert mask.affine @ [1, 3, 2, 1] == pytest.approx(AFFINE_XYZ @ [2, 3, 1, 1])


def test_a_label_map_needs_to_be_told_what_is_tumour(tmp_path: Path) -> None:
    labels = inside_xyz().astype(np.uint8)
    labels[3, 3, 2], labels[4, 4, 2], labels[0, 0, 0] = 2, 4, 3
    path = write_nifti(tmp_path / "BraTS_seg.nii.gz", labels)
    with pytest.raises(GliosegError, match=r"no mask of one tumour: .* found values 0, 1, 2, 3, 4.*--labels 1,2,4"):
        read_mask(path)
    assert np.array_equal(read_mask(path, labels=(1, 2, 4)).voxels, inside_xyz().transpose(2, 1, 0))
    assert read_mask(path, labels=(4,)).voxels.sum() == 1
    with pytest.raises(GliosegError, match="none of the labels 7, 8"):
        read_mask(path, labels=(7, 8))


def test_an_empty_file_is_an_empty_mask_whatever_the_labels(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "A_mask.nii.gz", np.zeros((4, 3, 2), np.uint8))
    assert not read_mask(path).voxels.any()
    assert not read_mask(path, labels=(1,)).voxels.any()


def test_a_scan_or_a_probability_is_no_mask(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).random((60, 50, 40)).astype(np.float32)
    with pytest.raises(GliosegError, match=r"no mask of one tumour: .*found values .*, \.\.\."):
        read_mask(write_nifti(tmp_path / "flair.nii.gz", noise))


def test_a_value_that_few_voxels_have_is_not_missed(tmp_path: Path) -> None:
    """The first look at a large file is at some of its voxels only."""
    labels = np.zeros((60, 50, 40), np.uint8)
    labels[20:40], labels[7, 7, 7] = 1, 2
    with pytest.raises(GliosegError, match="found values 0, 1, 2"):
        read_mask(write_nifti(tmp_path / "A.nii.gz", labels))


def write_slices(folder: Path, voxels: NDArray[np.bool_], first: int = 1) -> Path:
    for number, inside in enumerate(voxels, start=first):
        write_mask_slice(folder / f"{folder.name}_{number}_mask.tif", inside)
    return folder


def test_slices_of_the_dataset_stand_by_number_and_have_no_place(tmp_path: Path) -> None:
    voxels = np.random.default_rng(0).random((12, 4, 3)) < 0.5
    mask = read_mask(write_slices(tmp_path / "TCGA_CS_1", voxels))
    assert np.array_equal(mask.voxels, voxels)
    assert mask.affine is None
    assert mask.patient == "TCGA_CS_1"
    assert mask.slice_names[:2] == ("TCGA_CS_1_1", "TCGA_CS_1_2")
    assert mask.slice_names[-1] == "TCGA_CS_1_12"


def test_labels_that_slices_cannot_hold_are_refused(tmp_path: Path) -> None:
    voxels = np.random.default_rng(0).random((3, 4, 3)) < 0.5
    folder = write_slices(tmp_path / "P", voxels)
    with pytest.raises(BadOptionError, match=r"P holds none of the labels 2, 4: expected 255.*Leave out --labels"):
        read_mask(folder, labels=(2, 4))
    assert np.array_equal(read_mask(folder, labels=(1, 255)).voxels, voxels)


def test_images_beside_the_masks_do_not_matter(few_slices: Path) -> None:
    folder = next(path for path in sorted(few_slices.iterdir()) if path.is_dir())
    mask = read_mask(folder)
    assert len(mask.voxels) == 6
    assert mask.voxels.any()


def test_a_missing_slice_is_named(tmp_path: Path) -> None:
    folder = write_slices(tmp_path / "P", np.zeros((5, 3, 3), np.bool_))
    (folder / "P_3_mask.tif").unlink()
    with pytest.raises(GliosegError, match=r"P lacks the mask of slice 3: expected slices 1 to 5"):
        read_mask(folder)


def test_slices_of_two_sizes_are_refused(tmp_path: Path) -> None:
    folder = write_slices(tmp_path / "P", np.zeros((3, 4, 4), np.bool_))
    write_mask_slice(folder / "P_2_mask.tif", np.zeros((4, 5), np.bool_))
    with pytest.raises(GliosegError, match=r"P_2_mask\.tif has another size"):
        read_mask(folder)


def test_a_folder_stands_for_all_its_masks(tmp_path: Path) -> None:
    write_slices(tmp_path / "out" / "B", np.zeros((2, 3, 3), np.bool_))
    write_nifti(tmp_path / "out" / "A_mask.nii.gz", inside_xyz().astype(np.uint8))
    write_nifti(tmp_path / "out" / "A_probability.nii.gz", inside_xyz().astype(np.float32))
    write_nrrd(tmp_path / "out" / "C_mask.nrrd", inside_xyz().astype(np.uint8))
    (tmp_path / "out" / "measurements.csv").write_text("patient\n")
    found = find_masks(tmp_path / "out")
    assert [path.name for path in found] == ["A_mask.nii.gz", "B", "C_mask.nrrd"]
    assert find_masks(found[0]) == [found[0]]
    assert find_masks(found[1]) == [found[1]]


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_a_path_without_masks_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(GliosegError, match=f"{name} holds no mask"):
        find_masks(tmp_path / name)


def test_another_format_is_named(tmp_path: Path) -> None:
    write_mask_slice(tmp_path / "A_1_mask.tif", np.zeros((4, 4), np.bool_))
    with pytest.raises(GliosegError, match=r"A_1_mask\.tif is no image of a single sequence.*found tif"):
        read_mask(tmp_path / "A_1_mask.tif")


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("A_mask.nii.gz", "A"),
        ("A.nii", "A"),
        ("A-seg.NII.GZ", "A"),
        ("A_1_segmentation.nrrd", "A_1"),
        ("mask.nii.gz", "mask"),
        ("BraTS-GLI-1-seg.nii.gz", "BraTS-GLI-1"),
    ],
)
def test_the_patient_stands_in_the_name(name: str, patient: str) -> None:
    assert patient_of(Path("folder") / name) == patient
