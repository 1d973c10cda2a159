import csv
import json
from pathlib import Path

import numpy as np
import pytest

from glioseg.commands.evaluate import detected, evaluate
from glioseg.dataset.lgg import find_patients
from glioseg.errors import GliosegError
from glioseg.evaluation.detection import Rate
from glioseg.evaluation.patient_scores import PatientScores
from glioseg.evaluation.scores import Scores
from glioseg.formats.tif import read_mask_slice, write_mask_slice

SPACING_MM = (5.0, 0.5, 0.5)


@pytest.fixture
def shifted(few_slices: Path, tmp_path: Path) -> Path:
    """The true masks, three pixels to the right."""
    root = tmp_path / "shifted"
    for path in few_slices.glob("*/*_mask.tif"):
        write_mask_slice(root / path.parent.name / path.name, np.roll(read_mask_slice(path), 3, axis=1))
    return root


def test_the_truth_against_itself_is_perfect_and_anything_else_is_less(
    few_slices: Path, shifted: Path, tmp_path: Path
) -> None:
    perfect = evaluate(few_slices, few_slices, tmp_path / "perfect.json").scores
    less = evaluate(shifted, few_slices, tmp_path / "less.json").scores
    assert [entry.values["dice"] for entry in perfect.patients] == [1.0] * 3
    assert all(0 < (entry.values["dice"] or 0) < 0.95 for entry in less.patients)


def test_the_file_holds_the_scores(few_slices: Path, shifted: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "scores.json"
    found = evaluate(shifted, few_slices, out, spacing_mm=SPACING_MM)
    assert found.without_prediction == ()
    assert Scores.from_json(out.read_text()) == found.scores
    assert found.scores.spacing_mm == SPACING_MM
    assert [path.name for path in out.parent.iterdir()] == ["scores.json"]


def test_a_name_in_csv_gives_a_table_of_patients(few_slices: Path, shifted: Path, tmp_path: Path) -> None:
    scores = evaluate(shifted, few_slices, tmp_path / "scores.csv").scores
    with (tmp_path / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["patient"] for row in rows] == [files.patient for files in find_patients(few_slices)]
    assert [float(row["dice"]) for row in rows] == [entry.values["dice"] for entry in scores.patients]


def test_nothing_is_written_where_the_folders_do_not_fit(few_slices: Path, shifted: Path, tmp_path: Path) -> None:
    for folder in shifted.iterdir():
        sorted(folder.glob("*_mask.tif"))[-1].unlink()
    with pytest.raises(GliosegError):
        evaluate(shifted, few_slices, tmp_path / "new" / "scores.json")
    assert not (tmp_path / "new").exists()


def test_whether_a_tumour_was_found_is_told_by_patient(few_slices: Path, shifted: Path, tmp_path: Path) -> None:
    """One of three predictions is emptied; without the chances of a run there is no area under the curve."""
    first = sorted(path for path in shifted.iterdir() if path.is_dir())[0]
    for path in first.glob("*_mask.tif"):
        write_mask_slice(path, np.zeros_like(read_mask_slice(path)))
    scores = evaluate(shifted, few_slices, tmp_path / "scores.json").scores
    told = json.loads((tmp_path / "scores.json").read_text())["detection"]
    assert (told["sensitivity"]["hits"], told["sensitivity"]["of"], told["specificity"]["of"]) == (2, 3, 0)
    assert told["auroc"] is None
    truth = [PatientScores(one.patient, None, (), dict(one.values), dict(one.undefined)) for one in scores.patients]
    truth[0].values["true_voxels"] = 0.0
    patients = [{"patient": one.patient, "presence_chance": 0.1 + 0.3 * n} for n, one in enumerate(truth)]
    (shifted / "run.json").write_text(json.dumps({"patients": patients}))
    found = detected(Scores(tuple(truth)), shifted)
    assert (found.sensitivity, found.specificity, found.auroc) == (Rate(2, 2), Rate(1, 1), 1.0)
