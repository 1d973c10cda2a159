import csv
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image
from reading import FORMATS, GRIDS, write_predictions

from glioseg.commands.review import open_desk
from glioseg.errors import GliosegError
from glioseg.formats.masks import read_mask
from glioseg.measurement.measure import measure_mask
from glioseg.patients.find import find_sources
from glioseg.patients.source import Reader
from glioseg.review.desk import Desk
from glioseg.review.store import Stroke

Scans = Callable[[str], Path]


def stroke(at: int, added: list[int], removed: list[int] = []) -> Stroke:  # noqa: B006
    return Stroke(f"stroke-{at:04}", "brush", {}, added, removed, 2.0)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def voxel_bytes(path: Path) -> bytes:
    """The voxels alone: a header may tell when and by whom a file was written."""
    if path.suffix == ".dcm":
        return pydicom.dcmread(path).PixelData
    if path.suffix == ".gz":
        return np.asarray(nibabel.load(path).dataobj).tobytes()
    return path.read_bytes()


@pytest.mark.parametrize("kind", FORMATS)
def test_opening_and_saving_without_an_edit_gives_the_same_voxels(kind: str, scans_of: Scans, tmp_path: Path) -> None:
    folder = tmp_path / "masks"
    write_predictions(folder, scans_of(kind))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    desk = open_desk(folder)
    for case_id in desk.cases.cases:
        assert desk.decide(case_id, 0, "accepted", "", 3.0) == ("accepted", 1)
    desk.close()
    results = (folder / "review" / "shared").rglob("*")
    written = [path for path in results if path.suffix in (".tif", ".gz") or path.name.endswith("_seg.dcm")]
    assert written
    for path in written:
        source = folder / path.relative_to(folder / "review" / "shared")
        assert voxel_bytes(path) == voxel_bytes(source)
        if path.suffix == ".gz":
            assert np.array_equal(nibabel.load(path).affine, nibabel.load(source).affine)
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("kind", FORMATS)
def test_the_voxels_painted_lie_on_disk_where_they_were_painted(kind: str, scans_of: Scans, tmp_path: Path) -> None:
    folder = tmp_path / "masks"
    masks = write_predictions(folder, scans_of(kind))
    patient, before = next(iter(masks.items()))
    desk = open_desk(folder)
    case = next(case for case in desk.cases.cases.values() if case.patient == patient)
    shape = before.shape
    painted, erased = (1, 10, 3), (2, 5, 6)
    added, removed = ([int(np.ravel_multi_index(place, shape)), 1] for place in (painted, erased))
    assert desk.draw(case.id, 0, stroke(0, added, removed)) == 1
    assert desk.decide(case.id, 1, "accepted", "edge", 1.0) == ("corrected", 2)
    affine = desk.open(case.id).affine
    desk.close()
    expected = before.copy()
    expected[painted], expected[erased] = True, False
    out = folder / "review" / "shared"
    assert case.source is not None
    assert np.array_equal(case.source.read_mask(out).voxels, expected)
    if kind in ("ras", "las", "oblique", "sagittal"):
        image = nibabel.load(out / f"{patient}_mask.nii.gz")
        i, j, k = painted[::-1]
        assert image.dataobj[i, j, k] == 1
        assert np.allclose(image.affine @ [i, j, k, 1], GRIDS[kind] @ [*painted, 1], atol=1e-4)
        assert np.allclose(affine, GRIDS[kind], atol=1e-4)


def test_a_segmentation_names_reader_and_algorithm(scans_of: Scans, tmp_path: Path) -> None:
    folder = tmp_path / "masks"
    write_predictions(folder, scans_of("dicom"))
    desk = open_desk(folder, reader="Zoë")
    (case_id,) = desk.cases.cases
    desk.draw(case_id, 0, stroke(0, [0, 3]))
    desk.decide(case_id, 1, "corrected", "", 0.0)
    patient = desk.case(case_id).patient
    desk.close()
    ours = pydicom.dcmread(folder / "review" / "Zoë" / f"{patient}_seg.dcm")
    theirs = pydicom.dcmread(folder / f"{patient}_seg.dcm")
    assert str(ours.ContentCreatorName) == "Zoë"
    segment, before = ours.SegmentSequence[0], theirs.SegmentSequence[0]
    assert segment.SegmentAlgorithmType == "SEMIAUTOMATIC"
    assert segment.TrackingUID == before.TrackingUID
    assert segment.DefinitionSourceSequence[0].ReferencedSOPInstanceUID == theirs.SOPInstanceUID
    named, made = (one.SegmentationAlgorithmIdentificationSequence[0] for one in (segment, before))
    assert (named.AlgorithmName, named.AlgorithmVersion) == (made.AlgorithmName, made.AlgorithmVersion)
    assert ours.SOPInstanceUID != theirs.SOPInstanceUID
    report = pydicom.dcmread(folder / "review" / "Zoë" / f"{patient}_report.dcm")
    persons = [item.PersonName for item in report.ContentSequence if item.ValueType == "PNAME"]
    assert list(map(str, persons)) == ["Zoë"]
    assert ours.SOPInstanceUID in str(report)
    if shutil.which("dciodvfy"):
        for path in (folder / "review" / "Zoë").glob("*.dcm"):
            checked = subprocess.run(["dciodvfy", path], capture_output=True)
            assert b"Error" not in checked.stderr


def test_results_of_an_examination_with_another_name_have_that_name(scans_of: Scans, tmp_path: Path) -> None:
    write_predictions(tmp_path / "masks", scans_of("dicom"))
    (source,) = find_sources([tmp_path / "scans"]).sources
    other, read = source.called("P_2"), source.read()
    mask = source.read_mask(tmp_path / "masks")
    reader = Reader("ann", corrected=False, earlier=tmp_path / "masks")
    names = other.write_mask(mask, tmp_path / "out", reader, measure_mask(mask, read.volume))
    assert names == ["P_2_seg.dcm", "P_2_report.dcm"]
    assert np.array_equal(other.read_mask(tmp_path / "out").voxels, mask.voxels)


def test_a_saving_leaves_measurements_sheet_and_a_row_of_log(masks: Path) -> None:
    desk = open_desk(masks, reader="ann")
    (case_id,) = desk.cases.cases
    first = int(np.flatnonzero(desk.mask(case_id)[1])[0])
    desk.draw(case_id, 0, stroke(0, [0, 3], [first, 1]))
    desk.store.add_seconds(case_id, "ann", 5.5)
    desk.decide(case_id, 1, "corrected", "rim, missed", 1.5)
    before = int(desk.open(case_id).prediction.sum())
    desk.close()
    out = masks / "review" / "ann"
    (logged,) = rows(out / "log.csv")
    assert logged["patient"] == "A"
    assert (logged["reader"], logged["state"], logged["comment"]) == ("ann", "corrected", "rim, missed")
    assert float(logged["seconds"]) == 2.0 + 5.5 + 1.5
    assert (logged["strokes"], logged["voxels_added"], logged["voxels_removed"]) == ("1", "3", "1")
    assert logged["voxels_changed"] == "4"
    assert float(logged["dice"]) == pytest.approx(2 * (before - 1) / (2 * before + 2), abs=1e-4)
    (measured,) = rows(out / "measurements.csv")
    assert (measured["patient"], int(measured["voxels"]), measured["reader"]) == ("A", before + 2, "ann")
    volume_ml = (before + 2) * abs(np.linalg.det(GRIDS["ras"][:3, :3])) / 1000
    assert float(measured["volume_ml"]) == pytest.approx(volume_ml, abs=1e-3)
    with Image.open(out / "A_sheet.png") as sheet:
        assert sheet.size[0] > 100
    again = open_desk(masks, reader="ann")
    (entry,) = again.queue()["cases"]
    assert (entry["state"], entry["voxels"], entry["saving"]) == ("corrected", before + 2, "done")
    assert again.queue()["progress"] == {"done": 1, "total": 1, "seconds_per_case": 9.0, "minutes_left": 0.0}
    again.close()


def test_a_rejected_mask_does_not_stay_among_the_results(masks: Path) -> None:
    desk = open_desk(masks)
    (case_id,) = desk.cases.cases
    desk.decide(case_id, 0, "accepted", "", 0.0)
    desk.close()
    out = masks / "review" / "shared"
    assert (out / "A_mask.nii.gz").is_file()
    desk = open_desk(masks)
    desk.decide(case_id, 1, "rejected", "artefact", 0.0)
    desk.close()
    assert sorted(path.name for path in out.iterdir()) == ["log.csv"]
    assert [row["state"] for row in rows(out / "log.csv")] == ["accepted", "rejected"]


def test_what_a_killed_server_had_decided_is_written_at_the_next_start(masks: Path) -> None:
    desk = open_desk(masks)
    (case_id,) = desk.cases.cases
    desk._writer.submit = lambda *words: None  # type: ignore[assignment, method-assign]
    desk.decide(case_id, 0, "accepted", "", 0.0)
    assert desk.queue()["cases"][0]["saving"] == "pending"
    desk.close()
    desk = open_desk(masks)
    desk.start()
    desk.close()
    assert np.array_equal(
        read_mask(masks / "review" / "shared" / "A_mask.nii.gz").voxels, read_mask(masks / "A_mask.nii.gz").voxels
    )


def test_a_full_disk_is_told_in_the_queue_and_the_decision_stays(masks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*words: Any) -> Any:
        raise GliosegError("cannot write it: No space left on device")

    desk = open_desk(masks)
    (case_id,) = desk.cases.cases
    monkeypatch.setattr("glioseg.review.desk.write_saving", full)
    desk.decide(case_id, 0, "accepted", "", 0.0)
    desk._writer.shutdown()
    (entry,) = desk.queue()["cases"]
    assert (entry["state"], entry["saving"]) == ("accepted", "failed")
    assert "No space left" in entry["problem"]
    desk.close()


def test_a_prediction_made_again_is_drawn_anew_in_the_queue(masks: Path) -> None:
    def image_of(desk: Desk) -> bytes | None:
        # What the painter was given before is done.
        desk._painter.submit(lambda: None).result()
        return desk.store.thumbnail(case_id)

    desk = open_desk(masks)
    (case_id,) = desk.cases.cases
    desk.start()
    before = image_of(desk)
    desk.close()
    image = nibabel.load(masks / "A_mask.nii.gz")
    moved = np.roll(np.asarray(image.dataobj), 3, axis=0)
    nibabel.save(nibabel.Nifti1Image(moved, image.affine), masks / "A_mask.nii.gz")
    desk = open_desk(masks)
    desk.open(case_id)
    after = image_of(desk)
    desk.close()
    assert None not in (before, after)
    assert before != after


def test_a_prediction_made_again_does_not_move_what_was_drawn(masks: Path) -> None:
    desk = open_desk(masks)
    (case_id,) = desk.cases.cases
    desk.draw(case_id, 0, stroke(0, [0, 3]))
    drawn = desk.mask(case_id)[1].copy()
    desk.close()
    (masks / "A_mask.nii.gz").write_bytes((masks / "A_probability.nii.gz").read_bytes())
    image = nibabel.load(masks / "A_mask.nii.gz")
    other = np.zeros(image.shape, np.uint8)
    nibabel.save(nibabel.Nifti1Image(other, image.affine), masks / "A_mask.nii.gz")
    desk = open_desk(masks)
    assert np.array_equal(desk.mask(case_id)[1], drawn)
    assert any("has changed since" in remark for remark in desk.describe(case_id)["remarks"])
    desk.close()


def test_the_log_can_be_read_with_any_tool_for_sqlite(desk: Desk) -> None:
    import sqlite3

    (case_id,) = desk.cases.cases
    desk.draw(case_id, 0, stroke(0, [0, 3]))
    other = sqlite3.connect(f"file:{desk.store.path}?mode=ro", uri=True)
    assert other.execute("select tool, added, voxels from strokes").fetchall() == [("brush", "[0,3]", 3)]
    assert other.execute("pragma journal_mode").fetchone() == ("wal",)
    shape, runs = other.execute("select shape, prediction from cases").fetchone()
    assert json.loads(shape) == list(desk.open(case_id).prediction.shape)
    assert sum(json.loads(runs)[1::2]) == desk.open(case_id).prediction.sum()
    other.close()
