"""The examples in docstrings are true, and every call that the reference offers to Python has one."""

import doctest
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glioseg.dataset.phantom import make_phantom
from glioseg.formats.nifti import write_nifti_mask, write_nifti_probability

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts)


MODULES = [module_name(path) for path in sorted(SOURCE.rglob("*.py")) if ">>> " in path.read_text(encoding="utf-8")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the examples read: ``flair.nii.gz`` and ``P1_mask.nii.gz``, of voxels of 5 by 2 by 2 mm."""
    folder = tmp_path_factory.mktemp("examples")
    volume, mask = make_phantom(seed=1, size=96, slices=12, name="P1")
    flair = volume.channel("flair").astype(np.float32)
    affine = np.array([[0, 0, -2, 95], [0, -2, 0, 95], [5, 0, 0, 0], [0, 0, 0, 1.0]])
    write_nifti_probability(folder / "flair.nii.gz", flair, affine)
    write_nifti_mask(folder / "P1_mask.nii.gz", type(mask)("P1", mask.voxels, affine=affine))
    return folder


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    found = doctest.testmod(import_module(name), extraglobs={"np": np, "Path": Path})
    assert found.attempted > 0
    assert found.failed == 0


def offered() -> list[str]:
    """The calls in the section "From Python" of the reference."""
    section = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8").split("## From Python")[1].split("\n## ")[0]
    return re.findall(r"`(glioseg[\w.]+)`", section.split("|---|---|")[1].split("\n\n")[0])


@pytest.mark.parametrize("call", offered())
def test_every_call_of_the_reference_has_an_example(call: str) -> None:
    name = next(name for name in MODULES if call.startswith(f"{name}."))
    found: Any = import_module(name)
    for part in call.removeprefix(f"{name}.").split("."):
        found = getattr(found, part)
    assert ">>> " in found.__doc__
