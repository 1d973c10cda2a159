"""Practice patients that every test may read, and a cache that is never the user's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from glioseg.dataset.phantom import write_phantoms
from glioseg.dataset.store import ArrayStore, open_store

PATIENTS, SIZE = 6, 64


@pytest.fixture(scope="session", autouse=True)
def _cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """For fixtures that outlive a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLIOSEG_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def _cache_of_the_test(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIOSEG_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def phantom_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in the dataset's layout: 6 practice patients of 64 x 64 pixels with masks. Only to be read."""
    root = tmp_path_factory.mktemp("phantom_data")
    write_phantoms(root, patients=PATIENTS, size=SIZE)
    return root


@pytest.fixture(scope="session")
def store(phantom_data: Path, tmp_path_factory: pytest.TempPathFactory) -> ArrayStore:
    """The practice patients as arrays."""
    return open_store(phantom_data, cache=tmp_path_factory.mktemp("store"))
