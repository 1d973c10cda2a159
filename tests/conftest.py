"""Practice patients that every test may read, a cache that is never the user's own, and a SLURM of one node."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_node import missing, running_node

from glioseg.dataset.lgg import find_patients
from glioseg.dataset.phantom import write_phantoms
from glioseg.dataset.store import ArrayStore, open_store
from glioseg.formats.tif import read_mask_slice

PATIENTS, SIZE = 6, 64
FEW_PATIENTS, FEW_SLICES = 3, 6


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


@pytest.fixture(scope="session")
def _few_slices(phantom_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("few_slices")
    for files in find_patients(phantom_data)[:FEW_PATIENTS]:
        tumour = [number for number, path in enumerate(files.masks) if read_mask_slice(path).any()]
        first = min(max(tumour[len(tumour) // 2] - FEW_SLICES // 2, 0), len(files.masks) - FEW_SLICES)
        (root / files.patient).mkdir()
        for paths in (files.images, files.masks):
            for path in paths[first : first + FEW_SLICES]:
                shutil.copy(path, root / files.patient)
    shutil.copy(phantom_data / "data.csv", root)
    return root


@pytest.fixture
def few_slices(_few_slices: Path, tmp_path: Path) -> Path:
    """Three of the practice patients, six slices each around the tumour, in a folder that a test may change."""
    return shutil.copytree(_few_slices, tmp_path / "few_slices")


@pytest.fixture(scope="session")
def untrained_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A narrow U-Net with random weights, whose threshold lies in the middle of what it predicts. Only to be read."""
    import torch
    from untrained import untrained_contract

    from glioseg.inference.bundle import save_bundle
    from glioseg.networks import build_network

    torch.manual_seed(0)
    network = build_network("unet", 8)
    contract = untrained_contract(width=8, threshold=0.4325)
    folder = tmp_path_factory.mktemp("untrained") / "bundle"
    save_bundle(folder, network, contract, "# Untrained\n")
    return folder


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A SLURM of one node; the path of its configuration, which the environment names."""
    pytest.importorskip("submitit", reason="submitit is not installed")
    if missing():
        pytest.skip(missing())
    folder = tmp_path_factory.mktemp("slurm") / "node"
    with running_node(folder) as configuration, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(configuration))
        yield configuration
