"""Two processes train as one would: the same weights up to rounding, one checkpoint, one log."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from glioseg.dataset.splits import SplitChoice
from glioseg.dataset.store import open_store
from glioseg.errors import GliosegError
from glioseg.networks import build_network
from glioseg.training import devices
from glioseg.training.config import load_config
from glioseg.training.engine import train_network
from glioseg.training.run_folder import RunFolder

STEPS = 50
SETTINGS = (
    "network.width=2",
    f"budget.steps={STEPS}",
    "sampling.batch_size=4",
    "sampling.crop_size=32",
    "validation.flip=false",
    "validation.every_epochs=100",
    "optimisation.ema_decay=0.5",
    "machine.device=cpu",
    'machine.precision="32"',
)
SCRIPT = """
import sys
from pathlib import Path
from glioseg.dataset.splits import SplitChoice
from glioseg.dataset.store import open_store
from glioseg.training.config import load_config
from glioseg.training.engine import train_network
from glioseg.training.run_folder import RunFolder

data, out, *settings = sys.argv[1:]
store = open_store(Path(data))
split = SplitChoice().split([entry.patient for entry in store.patients])
train_network(load_config(assignments=settings), store, split, RunFolder(Path(out)))
print("trained")
"""


def test_two_processes_reach_the_weights_of_one(phantom_data: Path, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "script.py"), str(phantom_data), str(tmp_path / "two")]
    together = subprocess.run(
        [*command, *SETTINGS, "machine.devices=2"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert together.returncode == 0, together.stderr
    # The other process ends where the training does.
    assert together.stdout.count("trained") == 1
    store = open_store(phantom_data)
    split = SplitChoice().split([entry.patient for entry in store.patients])
    train_network(load_config(assignments=SETTINGS), store, split, RunFolder(tmp_path / "one"))
    one, two = (
        torch.load(RunFolder(tmp_path / name).checkpoint, weights_only=True)["network"] for name in ("one", "two")
    )
    start = _weights_at_the_start()
    # Rounding grows in 50 steps of Adam, which divides by what may be nothing but rounding; it stays far below what
    # the steps themselves changed.
    moved, apart = (
        torch.cat([(these[name] - those[name]).flatten() for name in start]).norm()
        for these, those in ((one, start), (two, one))
    )
    assert apart <= 0.1 * moved, (float(apart), float(moved))
    assert len(RunFolder(tmp_path / "two").log.read_text().splitlines()) > 1


def _weights_at_the_start() -> dict[str, torch.Tensor]:
    """Of the layers that the loss depends on: a bias before a normalisation does nothing, and drifts."""
    config = load_config(assignments=SETTINGS)
    torch.manual_seed(config.seed)
    network = build_network(config.network.name, config.network.width, config.preprocessing.input_channels)
    return {name: value.detach().clone() for name, value in network.named_parameters() if name.endswith("weight")}


def test_alone_nothing_is_divided_and_nothing_gathered() -> None:
    batch = torch.arange(6.0).reshape(3, 2)
    assert devices.own_part(batch) is batch
    assert devices.gathered(batch) is batch


def test_statistics_of_parts_are_those_of_the_whole_where_there_is_one_part() -> None:
    network = nn.Sequential(nn.BatchNorm2d(2))
    before = network[0].state_dict()
    devices.share_statistics(network)
    assert isinstance(network[0], devices.SharedBatchNorm2d)
    assert network[0].state_dict().keys() == before.keys()


def test_a_batch_that_cannot_be_divided_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "is_shared", lambda: True)
    monkeypatch.setattr(devices.dist, "get_world_size", lambda: 2)
    with pytest.raises(GliosegError, match="a batch of 3 cannot be divided among 2 devices"):
        devices.own_part(torch.zeros(3, 1))
