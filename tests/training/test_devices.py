"""Two processes train as one would: the same weights up to rounding, one checkpoint, one log."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from glioseg.errors import GliosegError
from glioseg.training import devices
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

import torch

from glioseg.dataset.splits import SplitChoice
from glioseg.dataset.store import open_store
from glioseg.training import engine
from glioseg.training.config import load_config
from glioseg.training.run_folder import RunFolder

# In float32 rounding grows in 50 steps of Adam, which divides by what may be nothing else, to what a fault would do.
torch.set_default_dtype(torch.float64)
torch.Tensor.float = torch.Tensor.double
fabric = engine.Fabric
engine.Fabric = lambda **options: fabric(**{**options, "precision": "64-true"})
engine.validation_dice = lambda *unused: 0.0

data, out, *settings = sys.argv[1:]
store = open_store(Path(data))
split = SplitChoice().split([entry.patient for entry in store.patients])
engine.train_network(load_config(assignments=settings), store, split, RunFolder(Path(out)))
print("trained")
"""
Launcher = tuple[str, ...]
PYTHON: Launcher = (sys.executable,)


def weights(launcher: Launcher, data: Path, out: Path, *settings: str) -> dict[str, torch.Tensor]:
    """Train in float64; the weights after the last step."""
    script = out.with_suffix(".py")
    script.write_text(SCRIPT)
    done = subprocess.run(
        [*launcher, str(script), str(data), str(out), *SETTINGS, *settings],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    # The other process ends where the training does.
    assert done.stdout.count("trained") == 1
    assert len(RunFolder(out).log.read_text().splitlines()) > 1
    return dict(torch.load(RunFolder(out).checkpoint, weights_only=True)["network"])


@pytest.fixture(scope="module")
def alone(phantom_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """The weights that one process reaches."""
    return weights(PYTHON, phantom_data, tmp_path_factory.mktemp("alone") / "run")


def assert_equal_up_to_rounding(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> None:
    assert one.keys() == two.keys()
    for name, weight in one.items():
        # They differ by 1e-13; means of a part instead of the whole batch would make it 0.6.
        torch.testing.assert_close(two[name], weight, rtol=1e-9, atol=1e-9, msg=name)


def test_two_processes_reach_the_weights_of_one(
    phantom_data: Path, alone: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    together = weights(PYTHON, phantom_data, tmp_path / "run", "machine.devices=2")
    assert {weight.dtype for weight in together.values()} == {torch.float64, torch.int64}
    assert_equal_up_to_rounding(alone, together)


def test_so_do_two_that_torchrun_starts(phantom_data: Path, alone: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torchrun = (*PYTHON, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    assert_equal_up_to_rounding(alone, weights(torchrun, phantom_data, tmp_path / "run", "machine.devices=2"))


def test_so_do_two_that_srun_starts(
    slurm: Path, phantom_data: Path, alone: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    srun = ("srun", "--ntasks-per-node=2", *PYTHON)
    assert_equal_up_to_rounding(alone, weights(srun, phantom_data, tmp_path / "run", "machine.devices=2"))


def test_alone_nothing_is_divided_and_nothing_gathered() -> None:
    batch = torch.arange(6.0).reshape(3, 2)
    assert devices.own_slices(batch) is batch
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
        devices.own_slices(torch.zeros(3, 1))
