"""``glioseg measure``, as a Python call and as the shell runs it."""

import csv
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest

from glioseg.cli import main
from glioseg.commands.measure import compare, in_words, measure
from glioseg.dataset.lgg import find_patients
from glioseg.errors import GliosegError
from glioseg.evaluation.scores import Scores, score_patient
from glioseg.formats.tif import write_mask_slice
from glioseg.measurement.region import NO_GEOMETRY
from glioseg.volume import Mask

# Voxels of 1 x 1 x 5 mm in the order (i, j, k) of NIfTI, towards left, posterior and superior.
AFFINE = np.diag([-1.0, -1.0, 5.0, 1.0])
AFFINE[:2, 3] = 50

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def glioseg(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["glioseg", *map(str, words)])
        monkeypatch.setattr(logging.getLogger(), "handlers", [])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, printed.out, printed.err

    return run


def write_mask(path: Path, columns: int, slices: int = 4) -> Path:
    """A box of columns x 20 x slices voxels, right of the middle of the head below."""
    voxels = np.zeros((100, 90, 8), np.uint8)
    voxels[15 : 15 + columns, 30:50, 2 : 2 + slices] = 1
    nibabel.save(nibabel.Nifti1Image(voxels, AFFINE), path)
    return path


def write_flair(path: Path) -> Path:
    x, y = np.mgrid[-50:50, -45:45]
    head = np.where((x / 45) ** 2 + (y / 40) ** 2 <= 1, 300, 5).astype(np.float32)
    voxels = np.repeat(head[..., np.newaxis], 8, axis=2)
    nibabel.save(nibabel.Nifti1Image(voxels, AFFINE), path)
    return path


def test_a_mask_in_one_line(tmp_path: Path) -> None:
    path = write_mask(tmp_path / "A_mask.nii.gz", 20)
    run = measure([path], scan=write_flair(tmp_path / "flair.nii.gz"))
    assert in_words(path, run.results[path]) == (f"{path}: 8.0 ml on 4 of 8 slices, 27.6 x 27.6 mm, right")


def test_a_folder_of_tif_masks_has_no_false_zero(few_slices: Path) -> None:
    run = measure([few_slices])
    assert [found.patient for found in run.results.values()] == [files.patient for files in find_patients(few_slices)]
    for path, found in run.results.items():
        assert found.whole.volume_ml is None
        assert in_words(path, found).endswith(f" px; volume unknown: {NO_GEOMETRY}")
        assert " ml" not in in_words(path, found)


def test_the_table_has_a_row_for_each_mask_and_each_component(tmp_path: Path) -> None:
    masks = [write_mask(tmp_path / f"{name}_mask.nii.gz", columns) for name, columns in (("A", 20), ("B", 5))]
    measure(masks, table=tmp_path / "new" / "table.csv")
    with (tmp_path / "new" / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["patient"], row["component"]) for row in rows] == [("A", "all"), ("A", "1"), ("B", "all"), ("B", "1")]
    assert [float(row["volume_ml"]) for row in rows] == [8.0, 8.0, 2.0, 2.0]
    assert [row["rano_measurable"] for row in rows] == ["True", "True", "False", "False"]
    assert rows[0]["side"] == ""
    assert "side: no scan was given" in rows[0]["unknown"]


def test_a_bad_mask_among_good_ones_is_reported_and_the_rest_done(glioseg: Run, tmp_path: Path) -> None:
    good, bad = write_mask(tmp_path / "A_mask.nii.gz", 20), tmp_path / "B_mask.nii.gz"
    bad.write_bytes(good.read_bytes()[:-200])
    code, out, err = glioseg("measure", tmp_path, "--csv", tmp_path / "table.csv")
    assert code == 1
    assert out.startswith(f"{good}: 8.0 ml")
    assert out.count("\n") == 1
    assert err.startswith(f"{bad}: skipped, ")
    assert err.count("\n") == 1
    assert (tmp_path / "table.csv").read_text().count("\n") == 3
    code, out, _ = glioseg("measure", tmp_path, "--json")
    assert code == 1
    content = json.loads(out)
    assert [entry["mask"] for entry in content["masks"]] == [str(good)]
    assert content["failures"].keys() == {str(bad)}


def test_json_tells_null_and_why(glioseg: Run, few_slices: Path) -> None:
    code, out, _ = glioseg("measure", find_patients(few_slices)[0].masks[0].parent, "--json")
    assert code == 0
    (entry,) = json.loads(out)["masks"]
    assert entry["volume_ml"] is None
    assert entry["unknown"]["volume_ml"] == NO_GEOMETRY
    assert entry["voxels"] > 0
    assert entry["longest_diameter_px"] > 0


def test_growth_against_the_error_of_the_scores(glioseg: Run, tmp_path: Path) -> None:
    def mask(patient: str, columns: int) -> Mask:
        voxels = np.zeros((4, 20, 40), np.bool_)
        voxels[1:3, :, :columns] = True
        return Mask(patient, voxels)

    held_out = [(19, 20), (21, 20), (20, 20), (18, 20), (22, 20)]
    scores = Scores(tuple(score_patient(mask(str(n), a), mask(str(n), b)) for n, (a, b) in enumerate(held_out)))
    (tmp_path / "scores.json").write_text(scores.to_json())
    earlier, later = (write_mask(tmp_path / f"{columns}.nii.gz", columns) for columns in (20, 40))
    code, out, _ = glioseg(
        "measure", "--earlier", earlier, "--later", later, "--days", "182", "--scores", tmp_path / "scores.json"
    )
    assert code == 0
    assert out.startswith("The volume grew from 8.0 to 16.0 ml (+100 %) in 182 days. This exceeds the error")
    assert "by the error on 5 patients" in out
    assert "doubling time: 182 days (95 % interval " in out
    assert "RANO by volume: progression" in out
    code, out, _ = glioseg("measure", "--earlier", earlier, "--later", later, "--json")
    content = json.loads(out)
    assert code == 0
    assert content["volume_change_percent"] == 100
    assert content["doubling_time_days"] is None
    assert content["unknown"]["doubling_time_days"] == "the time between the scans was not given"


def assert_one_line(ended: tuple[int, str, str], *named: object) -> None:
    code, out, err = ended
    assert (code, out) == (2, "")
    assert err.startswith("glioseg: ")
    assert err.count("\n") == 1
    assert all(str(name) in err for name in named), err


def test_mistakes_are_one_line(glioseg: Run, tmp_path: Path) -> None:
    mask, flair = write_mask(tmp_path / "A_mask.nii.gz", 20), write_flair(tmp_path / "flair.nii.gz")
    other = write_mask(tmp_path / "B_mask.nii.gz", 20)
    (tmp_path / "broken.json").write_text("{")
    assert_one_line(glioseg("measure"), "nothing to measure")
    assert_one_line(glioseg("measure", tmp_path / "nowhere"), "nowhere")
    assert_one_line(glioseg("measure", flair), flair, "no mask of one tumour")
    assert_one_line(glioseg("measure", mask, other, "--scan", flair), "--scan", "one mask")
    assert_one_line(glioseg("measure", mask, "--days", "3"), "--earlier MASK --later MASK")
    assert_one_line(glioseg("measure", "--earlier", mask), "--later")
    assert_one_line(glioseg("measure", mask, "--earlier", mask, "--later", other), "compared by themselves")
    assert_one_line(glioseg("measure", "--earlier", mask, "--later", other, "--days", "-5"), "-5 days")
    assert_one_line(glioseg("measure", "--earlier", tmp_path, "--later", other), tmp_path, "2 masks")
    scores = ("--scores", tmp_path / "broken.json")
    assert_one_line(glioseg("measure", "--earlier", mask, "--later", other, *scores), "broken.json", "no JSON")
    assert_one_line(glioseg("measure", mask, "--labels", "x"), "--labels x")
    write_mask_slice(tmp_path / "P" / "P_1_mask.tif", np.ones((4, 4), np.bool_))
    assert_one_line(glioseg("measure", tmp_path / "P", "--labels", "2"), tmp_path / "P", "none of the labels 2", "255")


def test_when_no_mask_can_be_measured_nothing_is_written(tmp_path: Path) -> None:
    for name in ("A_mask.nii", "B_mask.nii"):
        (tmp_path / name).write_bytes(b"nothing")
    lines: list[str] = []
    with pytest.raises(GliosegError, match="none of the 2 masks could be measured"):
        measure([tmp_path], table=tmp_path / "table.csv", progress=lines.append)
    assert len(lines) == 2
    assert not (tmp_path / "table.csv").exists()


def test_what_the_reader_remarks_reaches_the_user(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.ones((3, 4, 2), np.uint8), AFFINE)
    image.set_sform(None, code=0)
    image.set_qform(None, code=0)
    nibabel.save(image, tmp_path / "A_mask.nii")
    lines: list[str] = []
    run = measure([tmp_path / "A_mask.nii"], progress=lines.append)
    assert run.results[tmp_path / "A_mask.nii"].whole.volume_ml == pytest.approx(0.12)
    assert len(lines) == 1
    assert "no geometry" in lines[0]


def test_growth_without_spacing_is_unknown(few_slices: Path) -> None:
    first, second = (files.masks[0].parent for files in find_patients(few_slices)[:2])
    found = compare(first, second, days=90)
    assert found.volume_change_percent is None
    assert found.unknown["volume_change_percent"] == NO_GEOMETRY
