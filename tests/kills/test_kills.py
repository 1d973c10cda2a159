"""Some kills at each run of the tests; ``make kills`` does as many as one likes."""

import gzip
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
from kills.files import broken, broken_bundle
from kills.victim import run
from PIL import Image

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="process groups and locks are as on Linux")

KILLS = 10


def of_image(kind: str) -> bytes:
    content = io.BytesIO()
    Image.fromarray(np.arange(4096, dtype=np.uint8).reshape(64, 64)).save(content, kind)
    return content.getvalue()


def of_arrays() -> bytes:
    content = io.BytesIO()
    np.savez_compressed(content, patient=np.arange(999))
    return content.getvalue()


WHOLE = {
    "a.json": json.dumps({"a": [1, 2, 3]}).encode(),
    "a.csv": b"patient,dice\nA,0.5\nB,0.7\n",
    "a.md": b"# Card\n",
    "a.html": b"<html><body></body></html>\n",
    "a.png": of_image("png"),
    "a.tif": of_image("tiff"),
    "a.npz": of_arrays(),
    "a.nii.gz": gzip.compress(nibabel.Nifti1Image(np.zeros((9, 9, 9), np.uint8), np.eye(4)).to_bytes()),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_half_file_is_told_from_a_whole_one(tmp_path: Path, name: str) -> None:
    path, content = tmp_path / name, WHOLE[name]
    path.write_bytes(content)
    assert broken(path) == ""
    path.write_bytes(content[: len(content) // 2])
    assert broken(path)


def test_a_file_that_nobody_knows_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("?")
    assert broken(tmp_path / "a.xyz")


def test_weights_of_another_contract_are_no_bundle(untrained_bundle: Path, tmp_path: Path) -> None:
    assert broken_bundle(untrained_bundle) == ""
    for path in untrained_bundle.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "weights.safetensors").write_bytes(b"others")
    assert broken_bundle(tmp_path)


def test_a_command_is_killed_and_its_output_kept(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    assert run(["data", "phantom", "many", "--patients", "9999"], place, kill_after_seconds=0.3).is_killed
    assert run(["data", "phantom", "few", "--patients", "1", "--size", "32"], place).code == 0
    ending = run(["data", "phantom", "few"], place)
    assert (ending.code, "few is not an empty folder" in ending.said) == (2, True)


def test_killed_commands_leave_nothing_half_and_end_as_undisturbed_ones() -> None:
    here = Path(__file__).parents[1] / "support"
    path = os.pathsep.join([str(here), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "kills", "--kills", str(KILLS), "--seed", "2026", "--few"]
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    found = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "kills of seed 2026: 0 of" in found.stdout
