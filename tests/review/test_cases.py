import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from pydicom.uid import generate_uid
from reading import write_predictions
from synthetic_dicom import head, write_series

from glioseg.commands.review import open_desk
from glioseg.errors import GliosegError
from glioseg.formats.masks import read_mask
from glioseg.formats.nifti import write_nifti_mask
from glioseg.patients.tif_patient import TifPatient
from glioseg.review.cases import Cases, Facts, Origin, ReviewCase, by_need, find_review_cases
from glioseg.review.runs import as_list, runs_of
from glioseg.review.store import Stroke

NOWHERE = TifPatient(Path())


def order(*cases: ReviewCase) -> list[str]:
    return [case.patient for case in by_need(cases).values()]


def test_what_needs_eyes_most_comes_first() -> None:
    assert order(
        ReviewCase("sure", NOWHERE, Facts(voxels=9, expected_dice=0.9)),
        ReviewCase("remarked", NOWHERE, Facts(voxels=9, expected_dice=0.9, remarks=("Unlike training.",))),
        ReviewCase("unsure", NOWHERE, Facts(voxels=9, expected_dice=0.4)),
        ReviewCase("doubtful", NOWHERE, Facts(voxels=9, expected_dice=0.95, presence="doubtful")),
        ReviewCase("lost", None, Facts(voxels=0), problem="The scan was not found."),
        ReviewCase("nothing found", NOWHERE, Facts(voxels=0, presence="none")),
    ) == ["doubtful", "nothing found", "unsure", "remarked", "sure", "lost"]


def test_scans_that_have_moved_are_named(masks: Path, tmp_path: Path) -> None:
    (tmp_path / "scans").rename(tmp_path / "elsewhere")
    with pytest.raises(GliosegError, match="Give it with --scans"):
        find_review_cases(masks)
    found = find_review_cases(masks, tmp_path / "elsewhere")
    assert [case.problem for case in found.cases.values()] == [None]
    with pytest.raises(GliosegError, match="were not found"):
        find_review_cases(masks, tmp_path / "nowhere")


@pytest.mark.parametrize(
    "content", ["", '{"patients": [{', "[]", '{"patients": [[]], "inputs": []}', '{"scripts": {}}']
)
def test_a_damaged_record_of_the_run_is_named(masks: Path, content: str) -> None:
    (masks / "run.json").write_text(content)
    with pytest.raises(GliosegError, match=r"run\.json cannot be read: .*Predict again"):
        find_review_cases(masks)


def test_a_patient_whose_scan_is_missing_is_listed_with_the_reason(masks: Path) -> None:
    record = json.loads((masks / "run.json").read_text())
    record["patients"].append({**record["patients"][0], "patient": "B"})
    record["failures"] = {"C": "it was damaged"}
    (masks / "run.json").write_text(json.dumps(record))
    desk = open_desk(masks)
    problems = {entry["patient"]: entry["problem"] for entry in desk.queue()["cases"]}
    assert problems["A"] is None
    assert "--scans" in problems["B"]
    assert problems["C"] == "it was damaged"
    desk.close()


def test_a_candidate_that_was_taken_for_no_tumour_is_offered(masks: Path) -> None:
    record = json.loads((masks / "run.json").read_text())
    record["patients"][0] |= {"presence": "none", "files": ["A_mask.nii.gz", "A_candidate.nii.gz"]}
    (masks / "run.json").write_text(json.dumps(record))
    found = read_mask(masks / "A_mask.nii.gz")
    write_nifti_mask(masks / "A_candidate.nii.gz", found)
    write_nifti_mask(masks / "A_mask.nii.gz", replace(found, voxels=np.zeros_like(found.voxels)))
    desk = open_desk(masks)
    ((case_id, case),) = desk.cases.cases.items()
    assert case.facts.is_doubtful
    assert "can be taken" in case.facts.remarks[0]
    kept = desk.strokes(case_id)
    assert kept["prediction"] == []
    assert kept["candidate"] == as_list(runs_of(found.voxels))
    desk.draw(case_id, 0, Stroke("stroke-0001", "candidate", added=kept["candidate"]))
    assert desk.decide(case_id, 1, "accepted", "", 0.0)[0] == "corrected"
    desk.close()
    assert np.array_equal(read_mask(masks / "review" / "shared" / "A_mask.nii.gz").voxels, found.voxels)


def test_the_datasets_own_masks_are_read_and_never_written(few_slices: Path) -> None:
    before = {path: path.read_bytes() for path in few_slices.rglob("*.tif")}
    desk = open_desk(few_slices)
    case_id = next(iter(desk.cases.cases))
    told = desk.describe(case_id)
    assert told["labels"] == {"prediction": "given mask"}
    assert told["probability"] is None
    assert "--probabilities" in told["no_probability"]
    source = desk.case(case_id).source
    assert source is not None
    assert np.array_equal(desk.mask(case_id)[1], source.read_mask(few_slices).voxels)
    desk.decide(case_id, 0, "accepted", "", 0.0)
    desk.close()
    assert {path: path.read_bytes() for path in before} == before


def test_scans_without_masks_begin_empty(few_slices: Path) -> None:
    for path in few_slices.rglob("*_mask.tif"):
        path.unlink()
    desk = open_desk(few_slices)
    case_id = next(iter(desk.cases.cases))
    assert not desk.mask(case_id)[1].any()
    assert desk.describe(case_id)["labels"] == {"prediction": "nothing yet"}
    desk.close()


def test_masks_of_another_program_need_the_scans(few_slices: Path, tmp_path: Path) -> None:
    write_predictions(tmp_path / "masks", few_slices)
    (tmp_path / "masks" / "run.json").unlink()
    with pytest.raises(GliosegError, match="--scans"):
        find_review_cases(tmp_path / "masks")
    assert len(find_review_cases(tmp_path / "masks", few_slices).cases) == 3


def test_the_out_of_fold_masks_of_a_study(few_slices: Path, tmp_path: Path) -> None:
    patients = sorted(path.name for path in few_slices.iterdir() if path.is_dir())
    inside = np.zeros((6, 64, 64), np.bool_)
    inside[2, 20:30, 20:30] = True
    run = tmp_path / "study" / "runs" / "unet"
    run.mkdir(parents=True)
    np.savez_compressed(run / "masks.npz", **{patients[0]: inside})
    with pytest.raises(GliosegError, match="--scans"):
        find_review_cases(tmp_path / "study")
    desk = open_desk(tmp_path / "study", scans=few_slices)
    (case_id,) = desk.cases.cases
    assert np.array_equal(desk.mask(case_id)[1], inside)
    desk.close()


def test_a_mask_that_does_not_fit_its_scan_is_refused(
    scans_of: Callable[[str], Path], masks: Path, few_slices: Path
) -> None:
    shutil.copy(masks / "A_mask.nii.gz", masks / "kept.nii.gz")
    import nibabel

    nibabel.save(nibabel.Nifti1Image(np.zeros((3, 4, 5), np.uint8), np.eye(4)), masks / "A_mask.nii.gz")
    desk = open_desk(masks)
    (case_id,) = desk.cases.cases
    with pytest.raises(GliosegError, match="does not fit the scan"):
        desk.open(case_id)
    shutil.copy(masks / "kept.nii.gz", masks / "A_mask.nii.gz")
    assert desk.open(case_id).prediction.any()
    desk.close()


def test_an_earlier_examination_is_found(few_slices: Path) -> None:
    first = sorted(path for path in few_slices.iterdir() if path.is_dir())[0]
    later = first.with_name(f"{first.name.rsplit('_', 1)[0]}_20300102")
    later.mkdir()
    for path in first.iterdir():
        shutil.copy(path, later / path.name.replace(first.name, later.name))
    cases = find_review_cases(few_slices)
    by_name = {case.patient: case for case in cases.cases.values()}
    assert cases.earlier(by_name[later.name]) == by_name[first.name]
    assert cases.earlier(by_name[first.name]) is None
    assert by_name[later.name].visit.when == "2030-01-02"


def test_of_the_runs_of_an_earlier_session_the_first_lies_beside_the_later_ones() -> None:
    names = ("sub-1_ses-1_run-2", "sub-1_ses-1_run-1", "sub-1_ses-2_run-1", "sub-1_ses-2_run-2")
    found = {name: ReviewCase(name, NOWHERE) for name in names}
    cases = Cases(Path(), {case.id: case for case in found.values()}, cast(Origin, None))
    earlier = [cases.earlier(found[name]) for name in names]
    assert earlier == [None, None, found["sub-1_ses-1_run-1"], found["sub-1_ses-1_run-1"]]


def test_an_earlier_examination_is_found_by_the_headers_of_dicom(tmp_path: Path) -> None:
    for patient, day in [("P1", "20200102"), ("P2", "20200601"), ("P1", "20210102")]:
        of = {"PatientID": patient, "StudyDate": day, "StudyInstanceUID": generate_uid()}
        write_series(tmp_path / "scans" / f"{patient}-{day}", head(), SeriesDescription="FLAIR", **of)
    write_predictions(tmp_path / "masks", tmp_path / "scans")
    cases = find_review_cases(tmp_path / "masks")
    found = {case.visit.when: cases.earlier(case) for case in cases.cases.values()}
    assert {day: None if case is None else case.visit.when for day, case in found.items()} == {
        "2020-01-02": None,
        "2020-06-01": None,
        "2021-01-02": "2020-01-02",
    }


@pytest.mark.parametrize("name", ["../x", "a/b", "", "shared", "x" * 40, ".hidden", "a b"])
def test_a_reader_whose_name_is_no_folder_is_refused(masks: Path, name: str) -> None:
    with pytest.raises(GliosegError, match="cannot name a reading"):
        open_desk(masks, reader=name)


def test_a_folder_with_nothing_to_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match="holds nothing to read"):
        find_review_cases(tmp_path)
    with pytest.raises(GliosegError, match="is no folder"):
        find_review_cases(tmp_path / "nowhere")
