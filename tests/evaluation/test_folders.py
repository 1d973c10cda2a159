import shutil
from pathlib import Path

import numpy as np
import pytest

from glioseg.dataset.lgg import find_patients, read_patient
from glioseg.errors import GliosegError
from glioseg.evaluation.folders import score_folders
from glioseg.evaluation.scores import score_patient
from glioseg.formats.tif import read_mask_slice, write_mask_slice
from glioseg.volume import Mask

SHIFT = 3


@pytest.fixture
def predicted(few_slices: Path, tmp_path: Path) -> Path:
    """The truth as a prediction: masks without pictures, with a table beside them as predict leaves one."""
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
    scores, without = score_folders(predicted, few_slices)
    assert without == []
    assert [entry.patient for entry in scores.patients] == [files.patient for files in find_patients(few_slices)]
    assert [entry.values["dice"] for entry in scores.patients] == [1.0, 1.0, 1.0]
    assert all((entry.values["true_voxels"] or 0) > 0 for entry in scores.patients)


def test_shifted_masks_score_what_their_overlap_says(predicted: Path, few_slices: Path) -> None:
    shift(predicted)
    scores, _ = score_folders(predicted, few_slices)
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
    scores, _ = score_folders(predicted, few_slices, spacing_mm=spacing_mm)
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
    scores, without = score_folders(predicted, few_slices)
    assert [entry.patient for entry in scores.patients] == [names[0], names[2]]
    assert without == [names[1]]


def test_a_predicted_patient_without_truth_is_refused(predicted: Path, few_slices: Path) -> None:
    first_mask(predicted).parent.rename(predicted / "TCGA_XX_0000")
    with pytest.raises(GliosegError, match="TCGA_XX_0000 has no truth in") as caught:
        score_folders(predicted, few_slices)
    assert str(few_slices) in str(caught.value)


def test_a_slice_without_its_mask_is_named(predicted: Path, few_slices: Path) -> None:
    lost = first_mask(predicted)
    lost.unlink()
    with pytest.raises(GliosegError, match="does not exist") as caught:
        score_folders(predicted, few_slices)
    assert str(lost) in str(caught.value)
    assert caught.value.found == "5"


def test_one_mask_of_another_size_is_named(predicted: Path, few_slices: Path) -> None:
    odd = sorted(first_mask(predicted).parent.iterdir())[2]
    write_mask_slice(odd, np.zeros((64, 32), np.bool_))
    with pytest.raises(GliosegError, match="has another size") as caught:
        score_folders(predicted, few_slices)
    assert (caught.value.expected, caught.value.found) == ("(64, 64)", "(64, 32)")
    assert odd.parent.name in str(caught.value)


def test_masks_that_all_have_another_size_than_the_truth_are_refused(predicted: Path, few_slices: Path) -> None:
    for path in predicted.glob("*/*_mask.tif"):
        write_mask_slice(path, np.zeros((32, 32), np.bool_))
    with pytest.raises(GliosegError, match="have different shapes") as caught:
        score_folders(predicted, few_slices)
    assert (caught.value.expected, caught.value.found) == ("(6, 64, 64) as in the truth", "(6, 32, 32)")


def test_a_damaged_mask_is_named(predicted: Path, few_slices: Path) -> None:
    path = first_mask(predicted)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(GliosegError, match=f"{path.name} cannot be read as tif"):
        score_folders(predicted, few_slices)


@pytest.mark.parametrize("place", ["nowhere", "measurements.csv", "empty"])
def test_a_place_without_masks_is_refused(predicted: Path, few_slices: Path, place: str) -> None:
    with pytest.raises(GliosegError, match=f"{place} holds no predicted masks"):
        score_folders(predicted / place, few_slices)


def test_a_truth_without_masks_is_refused(predicted: Path, few_slices: Path) -> None:
    for path in few_slices.glob("*/*_mask.tif"):
        path.unlink()
    with pytest.raises(GliosegError, match="has no mask"):
        score_folders(predicted, few_slices)
