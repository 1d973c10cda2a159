"""Records are held by their rows alone, and the tables are whole all the same."""

import csv
import io
import json
from pathlib import Path

import pytest

from glioseg.errors import GliosegError
from glioseg.patients import records as module
from glioseg.patients.examination import Examination
from glioseg.patients.records import RECORDS, ResultRecords

RUN = {"request": "asked", "model": "m"}


def examination(name: str) -> Examination:
    return Examination(name, f"key of {name}", f"/scans/{name}")


def complete(records: ResultRecords, name: str, **row: object) -> None:
    records.complete(name, examination(name), RUN, {"patient": name, **row}, {"patient": name, "components": [{}]})


def table(out: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(ResultRecords(out).table())))


def test_the_table_of_several_versions_has_the_columns_of_the_last_first(tmp_path: Path) -> None:
    complete(ResultRecords(tmp_path), "old", gone="é, ä", shared=0.1)
    complete(ResultRecords(tmp_path), "new", added=None, shared=1 / 3)
    old, new = table(tmp_path)
    assert list(old) == ["patient", "added", "shared", "gone"]
    assert old == {"patient": "old", "added": "", "shared": "0.1", "gone": "é, ä"}
    assert new == {"patient": "new", "added": "", "shared": repr(1 / 3), "gone": ""}


def test_results_are_read_one_at_a_time_when_they_are_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two", "three"):
        complete(ResultRecords(tmp_path), name)
    records = ResultRecords(tmp_path)
    read, original = list[str](), module._read

    def noting(path: Path) -> dict[str, object]:
        read.append(path.stem)
        return original(path)

    monkeypatch.setattr(module, "_read", noting)
    results = records.results()
    assert next(results) == {"patient": "one", "components": [{}], "run": RUN}
    assert read == ["one"]
    assert [result["patient"] for result in results] == ["two", "three"]


def test_records_that_are_not_wanted_are_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    complete(ResultRecords(tmp_path, folder), "one", voxels=1)
    (folder / "damaged.json").write_text("{")
    assert ResultRecords(tmp_path, folder, {"one"}.__contains__).rows() == {"one": {"patient": "one", "voxels": 1}}
    assert not (tmp_path / RECORDS).exists()


def test_what_finds_no_room_on_the_disk_is_in_the_tables_of_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = ResultRecords(tmp_path)
    complete(records, "written")

    def full(path: Path, text: str) -> None:
        raise GliosegError(f"cannot write {path}: No space left on device")

    monkeypatch.setattr(module, "write_text_atomically", full)
    with pytest.raises(GliosegError, match="No space left"):
        complete(records, "unwritten")
    assert [result["patient"] for result in records.results()] == ["written", "unwritten"]
    assert records.table().splitlines() == ["patient", "written", "unwritten"]
    assert [path.stem for path in (tmp_path / RECORDS).iterdir()] == ["written"]


def test_only_the_same_request_done_whole_is_settled(tmp_path: Path) -> None:
    records = ResultRecords(tmp_path)
    complete(records, "done")
    records.complete("half", examination("half"), RUN, {}, {"patient": "half", "not_written": {"sheet": "why"}})
    records.fail("failed", examination("failed"), RUN, "why")
    records.begin("begun", examination("begun"))
    for known in (records, ResultRecords(tmp_path)):
        settled = {
            name: known.is_settled(examination(name), "asked", retry_failed=False)
            for name in ("done", "half", "failed", "begun", "new")
        }
        assert settled == {"done": True, "half": False, "failed": True, "begun": False, "new": False}
        assert not known.is_settled(examination("failed"), "asked", retry_failed=True)
        assert not known.is_settled(examination("done"), "another", retry_failed=False)
        assert known.failures() == {"failed": "why"}


KEY = {"key": "k", "place": "/scans/k"}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "Invalid JSON: EOF"),
        ('{"state": "do', "Invalid JSON: EOF"),
        ("[" * 20_000, "Invalid JSON: recursion limit"),
        ("[]", "Input should be an object"),
        ('{"state": "done"}', "done.examination: Field required"),
        (json.dumps({"state": "done", "examination": KEY}), "done.run: Field required"),
        (json.dumps({"state": "failed", "examination": KEY, "run": None}), "failed.run: Input should be an object"),
        (json.dumps({"state": "begun", "examination": {**KEY, "key": ["k"]}}), "begun.examination.key: Input should"),
        (json.dumps({"state": "done", "examination": KEY, "run": {}, "row": [], "result": {}}), "done.row: Input"),
        (json.dumps({"state": "done", "examination": KEY, "run": {}, "row": {}, "result": {}}), "done.result.patient:"),
    ],
)
def test_a_file_that_is_no_record_is_named_with_what_is_wrong(tmp_path: Path, content: str, fault: str) -> None:
    (tmp_path / RECORDS).mkdir()
    (tmp_path / RECORDS / "strange.json").write_text(content)
    with pytest.raises(GliosegError, match=r"strange\.json cannot be read: expected the record") as told:
        ResultRecords(tmp_path)
    assert f"found {fault}" in str(told.value)
    assert "\n" not in str(told.value)


def test_what_another_process_records_meanwhile_is_caught_up_with(tmp_path: Path) -> None:
    ours, theirs = ResultRecords(tmp_path), ResultRecords(tmp_path)
    complete(ours, "first")
    theirs.begin("theirs", examination("theirs"))
    ours.catch_up()
    assert list(ours.rows()) == ["first"]
    complete(theirs, "theirs")
    complete(ours, "last")
    ours.catch_up()
    assert list(ours.rows()) == ["first", "theirs", "last"]
    assert [result["patient"] for result in ours.results()] == ["first", "theirs", "last"]
