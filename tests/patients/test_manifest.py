"""The manifest is plain JSON, written and read without its patients in memory."""

import json
from pathlib import Path

import pytest

from glioseg.patients.manifest import read_facts, write_manifest

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
