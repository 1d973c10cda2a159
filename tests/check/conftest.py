"""Practice patients for the checks, whole and damaged."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from glioseg.check.dataset_check import CheckResult, check_dataset, open_source
from glioseg.dataset.lgg import case_of
from glioseg.dataset.phantom import write_phantoms

PATIENTS, SIZE = 30, 64


@pytest.fixture(scope="session")
def clean_set(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """30 practice patients of 64 x 64 pixels. Only to be read."""
    root = tmp_path_factory.mktemp("clean") / "set"
    write_phantoms(root, patients=PATIENTS, size=SIZE)
    yield root
    shutil.rmtree(root)


@pytest.fixture(scope="session")
def clean_result(clean_set: Path) -> CheckResult:
    return check_dataset(open_source(clean_set))


@pytest.fixture
def few(clean_set: Path, tmp_path: Path) -> Path:
    """Three of these patients in a folder that a test may change."""
    root = tmp_path / "few"
    folders = sorted(path for path in clean_set.iterdir() if path.is_dir())[:3]
    for folder in folders:
        shutil.copytree(folder, root / folder.name)
    header, *rows = (clean_set / "data.csv").read_text().splitlines()
    own = [row for row in rows if row.split(",")[0] in {case_of(folder.name) for folder in folders}]
    (root / "data.csv").write_text("\n".join([header, *own]) + "\n")
    return root
