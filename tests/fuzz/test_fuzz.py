"""Some damaged files of every format at each run of the tests; ``make fuzz`` takes as many as one likes."""

import gzip
import io
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from fuzz.isolation import outcome_of
from fuzz.mutation import CHANGES, mutated

from fuzz import isolation
from glioseg.errors import GliosegError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of memory and time are Linux's")

CASES = 60
CONTENT = bytes(range(256)) * 8


def refuse() -> None:
    raise GliosegError("it is damaged")


def fail() -> None:
    raise ZeroDivisionError("by nothing")


def hoard() -> None:
    np.ones(2**33)


def die() -> None:
    os.kill(os.getpid(), 9)


def loop() -> None:
    while True:
        pass


@pytest.mark.parametrize(
    ("use", "kind", "is_defect"),
    [
        (lambda: None, "answer", False),
        (refuse, "refusal", False),
        (fail, "traceback", True),
        (hoard, "traceback", True),
        (die, "killed", True),
        (loop, "too long", True),
        (lambda: time.sleep(600), "hangs", True),
    ],
)
def test_every_end_of_a_case_is_told(monkeypatch: pytest.MonkeyPatch, use: object, kind: str, is_defect: bool) -> None:
    monkeypatch.setattr(isolation, "SECONDS", 0.3)
    monkeypatch.setattr(isolation, "WAIT_SECONDS", 600 if kind != "hangs" else 0.3)
    outcome = outcome_of(use)  # type: ignore[arg-type]
    assert (outcome.kind, outcome.is_defect) == (kind, is_defect)
    assert ("ZeroDivisionError: by nothing" in outcome.details) is (use is fail)


@pytest.mark.parametrize("change", dict.fromkeys(CHANGES), ids=lambda change: change.__name__)
def test_a_change_changes_and_is_told_by_its_number(change: object) -> None:
    made = [change(CONTENT, np.random.default_rng([7, number])) for number in range(20)]  # type: ignore[operator]
    assert made == [change(CONTENT, np.random.default_rng([7, number])) for number in range(20)]  # type: ignore[operator]
    assert sum(content != CONTENT for content in made) >= 15


def test_what_is_packed_is_damaged_inside_and_outside() -> None:
    packed, archive = gzip.compress(CONTENT, mtime=0), io.BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        target.writestr("a", CONTENT)
    inside = {"gzip": 0, "zip": 0}
    for number in range(40):
        try:
            unpacked = gzip.decompress(mutated(packed, np.random.default_rng(number)))
            inside["gzip"] += unpacked != CONTENT
        except Exception:
            continue
    for number in range(40):
        try:
            with zipfile.ZipFile(io.BytesIO(mutated(archive.getvalue(), np.random.default_rng(number)))) as source:
                inside["zip"] += source.read("a") != CONTENT
        except Exception:
            continue
    assert all(10 <= count <= 30 for count in inside.values()), inside


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    """With other damage at each change of the program's version would be better; the same each time is repeatable."""
    here = Path(__file__).parents[1] / "support"
    path = os.pathsep.join([str(here), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "fuzz", "--cases", str(CASES), "--seed", "2026", "--jobs", "2"]
    run = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"{CASES} cases of seed 2026: 0 neither answered nor refused" in run.stdout
