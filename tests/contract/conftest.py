"""The package as a user gets it: built as a wheel and installed beside the libraries that are there."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from orthanc import orthanc, orthanc_server

__all__ = ["orthanc", "orthanc_server"]

ROOT = Path(__file__).parents[2]
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def glioseg(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The command line of the installed package; called with words, it returns the finished process."""
    folder = tmp_path_factory.mktemp("installed")
    _install(folder)

    def run(*words: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(folder / "site"), "OMP_NUM_THREADS": "1", **variables}
        command = [sys.executable, "-m", "glioseg", *map(str, words)]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)

    return run


def _install(folder: Path) -> None:
    """Build from a copy, since building leaves traces; nothing is fetched, and stored members are packed fast."""
    shutil.copytree(ROOT / "src", folder / "copy" / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "copy")
    stored = "--config-settings=--build-option=--compression=stored"
    _pip("wheel", "--no-build-isolation", stored, "--wheel-dir", folder / "wheel", folder / "copy")
    _pip("install", "--target", folder / "site", *(folder / "wheel").glob("*.whl"))


def _pip(command: str, *words: str | Path) -> None:
    alone = ("--quiet", "--no-index", "--no-deps", "--disable-pip-version-check")
    subprocess.run([sys.executable, "-m", "pip", command, *alone, *map(str, words)], check=True)
