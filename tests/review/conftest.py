from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from reading import client_of, write_predictions, write_scans
from starlette.testclient import TestClient

from glioseg.commands.review import open_desk
from glioseg.review.desk import Desk


@pytest.fixture
def scans_of(tmp_path: Path, few_slices: Path) -> Callable[[str], Path]:
    """Makes a folder of scans of one format."""

    def make(kind: str) -> Path:
        if kind == "tif":
            return few_slices
        return write_scans(tmp_path / "scans", kind)

    return make


@pytest.fixture
def masks(scans_of: Callable[[str], Path], tmp_path: Path) -> Path:
    """Predictions for NIfTI scans in RAS."""
    write_predictions(tmp_path / "masks", scans_of("ras"))
    return tmp_path / "masks"


@pytest.fixture
def desk(masks: Path) -> Iterator[Desk]:
    desk = open_desk(masks)
    yield desk
    desk.close()


@pytest.fixture
def client(desk: Desk) -> TestClient:
    """The page's side of the desk."""
    return client_of(desk)
