"""No result is lost: not by another output, another scan, a defect, a full disk, or a kill."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
from synthetic_dicom import AXIAL, head, write_series

from glioseg.commands import predict as module
from glioseg.commands.predict import PredictionRun, predict
from glioseg.dataset.lgg import find_patients
from glioseg.errors import GliosegError
from glioseg.formats import dicom_results
from glioseg.inference.model import Model
from glioseg.patients.source import OutputOptions
from glioseg.report import contact_sheet


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def patients_in(out: Path) -> list[str]:
    with (out / "measurements.csv").open(newline="") as file:
        return [row["patient"] for row in csv.DictReader(file)]


def scan_of(folder: Path, patient: str, study: str = "2.25.1", date: str = "20190301", **elements: object) -> Path:
    return write_series(folder, head(), AXIAL, PatientID=patient, StudyInstanceUID=study, StudyDate=date, **elements)


def predicted(inputs: list[Path], out: Path, model: Path, **settings: object) -> PredictionRun:
    return predict(inputs, out, model=model, **{"previews": False, "options": OutputOptions(overlay=False), **settings})


def test_two_dates_of_one_patient_lie_side_by_side_whether_together_or_one_after_the_other(
    untrained_bundle: Path, tmp_path: Path
) -> None:
    first = scan_of(tmp_path / "a", "P1")
    second = scan_of(tmp_path / "b", "P1", "2.25.2", "20200301")
    predicted([first], tmp_path / "out", untrained_bundle)
    before = contents(tmp_path / "out")
    predicted([second], tmp_path / "out", untrained_bundle)
    assert patients_in(tmp_path / "out") == ["P1", "P1_20200301"]
    after = contents(tmp_path / "out")
    kept = ["P1_seg.dcm", "P1_report.dcm", "records/P1.json"]
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    predicted([first, second], tmp_path / "out", untrained_bundle)
    assert sorted(patients_in(tmp_path / "out")) == ["P1", "P1_20200301"]
    assert contents(tmp_path / "out").keys() == after.keys()
    predicted([first, second], tmp_path / "together", untrained_bundle)
    assert patients_in(tmp_path / "together") == ["P1_20190301", "P1_20200301"]
    record = json.loads((tmp_path / "together" / "run.json").read_text())
    assert [entry["date"] for entry in record["patients"]] == ["20190301", "20200301"]


def test_which_series_was_read_and_how_it_was_fitted_is_told_but_no_remark(
    untrained_bundle: Path, tmp_path: Path
) -> None:
    (found,) = predicted([scan_of(tmp_path / "a", "P1")], tmp_path / "out", untrained_bundle).results
    read, fitted = found.preparation
    assert read.startswith("Read flair: ")
    assert fitted.startswith("The scan was taken as ")
    assert not {read, fitted} & set(found.remarks)
    assert found.as_row()["preparation"] == f"{read[:-1]}; {fitted[:-1]}"
    assert found.as_json()["preparation"] == [read, fitted]


def test_people_without_an_identifier_or_with_letters_of_another_script_do_not_collide(
    untrained_bundle: Path, tmp_path: Path
) -> None:
    letters = {"SpecificCharacterSet": "ISO_IR 192"}
    inputs = [
        scan_of(tmp_path / "a", "", PatientName="A"),
        scan_of(tmp_path / "b", "", PatientName="B"),
        scan_of(tmp_path / "c", "山田", **letters),
        scan_of(tmp_path / "d", "鈴木", **letters),
    ]
    run = predicted(inputs, tmp_path / "out", untrained_bundle)
    assert run.failures == {}
    assert patients_in(tmp_path / "out") == ["unnamed_a", "unnamed_b", "山田", "鈴木"]
    assert all((tmp_path / "out" / f"{name}_seg.dcm").is_file() for name in patients_in(tmp_path / "out"))


def test_a_mask_that_nothing_tells_the_origin_of_is_not_replaced(untrained_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "P1_mask.nii.gz").write_bytes(b"drawn by hand")
    predicted([scan_of(tmp_path / "a", "P1")], tmp_path / "out", untrained_bundle, options=OutputOptions(nifti=True))
    assert (tmp_path / "out" / "P1_mask.nii.gz").read_bytes() == b"drawn by hand"
    assert patients_in(tmp_path / "out") == ["P1_20190301"]


def test_the_tables_keep_the_rows_of_earlier_runs(few_slices: Path, untrained_bundle: Path, tmp_path: Path) -> None:
    first, second, third = (files.patient for files in find_patients(few_slices))
    predicted([few_slices / first, few_slices / second], tmp_path / "out", untrained_bundle)
    run = predicted([few_slices / third, few_slices / first], tmp_path / "out", untrained_bundle)
    assert [result.patient for result in run.results] == [third, first]
    assert patients_in(tmp_path / "out") == [second, third, first]
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert [entry["patient"] for entry in record["patients"]] == [second, third, first]
    starts = [entry["run"]["started"] for entry in record["patients"]]
    assert starts[0] < starts[1] == starts[2]
    assert record["inputs"] == [str(few_slices / name) for name in (second, third, first)]


def test_a_foreign_record_in_the_folder_does_not_cost_the_run(
    few_slices: Path, untrained_bundle: Path, tmp_path: Path
) -> None:
    """It has the same sequences, none, and no word of inputs."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run.json").write_text('{"sequences": {}}')
    scan = few_slices / find_patients(few_slices)[0].patient
    predicted([scan], tmp_path / "out", untrained_bundle)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["inputs"] == [str(scan)]


def broken(*_: object, **__: object) -> None:
    raise ZeroDivisionError("a defect")


@pytest.mark.parametrize(
    ("output", "place", "name"),
    [
        ("segmentation", dicom_results, "write_segmentation"),
        ("report", dicom_results, "write_report"),
        ("overlay", dicom_results, "write_overlay"),
        ("sheet", contact_sheet, "write_contact_sheet"),
    ],
)
def test_an_output_that_fails_takes_no_other_with_it(
    untrained_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, place: object, name: str
) -> None:
    files = {
        "segmentation": ["P1_seg.dcm"],
        "report": ["P1_report.dcm"],
        "overlay": [f"P1_overlay/{number:04d}.dcm" for number in range(1, 8)],
        "sheet": ["P1_sheet.png"],
    }
    scan = scan_of(tmp_path / "a", "P1")
    predicted([scan], tmp_path / "whole", untrained_bundle, previews=True, options=OutputOptions())
    monkeypatch.setattr(place, name, broken)
    said: list[str] = []
    run = predicted(
        [scan], tmp_path / "out", untrained_bundle, previews=True, options=OutputOptions(), progress=said.append
    )
    (result,) = run.results
    assert list(result.not_written) == [output]
    assert "a defect" in result.not_written[output]
    assert f"{output} not written" in said[0]
    lost = {*files[output], *(files["report"] if output == "segmentation" else [])}
    instead = {"P1_mask.nii.gz"} if output == "segmentation" else set()
    expected = {name for names in files.values() for name in names} - lost | instead
    assert set(result.files) == expected
    assert contents(tmp_path / "out").keys() == contents(tmp_path / "whole").keys() - lost | instead | {"errors.log"}
    assert patients_in(tmp_path / "out") == ["P1"]
    log = (tmp_path / "out" / "errors.log").read_text()
    assert f"P1, {output}" in log
    assert "ZeroDivisionError: a defect" in log
    assert "Traceback" in log


def test_a_header_that_allows_no_segmentation_still_gives_the_mask(untrained_bundle: Path, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise GliosegError("no result can be written for it")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dicom_results, "write_segmentation", refuse)
        run = predicted([scan_of(tmp_path / "a", "P1")], tmp_path / "out", untrained_bundle)
    assert run.failures == {}
    assert run.results[0].not_written == {"segmentation": "no result can be written for it."}
    mask = np.asarray(nibabel.load(tmp_path / "out" / "P1_mask.nii.gz").dataobj)
    assert mask.sum() == run.results[0].measurement.whole.voxels
    assert not (tmp_path / "out" / "errors.log").exists()


def test_a_defect_met_by_one_patient_is_told_kept_and_ends_nothing(
    few_slices: Path, untrained_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (files.patient for files in find_patients(few_slices))
    whole = Model.predict
    monkeypatch.setattr(
        Model, "predict", lambda model, volume: broken() if volume.patient == second else whole(model, volume)
    )
    said: list[str] = []
    run = predicted([few_slices], tmp_path / "out", untrained_bundle, progress=said.append)
    assert [result.patient for result in run.results] == patients_in(tmp_path / "out") == [first, third]
    assert list(run.failures) == [second]
    assert "ZeroDivisionError: a defect" in run.failures[second]
    assert f"{second}: skipped, unexpected error" in said[1]
    assert "in broken" in (tmp_path / "out" / "errors.log").read_text()


def test_on_a_full_disk_a_patient_with_a_mask_keeps_its_row(
    few_slices: Path, untrained_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the sheets nor the last record find room."""
    first, second, third = (files.patient for files in find_patients(few_slices))
    fsync, records = os.fsync, []

    def full(descriptor: int) -> None:
        name = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        is_record = "/records/" in name
        records.extend([name] if is_record else [])
        if "_sheet.png" in name or (is_record and len(records) == 6):
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    run = predicted([few_slices], tmp_path / "out", untrained_bundle, previews=True)
    assert run.failures == {}
    assert patients_in(tmp_path / "out") == [first, second, third]
    assert [list(result.not_written) for result in run.results] == [["sheet"], ["sheet"], ["sheet", "record"]]
    assert "No space left on device" in run.results[0].not_written["sheet"]


KILLED = """
import os, signal, sys
from pathlib import Path
from glioseg import atomic
from glioseg.commands.predict import predict
from glioseg.patients.source import OutputOptions
fsync, left = os.fsync, int(sys.argv[4])
def die(descriptor):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    fsync(descriptor)
os.fsync = die
predict([Path(sys.argv[1])], Path(sys.argv[2]), model=sys.argv[3], previews=False)
"""


@pytest.mark.parametrize("writes", [3, 8, 12])
def test_a_killed_run_leaves_whole_patients_with_rows_and_a_rerun_ends_as_an_undisturbed_one(
    few_slices: Path, untrained_bundle: Path, tmp_path: Path, writes: int
) -> None:
    """Killed at a write: of the record that is begun, six slices, the record and the table of each patient."""
    out = tmp_path / "out"
    arguments = [str(few_slices), str(out), str(untrained_bundle), str(writes)]
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
    assert killed.returncode == -signal.SIGKILL
    whole = [folder for folder in out.iterdir() if folder.name.startswith("PHANTOM")]
    assert all(len(list(folder.iterdir())) == 6 for folder in whole)
    done = [path for path in (out / "records").glob("*.json") if json.loads(path.read_text())["state"] == "done"]
    assert len(whole) - len(done) in (0, 1)
    rows = patients_in(out) if (out / "measurements.csv").exists() else []
    assert len(done) - len(rows) in (0, 1)
    predicted([few_slices], out, untrained_bundle)
    predicted([few_slices], tmp_path / "undisturbed", untrained_bundle)
    mine, theirs = contents(out), contents(tmp_path / "undisturbed")
    assert mine.keys() == theirs.keys()
    assert {name: mine[name] for name in mine if name.endswith(".tif")} == {
        name: theirs[name] for name in theirs if name.endswith(".tif")
    }
    assert sorted(patients_in(out)) == sorted(patients_in(tmp_path / "undisturbed"))


def test_a_table_of_thousands_is_not_written_anew_for_each(tmp_path: Path) -> None:
    records = module.ResultRecords(tmp_path)
    times = 0
    for number in range(3000):
        records._by_name[str(number)] = {}
        times += records.is_time_for_the_table()
    assert 1000 < times < 2000
