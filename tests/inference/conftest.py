"""A small network with its contract, and a scan to use it on."""

import pytest
import torch
from torch import nn

from glioseg.dataset.phantom import make_phantom
from glioseg.inference.contract import Contract
from glioseg.inference.preprocessing import Preprocessing
from glioseg.networks import build_network
from glioseg.volume import Volume

WIDTH = 8


@pytest.fixture(scope="session")
def contract() -> Contract:
    return Contract(
        network="unet",
        width=WIDTH,
        preprocessing=Preprocessing(),
        split_sha256="1234567890abcdef",
        data_fingerprint="fedcba0987654321",
        training_patients=3,
        versions={"glioseg": "0", "torch": "0"},
    )


@pytest.fixture(scope="session")
def network() -> nn.Module:
    """Random weights whose batch statistics have moved, so that they must travel too."""
    torch.manual_seed(0)
    built = build_network("unet", WIDTH)
    built.train()
    with torch.no_grad():
        for _ in range(3):
            built(torch.randn(2, 3, 32, 32) * 2 + 1)
    return built.eval()


@pytest.fixture(scope="session")
def scan() -> Volume:
    return make_phantom(1, size=48, slices=11, name="PHANTOM_DU_0001")[0]
