from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from bids_data import write_image, write_text

from glioseg.bids.choice import find_bids_patients
from glioseg.bids.layout import BidsDataset
from glioseg.bids.patient import BidsPatient
from glioseg.patients.found import FoundPatients

ANAT = "sub-01/anat"


def find(root: Path, shapes: Mapping[str, tuple[int, ...]]) -> FoundPatients:
    """What is found among images of these names and shapes."""
    for name, shape in shapes.items():
        write_image(root / ANAT / name, np.zeros(shape))
    return find_bids_patients(BidsDataset(root, require_description=False))


def cubes(*names: str) -> dict[str, tuple[int, ...]]:
    return {f"sub-01_{name}.nii.gz": (3, 4, 5) for name in names}


def chosen(found: FoundPatients) -> dict[str, dict[str, str]]:
    """By patient the name of the file of each sequence, without what all have in common."""
    patients = [one for one in found.sources if isinstance(one, BidsPatient)]
    return {
        one.patient: {
            sequence: path.name.removeprefix("sub-01_").removesuffix(".nii.gz")
            for sequence, path in one.case.files.items()
        }
        for one in patients
    }


def test_a_flair_with_t1_before_and_after_contrast(tmp_path: Path) -> None:
    found = find(tmp_path, cubes("FLAIR", "T1w", "ce-gd_T1w", "T2w"))
    assert chosen(found) == {"sub-01": {"flair": "FLAIR", "pre": "T1w", "post": "ce-gd_T1w"}}
    assert found.failures == {}
    assert [(path.name, why) for path, why in found.left_out.items()] == [("sub-01_T2w.nii.gz", "other images")]


def test_each_run_takes_the_t1_of_its_run(tmp_path: Path) -> None:
    found = find(tmp_path, cubes("run-1_FLAIR", "run-2_FLAIR", "run-1_T1w", "run-2_T1w", "ce-gd_run-2_T1w"))
    assert chosen(found) == {
        "sub-01_run-1": {"flair": "run-1_FLAIR", "pre": "run-1_T1w", "post": "ce-gd_run-2_T1w"},
        "sub-01_run-2": {"flair": "run-2_FLAIR", "pre": "run-2_T1w", "post": "ce-gd_run-2_T1w"},
    }
    assert [one.case.remarks for one in found.sources if isinstance(one, BidsPatient)] == [(), ()]


def test_of_several_that_fit_alike_the_first_is_taken_and_told(tmp_path: Path) -> None:
    found = find(tmp_path, cubes("FLAIR", "acq-b_T1w", "acq-a_T1w"))
    assert chosen(found)["sub-01"]["pre"] == "acq-a_T1w"
    (patient,) = found.sources
    assert isinstance(patient, BidsPatient)
    assert "acq-b_T1w.nii.gz), sub-01_acq-a_T1w.nii.gz is taken" in patient.case.remarks[0]


def test_a_t1_that_two_runs_share_counts_for_both(tmp_path: Path) -> None:
    """Whether an examination is to be done again is told from its files: a T1 that changes concerns both."""
    found = find(tmp_path, cubes("run-1_FLAIR", "run-2_FLAIR", "T1w"))
    one, two = (source.examination.key for source in found.sources)
    t1 = tmp_path / ANAT / "sub-01_T1w.nii.gz"
    assert found.owners[t1] == one
    assert found.shared == {two: [t1]}


@pytest.mark.parametrize(
    ("name", "shape", "why"),
    [
        ("sub-01_acq-multi_FLAIR.nii.gz", (3, 4, 5, 2), "4-D"),
        ("sub-01_acq-slice_FLAIR.nii.gz", (1, 4, 5), "a single slice"),
        ("sub-01_acq-localizer_FLAIR.nii.gz", (3, 4, 5), "other images"),
        ("sub-01_part-phase_FLAIR.nii.gz", (3, 4, 5), "phase"),
        ("sub-01_acq-bad_FLAIR.nii.gz", (3, 4, 5), ".bidsignore"),
        ("sub-02_FLAIR.nii.gz", (3, 4, 5), "another subject"),
        ("sub-01_ses-1_FLAIR.nii.gz", (3, 4, 5), "another subject or session"),
        ("FLAIR.nii.gz", (3, 4, 5), "without a BIDS name"),
        ("sub-01_acq-flair_T1w.nii.gz", (3, 4, 5), "other images"),
        ("sub-01_acq-T1_FLAIR.nii.gz", (3, 4, 5), "two sequences"),
    ],
)
def test_what_is_not_taken_is_left_out_with_the_reason(
    tmp_path: Path, name: str, shape: tuple[int, ...], why: str
) -> None:
    write_text(tmp_path / ".bidsignore", "*_acq-bad_*\n")
    found = find(tmp_path, cubes("FLAIR") | {name: shape})
    assert chosen(found) == {"sub-01": {"flair": "FLAIR"}}
    assert why in found.left_out[tmp_path / ANAT / name]


def test_a_further_axis_of_one_image_is_none(tmp_path: Path) -> None:
    assert list(chosen(find(tmp_path, {"sub-01_FLAIR.nii.gz": (3, 4, 5, 1)}))) == ["sub-01"]


def test_a_session_without_flair_is_a_failure_that_names_what_is_there(tmp_path: Path) -> None:
    found = find(tmp_path, cubes("T1w") | {"sub-01_FLAIR.nii.gz": (3, 4, 5, 2)})
    assert found.sources == []
    assert "no FLAIR" in found.failures["sub-01"]
    assert "sub-01_T1w.nii.gz; sub-01_FLAIR.nii.gz (several images in one file (4-D))" in found.failures["sub-01"]


def test_a_session_without_images_is_named_too(tmp_path: Path) -> None:
    write_text(tmp_path / "sub-01/dwi/sub-01_dwi.nii.gz", "")
    found = find_bids_patients(BidsDataset(tmp_path, require_description=False))
    assert "no image" in found.failures["sub-01"]


@pytest.mark.parametrize("lost", ["FLAIR", "T1w"])
def test_a_file_whose_content_was_not_fetched_fails_the_examination(tmp_path: Path, lost: str) -> None:
    anat = tmp_path / ANAT
    find(tmp_path, cubes("FLAIR", "T1w"))
    (anat / f"sub-01_{lost}.nii.gz").unlink()
    (anat / f"sub-01_{lost}.nii.gz").symlink_to("../../.git/annex/objects/lost")
    found = find_bids_patients(BidsDataset(tmp_path, require_description=False))
    assert found.sources == []
    assert f"sub-01_{lost}.nii.gz links to nothing" in found.failures["sub-01"]


def test_the_same_image_under_two_endings_is_one(tmp_path: Path) -> None:
    write_image(tmp_path / ANAT / "sub-01_FLAIR.nii", np.zeros((3, 4, 5)))
    found = find(tmp_path, cubes("FLAIR"))
    assert len(found.sources) == 1
    assert "sub-01_FLAIR.nii too" in next(iter(found.failures.values()))


def test_what_was_derived_is_not_read(tmp_path: Path) -> None:
    for folder in ("derivatives/glioseg", "sourcedata", "code"):
        write_image(tmp_path / folder / ANAT / "sub-01_FLAIR.nii.gz", np.zeros((3, 4, 5)))
    found = find(tmp_path, cubes("FLAIR"))
    assert [one.examination.place for one in found.sources] == [f"{ANAT}/sub-01_FLAIR.nii.gz"]


def test_an_examination_is_the_same_wherever_the_data_set_lies(tmp_path: Path) -> None:
    one, two = (find(tmp_path / name, cubes("run-1_FLAIR")).sources[0].examination for name in ("here", "there"))
    assert one == two
