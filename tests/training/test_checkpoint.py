import copy
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import AdamW
from torch.optim.swa_utils import AveragedModel

from glioseg.errors import GliosegError
from glioseg.training.checkpoint import RunState, load_checkpoint, save_checkpoint
from glioseg.training.optimisation import moving_average

IDENTITY = {"settings": "1", "split": "2", "data": "3"}
Run = tuple[nn.Module, AveragedModel, AdamW]


def run(seed: int, steps: int) -> Run:
    """A tiny network that has been trained a little."""
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    average = moving_average(network, 0.9)
    optimiser = AdamW(network.parameters(), lr=0.1, fused=True)
    for _ in range(steps):
        network(torch.randn(2, 1, 8, 8)).square().mean().backward()
        optimiser.step()
        optimiser.zero_grad()
        average.update_parameters(network)
    return network, average, optimiser


def state() -> RunState:
    rows: list[dict[str, float | None]] = [{"epoch": 1, "loss": 0.5, "validation_dice": None}]
    return RunState(step=7, seconds=1.5, history=rows)


def contents(parts: Run) -> dict[str, Any]:
    return {str(n): copy.deepcopy(part.state_dict()) for n, part in enumerate(parts)}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "checkpoint.pt", IDENTITY, state(), *run(0, 3))
    return tmp_path / "checkpoint.pt"


def test_brings_everything_back(saved: Path) -> None:
    expected, found = run(0, 3), run(1, 1)
    assert load_checkpoint(saved, IDENTITY, *found) == state()
    torch.testing.assert_close(contents(found), contents(expected), rtol=0, atol=0)


def test_what_came_back_goes_on_alike(saved: Path) -> None:
    expected, found = run(0, 3), run(1, 1)
    load_checkpoint(saved, IDENTITY, *found)
    for network, average, optimiser in (expected, found):
        torch.manual_seed(5)
        network(torch.randn(2, 1, 8, 8)).square().mean().backward()
        optimiser.step()
        average.update_parameters(network)
    torch.testing.assert_close(contents(found), contents(expected), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"settings": "x"}, "another settings"),
        ({"split": "x"}, "another split"),
        ({"data": "x"}, "another data"),
        ({"settings": "x", "data": "x"}, "another settings and data"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused_naming_what_differs(
    saved: Path, changed: dict[str, str], named: str
) -> None:
    parts = run(1, 1)
    before = contents(parts)
    with pytest.raises(GliosegError) as caught:
        load_checkpoint(saved, {**IDENTITY, **changed}, *parts)
    assert f"{saved} belongs to another run" in str(caught.value)
    assert f"found {named}." in str(caught.value)
    torch.testing.assert_close(contents(parts), before, rtol=0, atol=0)


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "another file", "a list"])
def test_a_damaged_checkpoint_is_named(saved: Path, damage: str) -> None:
    content = saved.read_bytes()
    if damage == "another file":
        torch.save({"weights": torch.zeros(2)}, saved)
    elif damage == "a list":
        torch.save([1, 2], saved)
    else:
        saved.write_bytes({"empty": b"", "cut": content[: len(content) // 2], "text": b"epoch,step\n"}[damage])
    with pytest.raises(GliosegError, match=r"checkpoint\.pt is no readable checkpoint"):
        load_checkpoint(saved, IDENTITY, *run(1, 1))


class Harmful:
    """Pickled, it makes a folder when it is read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


def test_nothing_in_a_checkpoint_is_executed(saved: Path, tmp_path: Path) -> None:
    torch.save({"identity": IDENTITY, "state": Harmful(tmp_path / "trace")}, saved)
    with pytest.raises(GliosegError, match="no readable checkpoint"):
        load_checkpoint(saved, IDENTITY, *run(1, 1))
    assert not (tmp_path / "trace").exists()


def test_a_disk_full_at_the_last_moment_leaves_the_checkpoint_before(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(GliosegError, match=r"cannot write .*checkpoint\.pt: No space left on device"):
        save_checkpoint(saved, IDENTITY, state(), *run(1, 1))
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


@contextmanager
def file_size_limit(limit_bytes: int) -> Iterator[None]:
    """The system itself refuses to write on. Python ignores the signal that goes with it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.9, 0.999])
def test_a_disk_full_halfway_leaves_the_checkpoint_before(saved: Path, share: float) -> None:
    before = saved.read_bytes()
    with (
        file_size_limit(int(share * len(before))),
        pytest.raises(GliosegError, match=r"cannot write .*checkpoint\.pt: File too large"),
    ):
        save_checkpoint(saved, IDENTITY, state(), *run(1, 1))
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_a_defect_is_not_taken_for_a_full_disk(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(torch, "save", broken)
    with pytest.raises(RuntimeError, match="a defect"):
        save_checkpoint(saved, IDENTITY, state(), *run(1, 1))
