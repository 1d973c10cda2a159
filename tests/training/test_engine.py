import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from glioseg.dataset.splits import Split, load_split, save_split
from glioseg.dataset.store import ArrayStore
from glioseg.errors import GliosegError
from glioseg.inference.bundle import load_bundle, save_bundle
from glioseg.inference.contract import SPLIT
from glioseg.training import engine
from glioseg.training.config import TrainingConfig, load_config
from glioseg.training.engine import TrainedNetwork, train_network
from glioseg.training.losses import RegionLoss
from glioseg.training.optimisation import learning_rate
from glioseg.training.run_folder import RunFolder
from glioseg.training.sampling import SliceSampler
from glioseg.training.validation import validation_dice

BuildConfig = Callable[..., TrainingConfig]
Train = Callable[..., TrainedNetwork]
EPOCH = 4
"""Steps, by the small store and the tiny configuration."""


@pytest.fixture
def train(small_store: ArrayStore, small_split: Split, tiny_config: BuildConfig, tmp_path: Path) -> Train:
    """Trains into the test's own folder; arguments replace one part or another."""

    def trained(
        *assignments: str,
        store: ArrayStore = small_store,
        split: Split = small_split,
        folder: str = "run",
        **more: bool,
    ) -> TrainedNetwork:
        return train_network(tiny_config(*assignments), store, split, RunFolder(tmp_path / folder), **more)

    return trained


def weights(trained: TrainedNetwork) -> dict[str, Tensor]:
    return trained.network.state_dict()


def same(one: TrainedNetwork, other: TrainedNetwork) -> bool:
    return all(torch.equal(value, weights(other)[name]) for name, value in weights(one).items())


def column(trained: TrainedNetwork, name: str) -> list[float | None]:
    return [row[name] for row in trained.state.history]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(train: Train) -> None:
    first, again, other = (train("budget.steps=3", f"seed={seed}", folder=f"{n}") for n, seed in enumerate((0, 0, 1)))
    assert same(first, again)
    assert column(first, "loss") == column(again, "loss")
    assert not same(first, other)


def test_a_teacher_changes_what_is_learnt(
    train: Train, untrained_bundle: Path, small_split: Split, tmp_path: Path
) -> None:
    network, contract = load_bundle(untrained_bundle)
    save_bundle(tmp_path / "teacher", network, contract, "card")
    save_split(small_split, tmp_path / "teacher" / SPLIT)
    teacher = f"distillation.teacher={tmp_path / 'teacher'}"
    alone, taught = train("budget.steps=2"), train("budget.steps=2", teacher, folder="taught")
    assert not same(alone, taught)


def test_chance_outside_does_not_reach_a_run(train: Train) -> None:
    runs = []
    for seed in (11, 12):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002  a library might still draw from it
        runs.append(train("budget.steps=2", folder=str(seed)))
    assert same(*runs)


def test_a_budget_of_epochs_counts_epochs(train: Train) -> None:
    trained = train("budget.epochs=2")
    assert trained.state.step == 2 * EPOCH
    assert column(trained, "epoch") == [1, 2]
    assert column(trained, "step") == [EPOCH, 2 * EPOCH]


def test_a_budget_of_steps_may_end_within_an_epoch(train: Train) -> None:
    trained = train("budget.steps=6", "validation.every_epochs=5")
    assert column(trained, "step") == [EPOCH, 6]
    # The first epoch and the last one are validated, whatever the interval.
    assert None not in column(trained, "validation_dice")


def clock(seconds_per_look: float) -> SimpleNamespace:
    """A clock that goes on when it is looked at: a step looks twice."""
    now = [0.0]

    def perf_counter() -> float:
        now[0] += seconds_per_look
        return now[0]

    return SimpleNamespace(perf_counter=perf_counter)


def test_a_budget_of_minutes_ends_by_the_clock(
    train: Train, tiny_config: BuildConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "time", clock(1.0))
    trained = train("budget.minutes=0.1")
    assert (trained.state.step, trained.state.seconds) == (6, 6.0)
    assert column(trained, "slices_per_second") == [4.0, 4.0]
    settings = tiny_config().optimisation
    assert column(trained, "learning_rate") == pytest.approx([learning_rate(share / 6, settings) for share in (3, 5)])
    assert column(trained, "validation_dice")[-1] is not None


def test_a_budget_of_minutes_goes_on_where_it_stopped(
    train: Train, stop_at: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "time", clock(1.0))
    stop_at(5)
    with pytest.raises(KeyboardInterrupt):
        train("budget.minutes=0.1")
    trained = train("budget.minutes=0.1", resume=True)
    assert (trained.state.step, trained.state.seconds) == (6, 6.0)


@pytest.fixture
def stop_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """From now on the loss of that many calls is computed, and the next one is interrupted; once."""
    real = engine.batch_loss

    def arm(calls: int) -> None:
        left = [calls]

        def interrupted(*parts: nn.Module | Tensor, region_loss: RegionLoss) -> Tensor:
            left[0] -= 1
            if left[0] == -1:
                raise KeyboardInterrupt
            return real(*parts, region_loss=region_loss)  # type: ignore[arg-type]

        monkeypatch.setattr(engine, "batch_loss", interrupted)

    return arm


def test_leaves_settings_split_log_and_checkpoint(
    train: Train, tiny_config: BuildConfig, small_split: Split, tmp_path: Path
) -> None:
    train("budget.steps=2")
    folder = RunFolder(tmp_path / "run")
    assert load_config(folder.config) == tiny_config("budget.steps=2")
    assert load_split(folder.split) == small_split
    names = {path.name for path in folder.root.iterdir()}
    assert names == {"config.json", "split.json", "log.csv", "checkpoint.pt"}


def test_a_folder_that_holds_a_run_is_refused_and_left_alone(train: Train, tmp_path: Path) -> None:
    train("budget.steps=2")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    with pytest.raises(GliosegError, match=r"already holds a run\. .*--resume"):
        train("budget.steps=2", "seed=9")
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def test_a_finished_run_does_not_go_on(train: Train, stop_at: Callable[[int], None]) -> None:
    finished = train("budget.steps=4")
    stop_at(0)
    again = train("budget.steps=4", resume=True)
    assert same(finished, again)
    assert again.state == finished.state
    assert not again.network.training


def test_other_settings_another_split_and_other_data_cannot_go_on(
    train: Train, small_store: ArrayStore, small_split: Split
) -> None:
    train("budget.steps=2")
    shorter = Split("by hand", small_split.train[:2], small_split.validation, small_split.test)
    for name, change in {
        "settings": lambda: train("budget.steps=3", resume=True),
        "split": lambda: train("budget.steps=2", split=shorter, resume=True),
        "data": lambda: train("budget.steps=2", store=replace(small_store, fingerprint="b" * 64), resume=True),
    }.items():
        with pytest.raises(GliosegError, match=f"belongs to another run: .* found another {name}\\."):
            change()


def test_a_patient_that_the_data_lacks(train: Train, small_split: Split, tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match="PHANTOM_XX_9999"):
        train(split=replace(small_split, test=("PHANTOM_XX_9999",)))
    assert not (tmp_path / "run").exists()


def test_test_patients_reach_neither_weights_nor_curve_and_validation_patients_only_the_curve(
    train: Train, small_store: ArrayStore, small_split: Split
) -> None:
    """Images and masks of those patients are replaced by noise, and the run is repeated."""

    def spoiled(patients: tuple[str, ...]) -> ArrayStore:
        images, masks = np.array(small_store.images), np.array(small_store.masks)
        rng = np.random.default_rng(0)
        for patient in patients:
            rows = slice(small_store.entry(patient).start, small_store.entry(patient).stop)
            images[rows] = rng.integers(0, 256, images[rows].shape)
            masks[rows] = rng.random(masks[rows].shape) < 0.5
        return replace(small_store, images=images, masks=masks)

    plain = train(folder="plain")
    without_test = train(folder="test", store=spoiled(small_split.test))
    without_validation = train(folder="validation", store=spoiled(small_split.validation))
    without_training = train(folder="train", store=spoiled(small_split.train[:1]))
    assert same(plain, without_test)
    assert same(plain, without_validation)
    assert not same(plain, without_training)
    assert column(without_test, "validation_dice") == column(plain, "validation_dice")
    assert column(without_validation, "validation_dice") != column(plain, "validation_dice")
    assert column(without_validation, "loss") == column(plain, "loss")


def spoil_loss(monkeypatch: pytest.MonkeyPatch, step: int, spoil: Callable[[Tensor], Tensor]) -> None:
    real, calls = engine.batch_loss, iter(range(1000))

    def spoiled(*parts: nn.Module | Tensor, region_loss: RegionLoss) -> Tensor:
        loss = real(*parts, region_loss=region_loss)  # type: ignore[arg-type]
        return spoil(loss) if next(calls) == step else loss

    monkeypatch.setattr(engine, "batch_loss", spoiled)


def with_infinite_gradient(loss: Tensor) -> Tensor:
    loss.register_hook(lambda gradient: gradient * math.inf)
    return loss


@pytest.mark.parametrize("check_every", [1, 50])
@pytest.mark.parametrize(
    ("spoil", "what"),
    [(lambda loss: loss * math.nan, "loss nan"), (with_infinite_gradient, "gradient norm (nan|inf)")],
)
def test_a_number_that_is_none_stops_the_run_and_names_its_batch(
    train: Train,
    small_store: ArrayStore,
    small_split: Split,
    tiny_config: BuildConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Tensor], Tensor],
    what: str,
    check_every: int,
) -> None:
    step = EPOCH + 1
    monkeypatch.setattr(engine, "CHECK_EVERY_STEPS", {"cpu": check_every})
    spoil_loss(monkeypatch, step, spoil)
    with pytest.raises(GliosegError, match=f"training stopped at step {step}: {what}: ") as caught:
        train()
    config = tiny_config()
    sampler = SliceSampler(small_store, small_split.train, config.sampling, config.preprocessing, config.seed)
    named = str(caught.value).partition("a batch of ")[2].partition(". ")[0].split(", ")
    assert named == sampler.names(step)
    assert {name.rpartition("_")[0] for name in named} <= set(small_split.train)
    # The epoch before is whole, and nothing of the spoilt one has been kept.
    kept = torch.load(RunFolder(tmp_path / "run").checkpoint, weights_only=True)
    assert kept["state"]["step"] == EPOCH
    assert all(value.isfinite().all() for value in kept["network"].values())


def test_gradients_are_scaled_down_to_the_norm(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    real = torch.optim.AdamW.step

    def spy(optimiser: torch.optim.AdamW, *rest: object) -> object:
        gradients = [p.grad for group in optimiser.param_groups for p in group["params"]]
        seen.append(float(torch.stack([gradient.norm() for gradient in gradients]).norm()))
        return real(optimiser, *rest)

    monkeypatch.setattr(torch.optim.AdamW, "step", spy)
    train("budget.steps=3", "optimisation.clip_norm=0.01")
    assert seen == pytest.approx([0.01] * 3, rel=1e-3)


def test_it_learns(train: Train) -> None:
    trained = train("budget.steps=40")
    losses, scores = column(trained, "loss"), column(trained, "validation_dice")
    assert losses[-1] < 0.9 * losses[0]  # type: ignore[operator]
    assert scores[-1] > 0.2  # type: ignore[operator]


def test_without_validation_patients_there_is_a_curve_without_scores(train: Train, small_split: Split) -> None:
    trained = train("budget.steps=5", split=replace(small_split, validation=()))
    assert column(trained, "validation_dice") == [None, None]


def test_the_curve_is_of_the_averaged_weights(
    train: Train, small_store: ArrayStore, small_split: Split, tiny_config: BuildConfig
) -> None:
    trained = train()
    found = validation_dice(trained.network, small_store, small_split.validation, tiny_config(), torch.device("cpu"))
    assert found
    assert column(trained, "validation_dice")[-1] == found


@pytest.mark.parametrize("downsampling_factor", [1, 2])
def test_the_first_part_of_a_budget_may_be_coarse(
    train: Train, monkeypatch: pytest.MonkeyPatch, downsampling_factor: int
) -> None:
    seen: list[tuple[tuple[int, ...], int]] = []
    real = engine.augment

    def spy(*parts: Any, downsampling_factor: int) -> tuple[Tensor, Tensor]:
        images, masks = real(*parts, downsampling_factor=downsampling_factor)
        seen.append((tuple(images.shape[-2:]), downsampling_factor))
        return images, masks

    monkeypatch.setattr(engine, "augment", spy)
    train(
        "budget.steps=5",
        "sampling.progressive_resizing_fraction=0.5",
        f"preprocessing.downsampling_factor={downsampling_factor}",
        "sampling.crop_size=64",
    )
    coarse, fine = 32 // downsampling_factor, 64 // downsampling_factor
    assert seen == [((coarse, coarse), 2 * downsampling_factor)] * 3 + [((fine, fine), downsampling_factor)] * 2


@pytest.mark.parametrize(("name", "crop", "seen"), [("unet", 36, 48), ("resunet-pp", 36, 40), ("resunet-pp", 40, 40)])
def test_a_crop_shows_the_slice_where_the_network_would_pad(
    train: Train, monkeypatch: pytest.MonkeyPatch, name: str, crop: int, seen: int
) -> None:
    sizes: set[tuple[int, ...]] = set()
    real = engine.augment

    def spy(*arguments: Any, **more: Any) -> tuple[Tensor, Tensor]:
        images, masks = real(*arguments, **more)
        sizes.add(tuple(images.shape[-2:]))
        return images, masks

    monkeypatch.setattr(engine, "augment", spy)
    train("budget.steps=1", f"network.name={name}", f"sampling.crop_size={crop}")
    assert sizes == {(seen, seen)}


@pytest.mark.parametrize("name", ["resunet-a", "resunet-pp"])
def test_every_network_trains(train: Train, name: str) -> None:
    trained = train("budget.steps=2", f"network.name={name}")
    assert all(value.isfinite().all() for value in weights(trained).values())
    assert json.dumps(trained.state.history)


def test_bfloat16_trains_float32_weights(train: Train) -> None:
    exact, rounded = train("budget.steps=2"), train("budget.steps=2", "machine.precision=bf16", folder="bf16")
    assert all(value.dtype != torch.bfloat16 for value in weights(rounded).values())
    assert column(rounded, "loss")[0] != column(exact, "loss")[0]
    assert column(rounded, "loss")[0] == pytest.approx(column(exact, "loss")[0], rel=0.05)


@pytest.mark.parametrize("name", ["unet", "resunet-a"])
def test_compiled_training_loses_as_much(train: Train, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Traced and differentiated as for a GPU; the kernels stay PyTorch's own, which are there without a compiler.

    Losses are compared and not weights: Adam turns rounding, where a gradient is zero but for it, into whole steps.
    """
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    plain, compiled = (
        train("budget.steps=3", f"network.name={name}", f"machine.compile={flag}", folder=flag)
        for flag in ("false", "true")
    )
    assert column(compiled, "loss")[0] == pytest.approx(column(plain, "loss")[0], rel=1e-3)
    assert weights(compiled).keys() == weights(plain).keys()


@pytest.mark.parametrize("name", ["unet", "resunet-a", "resunet-pp"])
def test_how_images_lie_in_memory_changes_no_loss(train: Train, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    losses = []
    for layout in (torch.contiguous_format, torch.channels_last):
        monkeypatch.setattr(engine, "choose_memory_format", lambda *_, layout=layout: layout)
        losses.append(column(train("budget.steps=3", f"network.name={name}", folder=str(layout)), "loss")[0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
