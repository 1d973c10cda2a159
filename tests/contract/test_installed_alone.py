"""The wheel alone in an empty, read-only environment: what use needs is there, PyTorch is not."""

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from glioseg.dataset.phantom import write_phantoms

LARGEST_WHEEL_MB = 30
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def alone(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Python of a new environment that nobody may write to; called with words, it returns the finished process."""
    folder = tmp_path_factory.mktemp("alone")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    quiet = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    done = subprocess.run([python, *quiet, wheels["glioseg"]], capture_output=True, text=True)
    if done.returncode and "Could not find a version" in done.stderr:
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stderr
    subprocess.run(["chmod", "-R", "a-w", folder / "venv"], check=True)
    variables = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([python, "-B", *words], cwd=folder, env=variables, capture_output=True, text=True)

    return run


def test_the_wheel_is_small(wheels: dict[str, Path]) -> None:
    # Those of the tests are not packed, which is quicker; the one that is given away is.
    packed = io.BytesIO()
    with zipfile.ZipFile(wheels["glioseg"]) as stored, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in stored.namelist():
            new.writestr(name, stored.read(name))
    assert packed.tell() < LARGEST_WHEEL_MB * 1e6


def test_use_needs_no_pytorch(alone: Run, tmp_path: Path) -> None:
    """Predict, measure, evaluate, check; and one line for what needs more."""
    assert alone("-c", "import torch").returncode == 1, "PyTorch is there, so that this test shows nothing"
    data, masks = tmp_path / "data", tmp_path / "masks"
    write_phantoms(data, patients=1, size=64)
    (patient,) = (path.name for path in data.iterdir() if path.is_dir())
    before = alone("-c", _FILES).stdout
    for words in (
        ("predict", data, "--out", masks),
        ("measure", masks / patient),
        ("evaluate", masks, data, "--out", tmp_path / "scores.csv"),
        ("data", "check", data),
        ("doctor",),
    ):
        done = alone("-m", "glioseg", *words)
        assert done.returncode == 0, done.stderr
    assert json.loads((masks / "run.json").read_text())["backend"] == "onnxruntime"
    assert len(list((masks / patient).glob("*_mask.tif"))) > 0
    models = json.loads(alone("-m", "glioseg", "info", "--json").stdout)["models"]
    assert (models["fast"]["installed"], models["best"]["installed"]) == (True, False)
    for words, told in (
        (("train", "--data", data, "--out", tmp_path / "run"), "pip install 'glioseg[train]'"),
        (("predict", data, "--model", "best", "--out", tmp_path / "b"), "pip install glioseg-models"),
    ):
        done = alone("-m", "glioseg", *words)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert told in done.stderr
    assert alone("-c", _FILES).stdout == before


_FILES = """
import sysconfig
from pathlib import Path
print(*sorted(f"{path} {path.stat().st_size}" for path in Path(sysconfig.get_paths()["purelib"]).rglob("*")), sep="\\n")
"""
