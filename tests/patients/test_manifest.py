"""The manifest is plain JSON, written and read without its patients in memory."""

import json
from pathlib import Path

import pytest

from glioseg.errors import GliosegError
from glioseg.patients.manifest import read_facts, read_run, write_manifest

FACTS = {"model": {"name": "a model", "folds": [1, 2]}, "inputs": [], "words": 'two\nlines "and" é'}
PATIENTS = [{"patient": "one", "nested": [{"patients": [1, [2]]}]}, {"patient": "two\u2028lines", "empty": {}}]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_it_is_one_json_object_and_the_facts_are_found_again(tmp_path: Path, count: int) -> None:
    path = tmp_path / "run.json"
    write_manifest(path, FACTS, iter(PATIENTS[:count]))
    assert json.loads(path.read_text()) == {**FACTS, "patients": PATIENTS[:count]}
    assert read_facts(path) == {**FACTS, "patients": []}


def test_patients_amid_the_facts_are_passed_over_too(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"first": 1, "patients": PATIENTS, "last": {"a": [2]}}, indent=2))
    assert read_facts(path) == {"first": 1, "patients": [], "last": {"a": [2]}}


def test_what_fails_on_the_way_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_manifest(path, FACTS, PATIENTS)
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError):
        write_manifest(path, FACTS, ({"patient": 1 / number} for number in (1, 0)))
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["run.json"]


def test_of_a_run_is_read_again_what_others_need(tmp_path: Path) -> None:
    facts = {"inputs": ["/scans"], "sequences": {}, "model": {"postprocessing": {"threshold": 0.4}, "new": 1}}
    results = [{"patient": "one", "voxels": 5, "volume_ml": None, "remarks": ["Odd."], "components": []}]
    write_manifest(tmp_path / "run.json", facts, results)
    run = read_run(tmp_path / "run.json")
    (result,) = run.patients
    assert (run.inputs, run.sequences, run.failures, run.threshold) == (("/scans",), {}, None, 0.4)
    assert (result.patient, result.voxels, result.volume_ml, result.remarks) == ("one", 5, None, ("Odd.",))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "Invalid JSON: EOF"),
        ('{"patients": [{"patient": "on', "Invalid JSON: EOF"),
        ("\x00\x01", "Invalid JSON: expected value"),
        ("[" * 20_000, "Invalid JSON: recursion limit"),
        ("null", "Input should be an object"),
        ('{"name": "of another program"}', "patients: Field required"),
        ('{"patients": 5}', "patients: Input should be a valid array"),
        ('{"patients": [{"patient": 5}]}', "patients.0.patient: Input should be a valid string"),
        ('{"patients": [{"patient": "A", "remarks": 5}]}', "patients.0.remarks: Input should be"),
        ('{"patients": [], "inputs": [5]}', "inputs.0: Input should be a valid string"),
        ('{"patients": [], "model": {"postprocessing": 5}}', "model.postprocessing: Input should be an object"),
    ],
)
def test_a_file_that_is_no_record_of_a_run_is_named_with_what_is_wrong(
    tmp_path: Path, content: str, fault: str
) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(GliosegError, match=r"run\.json cannot be read: expected the record of a run") as told:
        read_run(tmp_path / "run.json")
    assert f"found {fault}" in str(told.value)
    assert "\n" not in str(told.value)
