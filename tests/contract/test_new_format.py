"""What CONTRIBUTING says of a new format: a file and an entry in the table are enough, for every command."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glioseg.dataset.phantom import make_phantom

SRC = Path(__file__).parents[2] / "src" / "glioseg"
READER = '''
"""Arrays that numpy keeps."""

from pathlib import Path

import numpy as np

from glioseg.formats.readers import without_suffix
from glioseg.scan import Scan


def read_array(path: Path, *, patient: str | None = None, sequence: str | None = None) -> Scan:
    """Read one image, with slices of 5 mm."""
    affine = np.diag([5.0, 1, 1, 1])[[2, 1, 0, 3]]
    return Scan(patient or without_suffix(path.name), np.load(path).astype(np.float32), affine, sequence, str(path))
'''
ENTRY = """
    Reader("array", (".npy",), lambda start: start[1:6] == b"NUMPY", "glioseg.formats.array:read_array"),
"""
SCRIPT = """
from glioseg.cli import app

def run(*words):
    app([*words, "--json"], exit_on_error=False, print_error=False, result_action="return_value")

run("info")
print("next")
run("predict", "set", "--out", "masks", "--model", "fast", "--presence", "off", "--no-previews")
print("next")
run("measure", "set/P_mask.npy")
print("next")
run("evaluate", "masks", "set", "--out", "scores.json")
print("next")
run("data", "check", "set")
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the commands of a copy of the sources print, to which the recipe has been applied to the letter."""
    folder = tmp_path_factory.mktemp("recipe")
    package = folder / "glioseg"
    shutil.copytree(SRC, package, ignore=shutil.ignore_patterns("models", "__pycache__", "page"))
    (package / "models").symlink_to(SRC / "models")
    (package / "formats" / "array.py").write_text(READER)
    table = package / "formats" / "readers.py"
    table.write_text(table.read_text().replace("READERS = (\n", f"READERS = ({ENTRY}"))
    volume, mask = make_phantom(3, size=96, slices=8)
    (folder / "set").mkdir()
    for sequence in volume.channels:
        np.save(folder / "set" / f"P_{sequence}.npy", volume.channel(sequence).astype(np.float32))
    np.save(folder / "set" / "P_mask.npy", mask.voxels.astype(np.uint8))
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return [json.loads(text) for text in ran.stdout.split("next\n")]


def test_every_command_reads_it(answers: list[dict[str, Any]]) -> None:
    info, prediction, measured, scored, checked = answers
    assert "array" in info["formats"]["read"]
    assert len(prediction["patients"]) == 1
    assert measured["masks"][0]["patient"] == "P"
    assert measured["masks"][0]["voxels"] == scored["patients"][0]["values"]["true_voxels"] > 0
    assert (checked["patients"], checked["findings"]) == (1, [])
