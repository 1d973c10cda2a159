"""A run that was stopped and goes on equals one that was never stopped, bit for bit."""

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from glioseg.dataset.splits import Split
from glioseg.dataset.store import ArrayStore
from glioseg.errors import GliosegError
from glioseg.training import engine
from glioseg.training.config import TrainingConfig
from glioseg.training.engine import TrainedNetwork, train_network
from glioseg.training.run_folder import RunFolder

Train = Callable[..., TrainedNetwork]
EPOCH, EPOCHS = 4, 3
OF_THE_CLOCK = {"seconds", "slices_per_second"}


@pytest.fixture(scope="module")
def train(small_store: ArrayStore, small_split: Split, tiny_config: Callable[..., TrainingConfig]) -> Train:
    def trained(root: Path, *assignments: str, resume: bool = False) -> TrainedNetwork:
        # Whatever has drawn from the global generator in the meantime must not matter.
        torch.rand(17)
        # The half of the budget that is coarse ends within the second epoch.
        config = tiny_config("sampling.progressive_resizing_fraction=0.5", *assignments)
        return train_network(config, small_store, small_split, RunFolder(root), resume=resume)

    return trained


@pytest.fixture(scope="module")
def uninterrupted(train: Train, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainedNetwork]:
    root = tmp_path_factory.mktemp("uninterrupted")
    return root, train(root)


def interrupt(monkeypatch: pytest.MonkeyPatch, name: str, call: int, error: BaseException) -> None:
    """Let a function of the engine raise at that call, from 0, and work before and after."""
    real: Callable[..., Any] = getattr(engine, name)
    calls = iter(range(10_000))

    def interrupted(*parts: Any, **named: Any) -> Any:
        if next(calls) == call:
            raise error
        return real(*parts, **named)

    monkeypatch.setattr(engine, name, interrupted)


def checkpoint(root: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(RunFolder(root).checkpoint, weights_only=True)
    state = content["state"]
    state.pop("seconds")
    state["history"] = repeatable(state["history"])
    return content


def repeatable(history: list[dict[str, float | None]]) -> list[dict[str, float | None]]:
    return [{key: value for key, value in row.items() if key not in OF_THE_CLOCK} for row in history]


def log(root: Path) -> list[dict[str, str]]:
    with RunFolder(root).log.open(newline="") as file:
        return [{key: value for key, value in row.items() if key not in OF_THE_CLOCK} for row in csv.DictReader(file)]


def check_same(found: Any, expected: Any, place: str = "checkpoint") -> None:
    """Every tensor and value, to the last bit."""
    assert type(found) is type(expected), place
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), place
        for key, value in expected.items():
            check_same(found[key], value, f"{place}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), place
        for n, value in enumerate(expected):
            check_same(found[n], value, f"{place}[{n}]")
    elif isinstance(expected, Tensor):
        assert torch.equal(found, expected), place
    else:
        assert found == expected, place


def check_equal(one: Path, other: Path) -> None:
    """Weights, average, moments, steps, history, and the log with each epoch once."""
    found, expected = checkpoint(one), checkpoint(other)
    assert found.keys() == expected.keys() == {"identity", "state", "network", "average", "optimiser"}
    check_same(found, expected)
    assert log(one) == log(other)
    assert [row["epoch"] for row in log(one)] == [str(n + 1) for n in range(EPOCHS)]


def test_the_checkpoint_holds_what_training_has_moved(uninterrupted: tuple[Path, TrainedNetwork]) -> None:
    """Otherwise the comparisons below would compare nothing."""
    content = checkpoint(uninterrupted[0])
    assert content["state"]["step"] == EPOCH * EPOCHS
    assert content["average"]["n_averaged"] == EPOCH * EPOCHS
    assert not torch.equal(content["average"]["module.head.weight"], content["network"]["head.weight"])
    moments = content["optimiser"]["state"]
    assert len(moments) > 50
    assert all(moment["exp_avg_sq"].abs().sum() > 0 and moment["step"] == 12 for moment in moments.values())


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("batch_loss", 0),
        ("batch_loss", 2),
        ("batch_loss", EPOCH),
        ("batch_loss", EPOCH + 2),
        ("batch_loss", EPOCH * EPOCHS - 1),
        ("validation_dice", 1),
        ("write_history", 1),
        ("save_checkpoint", 1),
        ("save_checkpoint", EPOCHS - 1),
    ],
)
def test_stopped_anywhere_it_goes_on_as_if_nothing_had_been(
    train: Train,
    uninterrupted: tuple[Path, TrainedNetwork],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    call: int,
) -> None:
    interrupt(monkeypatch, name, call, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path)
    trained = train(tmp_path, resume=True)
    check_equal(tmp_path, uninterrupted[0])
    expected = uninterrupted[1].network.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in trained.network.state_dict().items())
    assert not trained.network.training


def test_stopped_twice(
    train: Train, uninterrupted: tuple[Path, TrainedNetwork], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for call in (EPOCH + 1, EPOCH + 2):
        with monkeypatch.context() as patch:
            interrupt(patch, "batch_loss", call, KeyboardInterrupt())
            with pytest.raises(KeyboardInterrupt):
                train(tmp_path, resume=True)
    assert len(log(tmp_path)) == 2
    train(tmp_path, resume=True)
    check_equal(tmp_path, uninterrupted[0])


def test_asked_to_resume_where_nothing_is_it_begins(
    train: Train, uninterrupted: tuple[Path, TrainedNetwork], tmp_path: Path
) -> None:
    train(tmp_path, resume=True)
    check_equal(tmp_path, uninterrupted[0])


def test_after_a_full_disk_it_goes_on(
    train: Train, uninterrupted: tuple[Path, TrainedNetwork], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each epoch writes the log and then the checkpoint; before them come settings and split: the sixth fails."""
    real, calls = os.fsync, iter(range(1000))

    def full(descriptor: int) -> None:
        if next(calls) == 5:
            raise OSError(28, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(GliosegError, match=r"cannot write .*checkpoint\.pt: No space left on device"):
            train(tmp_path)
    assert checkpoint(tmp_path)["state"]["step"] == EPOCH
    train(tmp_path, resume=True)
    check_equal(tmp_path, uninterrupted[0])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_it_goes_on_too(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(monkeypatch, "batch_loss", EPOCH + 1, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, "machine.device=cuda")
    trained = train(tmp_path, "machine.device=cuda", resume=True)
    assert trained.state.step == EPOCH * EPOCHS
    assert all(value.isfinite().all() for value in trained.network.state_dict().values())


def test_moments_come_back_on_the_device_of_the_weights(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading puts moments where the weights are; Fabric moves weights but no moments. So the weights go first."""
    train(tmp_path)
    order: list[str] = []
    moved, loaded = nn.Module.to, torch.optim.Optimizer.load_state_dict

    def spy_to(module: nn.Module, *where: Any, **named: Any) -> nn.Module:
        if any(isinstance(place, torch.device) for place in (*where, *named.values())):
            order.append("weights to device")
        return moved(module, *where, **named)

    def spy_load(optimiser: torch.optim.Optimizer, state: dict[str, Tensor]) -> None:
        order.append("moments")
        loaded(optimiser, state)

    monkeypatch.setattr(nn.Module, "to", spy_to)
    monkeypatch.setattr(torch.optim.Optimizer, "load_state_dict", spy_load)
    train(tmp_path, resume=True)
    assert order.index("weights to device") < order.index("moments")
