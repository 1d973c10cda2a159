from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pytest

from glioseg.errors import GliosegError
from glioseg.files import visible_files
from glioseg.formats.cases import Case, FoundCases, case_of_files, group_cases, read_case, single_case
from glioseg.formats.readers import kind_by_name


def touch(root: Path, *names: str) -> Path:
    """Finding cases reads no file, so that empty ones do."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def find_cases(root: Path) -> FoundCases:
    """The patients of the folder's files by their names."""
    return group_cases(root, [path for path in visible_files(root) if kind_by_name(path.name)])


def understood(found: FoundCases, root: Path) -> dict[str, dict[str, str]]:
    return {
        case.patient: {sequence: str(file.relative_to(root)) for sequence, file in case.files.items()}
        for case in found.cases
    }


def test_a_folder_whose_file_names_tell_the_sequence_is_a_patient(tmp_path: Path) -> None:
    root = touch(tmp_path / "Patient 7", "AX FLAIR.nii.gz", "T1 AXIAL POST GAD.nii.gz", "T1 AX.nii.gz", "T2.nii.gz")
    found = find_cases(root)
    assert understood(found, root) == {
        "Patient 7": {"pre": "T1 AX.nii.gz", "flair": "AX FLAIR.nii.gz", "post": "T1 AXIAL POST GAD.nii.gz"}
    }
    assert found.cases[0].remarks == ()
    assert found.failures == {}


def test_brats_folders(tmp_path: Path) -> None:
    for number in (1, 2):
        folder = f"BraTS-GLI-0000{number}-000"
        touch(tmp_path, *(f"{folder}/{folder}-{end}.nii.gz" for end in ("t1n", "t1c", "t2w", "t2f", "seg")))
    found = find_cases(tmp_path)
    assert list(understood(found, tmp_path)) == ["BraTS-GLI-00001-000", "BraTS-GLI-00002-000"]
    first = understood(found, tmp_path)["BraTS-GLI-00001-000"]
    assert {sequence: name[-10:-7] for sequence, name in first.items()} == {"pre": "t1n", "flair": "t2f", "post": "t1c"}


def test_a_bids_dataset(tmp_path: Path) -> None:
    touch(tmp_path, "dataset_description.json")
    touch(tmp_path / "sub-01/anat", "sub-01_FLAIR.nii.gz", "sub-01_ce-gd_T1w.nii.gz", "sub-01_T1w.nii.gz")
    for session in ("ses-pre", "ses-post"):
        touch(tmp_path / f"sub-02/{session}/anat", f"sub-02_{session}_FLAIR.nii.gz", f"sub-02_{session}_T2w.nii.gz")
        touch(tmp_path / f"sub-02/{session}/dwi", f"sub-02_{session}_dwi.nii.gz")
    found = find_cases(tmp_path)
    assert {patient: sorted(files) for patient, files in understood(found, tmp_path).items()} == {
        "sub-01": ["flair", "post", "pre"],
        "sub-02_ses-post": ["flair"],
        "sub-02_ses-pre": ["flair"],
    }
    assert found.failures == {}


def test_several_patients_in_one_folder(tmp_path: Path) -> None:
    touch(tmp_path, "P1_flair.nii.gz", "P1_t1.nii.gz", "P2_flair.nrrd", "P2_t1ce.nii.gz", "P2_seg.nii.gz")
    assert understood(find_cases(tmp_path), tmp_path) == {
        "P1": {"flair": "P1_flair.nii.gz", "pre": "P1_t1.nii.gz"},
        "P2": {"flair": "P2_flair.nrrd", "post": "P2_t1ce.nii.gz"},
    }


def test_one_patients_t1_never_goes_to_anothers_flair(tmp_path: Path) -> None:
    touch(tmp_path, "P1_flair.nii.gz", "P2_t1.nii.gz")
    found = find_cases(tmp_path)
    assert understood(found, tmp_path) == {"P1": {"flair": "P1_flair.nii.gz"}}
    assert found.failures["P2"][0].startswith("patient P2 has no FLAIR")


def test_series_numbers_are_no_patients(tmp_path: Path) -> None:
    root = touch(tmp_path / "P1", "3_AX_FLAIR.nii.gz", "5_T1_POST.nii.gz", "series9_t1.nii.gz")
    assert sorted(understood(find_cases(root), root)["P1"]) == ["flair", "post", "pre"]


def test_equal_names_in_two_folders_stay_apart(tmp_path: Path) -> None:
    for hospital in ("A", "B"):
        touch(tmp_path / hospital, "P1_flair.nii.gz", "P2_flair.nii.gz")
    touch(tmp_path / "C", "brain_flair.nii.gz", "brain_t1.nii.gz")
    assert list(understood(find_cases(tmp_path), tmp_path)) == ["A_P1", "A_P2", "B_P1", "B_P2", "C"]


def test_a_folder_for_each_sequence(tmp_path: Path) -> None:
    touch(tmp_path, "P1/FLAIR/NIFTI/image.nii.gz", "P1/T1_POST/NIFTI/image.nii.gz", "P1/ADC/image.nii.gz")
    touch(tmp_path, "P2/FLAIR/FLAIR.nii.gz", "P2/T1/T1.nii.gz", "P2/MASK/MASK.nii.gz")
    found = find_cases(tmp_path)
    # NIFTI stands between the file and the folder that tells; ADC holds a file that tells nothing itself.
    assert understood(found, tmp_path)["P2"] == {"flair": "P2/FLAIR/FLAIR.nii.gz", "pre": "P2/T1/T1.nii.gz"}
    assert understood(found, tmp_path)["P1"] == {
        "flair": "P1/FLAIR/NIFTI/image.nii.gz",
        "post": "P1/T1_POST/NIFTI/image.nii.gz",
    }


def test_times_before_and_after_an_operation_are_not_contrast(tmp_path: Path) -> None:
    touch(tmp_path, "P1/pre/flair.nii.gz", "P1/post/flair.nii.gz", "P1/post/t1.nii.gz")
    assert understood(find_cases(tmp_path), tmp_path) == {
        "P1_post": {"flair": "P1/post/flair.nii.gz", "pre": "P1/post/t1.nii.gz"},
        "P1_pre": {"flair": "P1/pre/flair.nii.gz"},
    }


def test_hidden_files_masks_and_segmentations_are_not_scans(tmp_path: Path) -> None:
    touch(tmp_path, "flair.nii.gz", "._flair.nii.gz", ".cache/flair.nii.gz", "flair.seg.nrrd", "masks/P1_mask.nii.gz")
    found = find_cases(tmp_path)
    assert understood(found, tmp_path) == {tmp_path.name: {"flair": "flair.nii.gz"}}
    assert found.failures == {}


@pytest.mark.parametrize(
    "names",
    [
        ("flair.nii.gz", "flair_bias.nii.gz"),
        ("ax_flair.nii.gz", "sag_flair.nii.gz"),
        ("FLAIR_1mm.nii.gz", "FLAIR_5mm.nrrd"),
        ("sub-01_run-1_FLAIR.nii.gz", "sub-01_run-2_FLAIR.nii.gz"),
        ("P1_flair.nii.gz", "P1_flair.nii"),
    ],
)
def test_of_two_flairs_none_is_chosen(tmp_path: Path, names: tuple[str, ...]) -> None:
    touch(tmp_path / "bad", *names)
    touch(tmp_path / "good", "flair.nii.gz")
    found = find_cases(tmp_path)
    assert list(understood(found, tmp_path)) == ["good"]
    ((message, _),) = found.failures.values()
    assert all(name in message for name in names)
    assert "Name the one to use with --flair" in message


def test_two_of_another_sequence_are_as_ambiguous(tmp_path: Path) -> None:
    touch(tmp_path / "P1", "flair.nii.gz", "t1.nii.gz", "t1_2.nii.gz")
    found = find_cases(tmp_path)
    assert "t1.nii.gz, t1_2.nii.gz" in found.failures["P1"][0]
    assert "--pre" in found.failures["P1"][0]


def test_a_folder_of_names_that_tell_nothing_names_them(tmp_path: Path) -> None:
    touch(tmp_path / "P1", "image.nii.gz", "t1.nii.gz")
    found = find_cases(tmp_path)
    assert found.cases == ()
    assert "image.nii.gz" in found.failures["P1"][0]
    assert "--flair" in found.failures["P1"][0]


def test_a_file_that_tells_nothing_beside_a_flair_is_remarked(tmp_path: Path) -> None:
    touch(tmp_path / "P1", "image.nii.gz", "flair.nii.gz")
    (case,) = find_cases(tmp_path).cases
    assert case.files == {"flair": tmp_path / "P1/flair.nii.gz"}
    assert case.remarks == ("not used, since their names tell no sequence: image.nii.gz",)


@pytest.mark.parametrize(
    ("name", "patient", "remarked"),
    [("P1_flair.nii.gz", "P1", False), ("flair.nrrd", "folder", False), ("scan 9.nii", "scan 9", True)],
)
def test_a_single_file_is_a_case(tmp_path: Path, name: str, patient: str, remarked: bool) -> None:
    case = single_case(touch(tmp_path / "folder", name) / name)
    assert case.patient == patient
    assert list(case.files) == ["flair"]
    assert bool(case.remarks) is remarked


@pytest.mark.parametrize("name", ["P1_t1.nii.gz", "P1_t1ce.nii.gz", "P1_t2.nii.gz", "P1_seg.nii.gz"])
def test_a_single_file_of_another_sequence_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(GliosegError, match="by its name") as caught:
        single_case(touch(tmp_path, name) / name)
    assert "--flair" in str(caught.value.remedy)


def test_what_is_left_out_has_a_reason(tmp_path: Path) -> None:
    touch(tmp_path / "A", "flair.nii.gz", "t2.nii.gz", "seg.nii.gz", "x.nii.gz")
    touch(tmp_path / "B", "y.nii.gz", "mask.nii.gz")
    found = find_cases(tmp_path)
    assert understood(found, tmp_path) == {"A": {"flair": "A/flair.nii.gz"}}
    assert {str(path.relative_to(tmp_path)): why for path, why in found.left_out.items()} == {
        "A/t2.nii.gz": "other images",
        "A/seg.nii.gz": "masks",
        "A/x.nii.gz": "whose names tell no sequence",
        "B/mask.nii.gz": "masks",
    }
    assert found.failures["B_y"][1] == (tmp_path / "B/y.nii.gz",)


def test_named_files_need_no_telling_names(tmp_path: Path) -> None:
    touch(tmp_path, "a.nii.gz", "T1.nrrd", "t2.nii")
    a, t1, t2 = tmp_path / "a.nii.gz", tmp_path / "T1.nrrd", tmp_path / "t2.nii"
    assert case_of_files(a) == Case("a", {"flair": a})
    assert case_of_files(t1, post=t2, patient="P") == Case("P", {"flair": t1, "post": t2})
    with pytest.raises(GliosegError, match="given for two sequences"):
        case_of_files(a, pre=t1, post=t1)
    with pytest.raises(GliosegError, match=r"--post .*x\.nii does not exist"):
        case_of_files(a, post=tmp_path / "x.nii")
    with pytest.raises(GliosegError, match=r"--pre .* is a folder"):
        case_of_files(a, pre=tmp_path)


def test_files_are_read_by_content_whatever_their_suffix(tmp_path: Path) -> None:
    voxels = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    nibabel.save(nibabel.Nifti1Image(voxels.T, np.eye(4)), tmp_path / "a.nii")
    (tmp_path / "a.nii").rename(tmp_path / "flair.nrrd")
    nrrd.write(str(tmp_path / "b.nrrd"), voxels, index_order="C")
    scans = read_case(Case("P", {"flair": tmp_path / "flair.nrrd", "pre": tmp_path / "b.nrrd"}))
    assert {sequence: (scan.sequence, scan.patient) for sequence, scan in scans.items()} == {
        "flair": ("flair", "P"),
        "pre": ("pre", "P"),
    }
    assert all(np.array_equal(scan.voxels, voxels) for scan in scans.values())
