import json
from pathlib import Path

import pytest

from glioseg.check.parts import read_parts
from glioseg.errors import GliosegError


def write(path: Path, **parts: list[str]) -> Path:
    path.write_text(json.dumps({"name": "mine", **parts}))
    return path


def test_a_person_in_two_parts_is_a_leak_even_under_two_dates(tmp_path: Path) -> None:
    split = write(tmp_path / "s.json", train=["A_X_1_1990", "A_X_2_1990"], validation=[], test=["A_X_1_1991"])
    (leak,) = read_parts(split).findings
    assert (leak.code, leak.severity, leak.patient) == ("split_leak", "error", "A_X_1_1990")
    assert leak.others == (("A_X_1_1991", None),)
    assert "train and test" in leak.message


def test_patients_of_one_side_only_are_named(tmp_path: Path) -> None:
    parts = read_parts(write(tmp_path / "s.json", train=["A", "B"], test=["C"]))
    assert parts.findings == ()
    assert dict(parts.of) == {"A": "train", "B": "train", "C": "test"}
    found = {finding.patient: finding.message for finding in parts.against(["A", "C", "D"])}
    assert set(found) == {"B", "D"}
    assert "data lacks" in found["B"]
    assert "does not name" in found["D"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"train": [1]}', '{"train": 5}', "nonsense", "[" * 20_000])
def test_what_is_no_split_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "s.json").write_text(content)
    with pytest.raises(GliosegError, match="is no split file"):
        read_parts(tmp_path / "s.json")
