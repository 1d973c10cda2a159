from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pytest
from numpy.typing import NDArray

from glioseg.check.dataset_check import check_dataset, open_source
from glioseg.check.file_pairs import find_file_pairs
from glioseg.dataset.phantom import make_phantom

RAS = np.diag([0.9, 0.9, 5.0, 1.0])


def write(path: Path, voxels: NDArray[np.generic], affine: NDArray[np.float64] = RAS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(voxels, affine)
    image.set_sform(affine, code=1)
    nibabel.save(image, path)
    return path


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Two practice patients as FLAIR and mask, front towards +y, right-handed."""
    for seed in (1, 2):
        volume, mask = make_phantom(seed, size=48, slices=12)
        flair = volume.channel("flair").astype(np.float32) * 3.5
        for name, voxels in (("flair", flair), ("seg", mask.voxels.astype(np.uint8))):
            write(tmp_path / f"case{seed}_{name}.nii.gz", np.ascontiguousarray(voxels[:, ::-1].transpose(2, 1, 0)))
    return tmp_path


ARRANGEMENTS = {
    "flat": (
        ["case7_flair.nii.gz", "case7_seg.nii.gz", "case8_t1ce.nrrd"],
        {"case7": {"flair", "mask"}, "case8": {"post"}},
    ),
    "BraTS": (
        ["BraTS-GLI-00001-000/BraTS-GLI-00001-000-t1c.nii.gz", "BraTS-GLI-00001-000/BraTS-GLI-00001-000-seg.nii.gz"],
        {"BraTS-GLI-00001-000": {"post", "mask"}},
    ),
    "nnU-Net": (
        ["imagesTr/LGG_012_0000.nii.gz", "imagesTr/LGG_012_0001.nii.gz", "labelsTr/LGG_012.nii.gz"],
        {"LGG_012": {"channel 0", "channel 1", "mask"}},
    ),
    "numbers that are patients": (
        ["images/case_0001.nii.gz", "images/case_0002.nii.gz", "labels/case_0001.nii.gz"],
        {"case_0001": {"picture", "mask"}, "case_0002": {"picture"}},
    ),
    "a folder each": (["case7/flair.nii", "case7/seg.nii", "case7/t2.nii"], {"case7": {"flair", "mask", "t2"}}),
    "images and labels": (["images/case7.nii.gz", "labels/case7.nii.gz"], {"case7": {"picture", "mask"}}),
    "BIDS": (
        [
            "sub-01/anat/sub-01_ce-gd_T1w.nii.gz",
            "sub-01/anat/sub-01_T1w.nii.gz",
            "sub-01/anat/sub-01_T2w.nii.gz",
            "sub-01/anat/sub-01_desc-tumour_mask.nii.gz",
            "sub-01/ses-2/anat/sub-01_ses-2_acq-ax_FLAIR.nii.gz",
        ],
        {"sub-01": {"post", "pre", "t2w", "mask"}, "sub-01_ses-2": {"flair"}},
    ),
    "hidden": (
        ["case7_flair.nii.gz", "._case7_flair.nii.gz", ".x/case9_flair.nii.gz", "case8_flair.nii"],
        {
            "case7": {"flair"},
            "case8": {"flair"},
        },
    ),
}


@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_names_and_folders_tell_patient_and_role(tmp_path: Path, name: str) -> None:
    files, expected = ARRANGEMENTS[name]
    for place in files:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    found = find_file_pairs(tmp_path)
    assert {patient: set(sequences) for patient, sequences in found.files.items()} == expected
    assert found.extra == ()


def test_nrrd_scans_are_checked_as_nifti_are(pairs: Path) -> None:
    scan = find_file_pairs(pairs).read("case1").scan
    for name in ("flair", "seg"):
        image = nibabel.load(pairs / f"case1_{name}.nii.gz")
        header = {"space": "RAS", "space directions": image.affine[:3, :3].T, "space origin": image.affine[:3, 3]}
        nrrd.write(str(pairs / f"x_{name}.nrrd"), np.asarray(image.dataobj), header)
    other = find_file_pairs(pairs).read("x").scan
    assert scan is not None
    assert other is not None
    assert np.array_equal(other.images, scan.images)
    assert np.array_equal(other.masks, scan.masks)
    assert other.axes == scan.axes


def test_a_scan_is_read_with_its_front_up_and_scaled(pairs: Path) -> None:
    volume, mask = make_phantom(1, size=48, slices=12)
    source = find_file_pairs(pairs)
    assert source.patients == ("case1", "case2")
    reading = source.read("case1")
    scan = reading.scan
    assert scan is not None
    assert scan.axes == "RAS"
    assert scan.channels == ("flair",)
    assert np.array_equal(scan.masks, mask.voxels)
    correlation = np.corrcoef(scan.images[..., 0].ravel(), volume.channel("flair").ravel())[0, 1]
    assert correlation > 0.99
    assert {finding.code for finding in reading.findings} == {"sequence_missing"}


def test_axes_in_another_order_give_the_same_scan(pairs: Path) -> None:
    image = nibabel.load(pairs / "case1_flair.nii.gz")
    straight = find_file_pairs(pairs).read("case1").scan
    for name in ("flair", "seg"):
        path = pairs / f"case1_{name}.nii.gz"
        image = nibabel.load(path)
        turned = nibabel.orientations.axcodes2ornt(("P", "S", "L"))
        current = nibabel.orientations.io_orientation(image.affine)
        image.as_reoriented(nibabel.orientations.ornt_transform(current, turned)).to_filename(
            pairs / f"x_{name}.nii.gz"
        )
    scan = find_file_pairs(pairs).read("x").scan
    assert straight is not None
    assert scan is not None
    assert scan.axes == "PSL"
    assert np.array_equal(scan.images, straight.images)
    assert np.array_equal(scan.masks, straight.masks)


def test_what_is_wrong_with_the_files_is_found(pairs: Path) -> None:
    flair = nibabel.load(pairs / "case1_flair.nii.gz")
    voxels = np.asarray(flair.dataobj)
    moved = RAS.copy()
    moved[:3, 3] = 4
    write(pairs / "moved_flair.nii.gz", voxels)
    write(pairs / "moved_seg.nii.gz", np.ones(voxels.shape, np.uint8), moved)
    write(pairs / "small_flair.nii.gz", voxels)
    write(pairs / "small_seg.nii.gz", np.ones((9, 9, 9), np.uint8))
    write(pairs / "soft_flair.nii.gz", voxels)
    write(pairs / "soft_seg.nii.gz", voxels / voxels.max())
    write(pairs / "nan_flair.nii.gz", np.full(voxels.shape, np.nan, np.float32))
    write(pairs / "alone_flair.nii.gz", voxels)
    (pairs / "case2_flair.nii.gz").write_bytes(b"\x1f\x8bnothing")
    result = check_dataset(open_source(pairs))
    found = {(finding.patient, finding.code) for finding in result.findings}
    assert {
        ("moved", "geometry_differs"),
        ("small", "mask_size"),
        ("soft", "mask_not_binary"),
        ("nan", "picture_form"),
        ("nan", "patient_unreadable"),
        ("alone", "mask_missing"),
        ("case2", "file_unreadable"),
    } <= found


def test_a_patient_whose_axes_run_otherwise_is_named(pairs: Path) -> None:
    voxels = np.asarray(nibabel.load(pairs / "case1_flair.nii.gz").dataobj)
    for name in "abc":
        write(pairs / f"{name}_flair.nii.gz", voxels)
    write(pairs / "mirrored_flair.nii.gz", voxels, np.diag([-0.9, 0.9, 5.0, 1.0]))
    result = check_dataset(open_source(pairs))
    turned = [finding for finding in result.findings if finding.code == "orientation_differs"]
    assert [(finding.patient, finding.evidence["axes"]) for finding in turned] == [("mirrored", "LAS")]
