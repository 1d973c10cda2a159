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
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheels of both distributions, by name; built from a copy, since building leaves traces."""
    folder = tmp_path_factory.mktemp("wheels")
    shutil.copytree(ROOT / "src", folder / "copy" / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "models/pyproject.toml"):
        (folder / "copy" / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / "copy" / name)
    stored = "--config-settings=--build-option=--compression=stored"
    for name in ("copy", "copy/models"):
        _pip("wheel", "--no-build-isolation", stored, "--wheel-dir", folder, folder / name)
    return {path.name.partition("-")[0]: path for path in folder.glob("*.whl")}


@pytest.fixture(scope="session")
def glioseg(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The command line of the installed package; called with words, it returns the finished process."""
    folder = tmp_path_factory.mktemp("installed")
    # Both at once: pip takes the place of a target's folders by those of a later call.
    _pip("install", "--target", folder / "site", *wheels.values())

    def run(*words: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(folder / "site"), "OMP_NUM_THREADS": "1", **variables}
        command = [sys.executable, "-m", "glioseg", *map(str, words)]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)

    return run


def _pip(command: str, *words: str | Path) -> None:
    alone = ("--quiet", "--no-index", "--no-deps", "--disable-pip-version-check")
    subprocess.run([sys.executable, "-m", "pip", command, *alone, *map(str, words)], check=True)
