import shutil
from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pytest

from glioseg.dataset.lgg import find_patients, read_patient
from glioseg.errors import GliosegError
from glioseg.evaluation.folders import score_folders
from glioseg.evaluation.mask_pairs import by_names_of
from glioseg.evaluation.scores import Scores, score_patient
from glioseg.formats.tif import read_mask_slice, write_mask_slice
from glioseg.volume import Mask

SHIFT = 3


@pytest.fixture
def predicted(few_slices: Path, tmp_path: Path) -> Path:
    """The truth as a prediction: masks without images, with a table beside them as predict leaves one."""
    root = tmp_path / "predicted"
    for path in few_slices.glob("*/*_mask.tif"):
        (root / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, root / path.parent.name)
    (root / "measurements.csv").write_text("patient\n")
    (root / "empty").mkdir()
    return root


def shift(root: Path) -> None:
    for path in root.glob("*/*_mask.tif"):
        write_mask_slice(path, np.roll(read_mask_slice(path), SHIFT, axis=1))


def first_mask(root: Path) -> Path:
    return sorted(root.glob("*/*_mask.tif"))[0]


def test_the_truth_scores_full_marks(predicted: Path, few_slices: Path) -> None:
    found = score_folders(predicted, few_slices)
    scores = found.scores
    assert (found.without_prediction, found.failures) == ((), {})
    assert [entry.patient for entry in scores.patients] == [files.patient for files in find_patients(few_slices)]
    assert [entry.values["dice"] for entry in scores.patients] == [1.0, 1.0, 1.0]
    assert all((entry.values["true_voxels"] or 0) > 0 for entry in scores.patients)


def test_shifted_masks_score_what_their_overlap_says(predicted: Path, few_slices: Path) -> None:
    shift(predicted)
    scores = score_folders(predicted, few_slices).scores
    for entry, files in zip(scores.patients, find_patients(few_slices), strict=True):
        truth = read_patient(files)[1]
        assert truth is not None
        moved = np.roll(truth.voxels, SHIFT, axis=2)
        dice = 2 * (moved & truth.voxels).sum() / (moved.sum() + truth.voxels.sum())
        assert 0 < dice < 1
        assert entry.values["dice"] == pytest.approx(dice)


@pytest.mark.parametrize("spacing_mm", [None, (5.0, 0.5, 0.5)])
def test_files_score_as_their_arrays_do(
    predicted: Path, few_slices: Path, spacing_mm: tuple[float, float, float] | None
) -> None:
    """Hospital, missing sequences and spacing included."""
    shift(predicted)
    scores = score_folders(predicted, few_slices, spacing_mm=spacing_mm).scores
    assert scores.spacing_mm == spacing_mm
    for entry, files in zip(scores.patients, find_patients(few_slices), strict=True):
        volume, truth = read_patient(files)
        assert truth is not None
        moved = Mask(files.patient, np.roll(truth.voxels, SHIFT, axis=2))
        site, missing = files.patient.split("_")[1], volume.missing
        assert entry == score_patient(moved, truth, site=site, missing_sequences=missing, spacing_mm=spacing_mm)


def test_patients_without_a_prediction_are_listed_and_not_scored(predicted: Path, few_slices: Path) -> None:
    names = [files.patient for files in find_patients(few_slices)]
    shutil.rmtree(predicted / names[1])
    found = score_folders(predicted, few_slices)
    assert [entry.patient for entry in found.scores.patients] == [names[0], names[2]]
    assert found.without_prediction == (names[1],)


def test_a_predicted_patient_without_truth_is_named_and_the_others_scored(predicted: Path, few_slices: Path) -> None:
    first_mask(predicted).parent.rename(predicted / "TCGA_XX_0000")
    found = score_folders(predicted, few_slices)
    assert [entry.values["dice"] for entry in found.scores.patients] == [1.0, 1.0]
    (why,) = found.failures.values()
    assert f"{predicted / 'TCGA_XX_0000'} has no truth in {few_slices}" in why


def test_where_no_predicted_patient_has_truth_it_is_refused(predicted: Path, few_slices: Path) -> None:
    for folder in sorted(path for path in predicted.iterdir() if path.is_dir()):
        folder.rename(predicted / f"{folder.name}_X")
    with pytest.raises(GliosegError, match="_X has no truth in"):
        score_folders(predicted, few_slices)


def the_failure(predicted: Path, few_slices: Path) -> str:
    """What is said of the first patient, while the other two are scored."""
    found = score_folders(predicted, few_slices)
    assert [entry.values["dice"] for entry in found.scores.patients] == [1.0, 1.0]
    assert list(found.failures) == [first_mask(predicted).parent.name]
    return found.failures[first_mask(predicted).parent.name]


def test_a_slice_without_its_mask_is_named(predicted: Path, few_slices: Path) -> None:
    lost = first_mask(predicted)
    lost.unlink()
    message = the_failure(predicted, few_slices)
    assert f"{lost} does not exist" in message
    assert "expected a mask for each of the 6 slices" in message
    assert "found 5" in message


def test_one_mask_of_another_size_is_named(predicted: Path, few_slices: Path) -> None:
    odd = sorted(first_mask(predicted).parent.iterdir())[2]
    write_mask_slice(odd, np.zeros((64, 32), np.bool_))
    message = the_failure(predicted, few_slices)
    assert "has another size" in message
    assert "expected (64, 64), found (64, 32)" in message


def test_masks_that_all_have_another_size_than_the_truth_are_refused(predicted: Path, few_slices: Path) -> None:
    for path in first_mask(predicted).parent.iterdir():
        write_mask_slice(path, np.zeros((32, 32), np.bool_))
    message = the_failure(predicted, few_slices)
    assert "have different shapes: expected (6, 64, 64) as in the truth, found (6, 32, 32)" in message


def test_a_damaged_mask_is_named(predicted: Path, few_slices: Path) -> None:
    path = first_mask(predicted)
    path.write_bytes(path.read_bytes()[:-1])
    assert f"{path.name} cannot be read as tif" in the_failure(predicted, few_slices)


def test_where_none_can_be_scored_the_reason_of_the_first_is_the_error(predicted: Path, few_slices: Path) -> None:
    for path in predicted.glob("*/*_mask.tif"):
        write_mask_slice(path, np.zeros((32, 32), np.bool_))
    with pytest.raises(GliosegError, match="have different shapes") as caught:
        score_folders(predicted, few_slices)
    assert (caught.value.expected, caught.value.found) == ("(6, 64, 64) as in the truth", "(6, 32, 32)")


@pytest.mark.parametrize("suffix", ["_mask.TIF", "_mask.tiff", "_MASK.tif"])
def test_masks_may_end_in_any_of_the_usual_ways_on_both_sides(predicted: Path, few_slices: Path, suffix: str) -> None:
    for path in [*predicted.glob("*/*_mask.tif"), *few_slices.glob("*/*_mask.tif")]:
        path.rename(path.with_name(path.name.replace("_mask.tif", suffix)))
    found = score_folders(predicted, few_slices)
    assert [entry.values["dice"] for entry in found.scores.patients] == [1.0, 1.0, 1.0]


def test_true_masks_need_no_images_beside_them(predicted: Path) -> None:
    assert [entry.values["dice"] for entry in score_folders(predicted, predicted).scores.patients] == [1.0, 1.0, 1.0]


LAYOUTS = {
    "flat": ("{p}_flair.nii.gz", "{p}_seg.nii.gz", "{p}_mask.nii.gz"),
    "a folder each": ("{p}/{p}_t2f.nii.gz", "{p}/{p}_seg.nii.gz", "{p}_mask.nii.gz"),
    "a folder each, plain names": ("{p}/flair.nii.gz", "{p}/mask.nii", "out/{p}_mask.nii.gz"),
    "images and labels": ("imagesTr/{p}_0000.nii.gz", "labelsTr/{p}.nii.gz", "{p}.nii.gz"),
    "bids": ("sub-{p}/anat/sub-{p}_FLAIR.nii.gz", "sub-{p}/anat/sub-{p}_dseg.nii.gz", "sub-{p}_mask.nii.gz"),
    "labels alone": (None, "truth/{p}.nii.gz", "{p}_mask.nrrd"),
    "pairs": ("{p}/flair.hdr", "{p}/seg.hdr", "{p}/mask.nrrd"),
}
AFFINE = np.array([[0, 0, -0.9, 70], [0, -0.8, 0, 50], [4, 0, 0, -20], [0, 0, 0, 1.0]])
"""(slice, row, column) of 4 x 0.8 x 0.9 mm, as axial slices."""


def save(path: Path, voxels: np.ndarray, affine: np.ndarray = AFFINE) -> None:
    """As NIfTI, or by its name as NRRD or a pair, axes (i, j, k) for (column, row, slice)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    by_file = affine[:, [2, 1, 0, 3]]
    if path.suffix == ".nrrd":
        header = {"space": "RAS", "space directions": by_file[:3, :3].T, "space origin": by_file[:3, 3]}
        nrrd.write(str(path), voxels.T.astype(np.uint8), header)
    elif path.suffix == ".hdr":
        nibabel.save(nibabel.Nifti1Pair(voxels.T.astype(np.uint8), by_file), path)
    else:
        nibabel.save(nibabel.Nifti1Image(voxels.T.astype(np.uint8), by_file), path)


def cube(rows: slice) -> np.ndarray:
    voxels = np.zeros((6, 20, 16), np.bool_)
    voxels[2:4, rows, 4:10] = True
    return voxels


@pytest.mark.parametrize("layout", LAYOUTS)
def test_files_of_any_layout_are_scored_in_their_own_millimetres(tmp_path: Path, layout: str) -> None:
    """A cube of 2 x 6 x 6 voxels, the prediction one row of 0.8 mm further: Dice 5/6, distance 0.8 mm."""
    scan, truth, mask = LAYOUTS[layout]
    for patient in ("P1", "P2"):
        if scan:
            save(tmp_path / "truth" / scan.format(p=patient), np.ones((6, 20, 16)))
        save(tmp_path / "truth" / truth.format(p=patient), cube(slice(5, 11)))
        save(tmp_path / "predicted" / mask.format(p=patient), cube(slice(6, 12)))
    found = score_folders(tmp_path / "predicted", tmp_path / "truth")
    assert found.failures == {}
    assert [entry.patient.removeprefix("sub-") for entry in found.scores.patients] == ["P1", "P2"]
    for entry in found.scores.patients:
        assert entry.values["dice"] == pytest.approx(5 / 6)
        assert entry.values["hd95_mm"] == pytest.approx(0.8)
    assert found.scores.spacing_mm == "own"
    assert Scores.from_json(found.scores.to_json()) == found.scores


def test_axes_in_another_order_are_the_same_mask(tmp_path: Path) -> None:
    save(tmp_path / "truth" / "P1_seg.nii.gz", cube(slice(5, 11)))
    turned = nibabel.load(tmp_path / "truth" / "P1_seg.nii.gz")
    order = nibabel.orientations.ornt_transform(
        nibabel.orientations.io_orientation(turned.affine), nibabel.orientations.axcodes2ornt("PSR")
    )
    (tmp_path / "predicted").mkdir()
    turned.as_reoriented(order).to_filename(tmp_path / "predicted" / "P1_mask.nii.gz")
    (entry,) = score_folders(tmp_path / "predicted", tmp_path / "truth").scores.patients
    assert (entry.values["dice"], entry.values["hd95_mm"]) == (1.0, 0.0)


def test_files_that_cannot_be_compared_are_named_and_the_others_scored(tmp_path: Path) -> None:
    moved = AFFINE.copy()
    moved[0, 3] += 9
    for patient in ("P1", "P2", "P3", "P4"):
        save(tmp_path / "truth" / f"{patient}_seg.nii.gz", cube(slice(5, 11)))
        save(tmp_path / "predicted" / f"{patient}_mask.nii.gz", cube(slice(5, 11)))
    save(tmp_path / "predicted" / "P2_mask.nii.gz", cube(slice(5, 11)), moved)
    save(tmp_path / "predicted" / "P3_mask.nii.gz", np.zeros((5, 20, 16)))
    (tmp_path / "predicted" / "P4_mask.nii.gz").write_bytes(b"no image")
    found = score_folders(tmp_path / "predicted", tmp_path / "truth")
    assert [entry.patient for entry in found.scores.patients] == ["P1"]
    assert "lie in different places" in found.failures["P2"]
    assert "different shapes" in found.failures["P3"]
    assert "no format that is read here" in found.failures["P4"]


def test_a_truth_that_is_no_mask_or_missing_costs_no_other_patient(tmp_path: Path) -> None:
    for patient in ("P1", "P2", "P3", "P4"):
        save(tmp_path / "truth" / f"{patient}_seg.nii.gz", cube(slice(5, 11)))
        save(tmp_path / "predicted" / f"{patient}_mask.nii.gz", cube(slice(5, 11)))
    save(tmp_path / "truth" / "P2_seg.nii.gz", np.arange(6 * 20 * 16).reshape(6, 20, 16) % 99)
    (tmp_path / "truth" / "P3_seg.nii.gz").write_bytes(b"no image")
    (tmp_path / "truth" / "P4_seg.nii.gz").unlink()
    found = score_folders(tmp_path / "predicted", tmp_path / "truth")
    assert [entry.patient for entry in found.scores.patients] == ["P1"]
    assert "is no mask of one tumour" in found.failures["P2"]
    assert "no format that is read here" in found.failures["P3"]
    assert "P4_mask.nii.gz has no truth" in found.failures["P4"]


def test_a_true_mask_of_several_labels_needs_to_be_told_which(tmp_path: Path) -> None:
    labels = cube(slice(5, 11)) * 4
    labels[2:4, 12:14] = 3
    save(tmp_path / "P1_seg.nii.gz", labels)
    save(tmp_path / "P1_mask.nii.gz", cube(slice(5, 11)))
    with pytest.raises(GliosegError, match="Name the values that are tumour with --labels"):
        score_folders(tmp_path / "P1_mask.nii.gz", tmp_path / "P1_seg.nii.gz")
    (entry,) = score_folders(tmp_path / "P1_mask.nii.gz", tmp_path / "P1_seg.nii.gz", labels=(4,)).scores.patients
    assert entry.values["dice"] == 1.0


def test_labels_are_not_ignored_where_the_truth_is_slices(predicted: Path, few_slices: Path) -> None:
    with pytest.raises(GliosegError, match="holds none of the labels 2"):
        score_folders(predicted, few_slices, labels=(2,))
    assert score_folders(predicted, few_slices, labels=(255,)).failures == {}


@pytest.mark.parametrize(
    ("predicted", "truth", "matched"),
    [
        (["A", "B"], ["A", "B"], ["A", "B"]),
        (["A_P1", "A_P2"], ["P1", "P2"], ["P1", "P2"]),
        (["P1", "P2"], ["A_P1", "A_P2"], ["A_P1", "A_P2"]),
        (["P1", "A_P1"], ["P1", "P2"], ["P1", "A_P1"]),
        (["A_P1", "B_P1"], ["P1", "P2"], ["A_P1", "B_P1"]),
        (["P1", "P2"], ["A_P1", "B_P1", "P2"], ["P1", "P2"]),
    ],
)
def test_names_are_matched_only_where_one_can_be_meant(
    predicted: list[str], truth: list[str], matched: list[str]
) -> None:
    assert list(by_names_of(truth, {name: Path(name) for name in predicted})) == matched


def test_the_runs_of_a_bids_session_are_scored_each_by_its_own_truth(tmp_path: Path) -> None:
    for run, rows in (("1", slice(5, 11)), ("2", slice(8, 14))):
        anat = f"sub-01/ses-1/anat/sub-01_ses-1_run-{run}"
        save(tmp_path / "truth" / f"{anat}_dseg.nii.gz", cube(rows))
        save(tmp_path / "predicted" / f"{anat}_label-tumor_mask.nii.gz", cube(rows))
    for side, name in (("truth", "run-1_dseg"), ("predicted", "label-tumor_mask")):
        save(tmp_path / side / f"sub-02/anat/sub-02_{name}.nii.gz", cube(slice(5, 11)))
    scores = score_folders(tmp_path / "predicted", tmp_path / "truth").scores
    assert {entry.patient: entry.values["dice"] for entry in scores.patients} == {
        "sub-01_ses-1_run-1": 1.0,
        "sub-01_ses-1_run-2": 1.0,
        "sub-02": 1.0,
    }
    (tmp_path / "truth/sub-01/ses-1/anat/sub-01_ses-1_run-2_dseg.nii.gz").unlink()
    found = score_folders(tmp_path / "predicted", tmp_path / "truth")
    assert [entry.patient for entry in found.scores.patients] == ["sub-01_ses-1_run-1", "sub-02"]
    assert "sub-01_ses-1_run-2_label-tumor_mask.nii.gz has no truth" in found.failures["sub-01_ses-1_run-2"]


def test_two_masks_of_one_patient_are_told(tmp_path: Path) -> None:
    for name in ("P1_seg.nii.gz", "P1_mask.nii.gz"):
        save(tmp_path / "truth" / name, cube(slice(5, 11)))
    save(tmp_path / "P1.nii.gz", cube(slice(5, 11)))
    with pytest.raises(GliosegError, match="P1 has 2 masks"):
        score_folders(tmp_path / "P1.nii.gz", tmp_path / "truth")


@pytest.mark.parametrize("place", ["nowhere", "measurements.csv", "empty"])
def test_a_place_without_masks_is_refused(predicted: Path, few_slices: Path, place: str) -> None:
    with pytest.raises(GliosegError, match=f"{place} holds no predicted masks"):
        score_folders(predicted / place, few_slices)


def test_a_truth_without_masks_is_refused(predicted: Path, few_slices: Path) -> None:
    for path in few_slices.glob("*/*_mask.tif"):
        path.unlink()
    with pytest.raises(GliosegError, match="has no mask"):
        score_folders(predicted, few_slices)


def test_what_lies_beside_the_masks_of_bids_derivatives_is_none(tmp_path: Path) -> None:
    stem = "sub-P1/ses-1/anat/sub-P1_ses-1"
    save(tmp_path / "truth" / f"{stem}_label-tumor_mask.nii.gz", cube(slice(5, 11)))
    for what, rows in {"mask": slice(5, 11), "desc-candidate_mask": slice(0, 4), "probseg": slice(0, 4)}.items():
        save(tmp_path / "predicted" / f"{stem}_label-tumor_{what}.nii.gz", cube(rows))
    (entry,) = score_folders(tmp_path / "predicted", tmp_path / "truth").scores.patients
    assert entry.values["dice"] == 1
