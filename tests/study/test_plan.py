import json
from pathlib import Path

import pytest

from glioseg.dataset.splits import Split
from glioseg.errors import GliosegError
from glioseg.networks import NETWORKS
from glioseg.networks.cost import network_cost
from glioseg.study.plan import (
    ModelConfiguration,
    StudyPlan,
    configurations_of,
    fold_name,
    keep_plan,
    parse_configurations,
)
from glioseg.training.config import load_config

FOLDS = (Split("fold 0 of 2", ("a",), ("b",), ("c",)), Split("fold 1 of 2", ("b",), ("c",), ("a",)))
CONFIG = load_config(assignments=("budget.steps=10",))


def plan(**changes: object) -> StudyPlan:
    parts = {
        "networks": (ModelConfiguration("unet", 8), ModelConfiguration("resunet-a", 8)),
        "splits": FOLDS,
        "seeds": (0, 1),
        "config": CONFIG,
        "data_fingerprint": "f" * 64,
    }
    return StudyPlan(**{**parts, **changes})  # type: ignore[arg-type]


def test_every_network_meets_every_split_and_seed_once() -> None:
    keys = [run.key for run in plan().runs()]
    assert keys[:3] == ["unet-8_seed-0_fold-0", "resunet-a-8_seed-0_fold-0", "unet-8_seed-1_fold-0"]
    assert len(keys) == len(set(keys)) == 8


def test_runs_share_everything_but_network_and_seed() -> None:
    run = list(plan().runs())[-1]
    config = plan().config_of(run)
    assert (config.network.name, config.network.width, config.seed) == ("resunet-a", 8, 1)
    assert config.model_copy(update={"network": CONFIG.network, "seed": CONFIG.seed}) == CONFIG


def test_matched_widths_need_about_equal_arithmetic() -> None:
    gmacs = [network_cost(c.name, c.width).gmacs for c in configurations_of("matched")]
    assert max(gmacs) / min(gmacs) < 1.5
    assert {c.name for c in configurations_of("matched")} == set(NETWORKS)


def test_published_widths_are_those_of_the_table() -> None:
    widths = {c.name: c.width for c in configurations_of("published")}
    assert list(widths) == list(NETWORKS)
    assert (widths["unet"], widths["resunet-a"], widths["resunet-pp"]) == (32, 32, 16)


def test_networks_as_a_person_writes_them() -> None:
    assert parse_configurations(["unet:12", "resunet-pp"]) == (
        ModelConfiguration("unet", 12),
        ModelConfiguration("resunet-pp", 16),
    )


@pytest.mark.parametrize(
    ("word", "message"),
    [("unet:wide", "names no width"), ("u-net:8", "Use 'unet'"), ("resunet-pp:4", "cannot take part with width 4")],
)
def test_networks_that_cannot_be_are_refused(word: str, message: str) -> None:
    with pytest.raises(GliosegError, match=message):
        parse_configurations([word])


@pytest.mark.parametrize(
    ("name", "expected"), [("fold 3 of 5", "fold-3"), ("published", "published"), ("My/Split 1.2", "my-split-1.2")]
)
def test_split_names_fit_for_files(name: str, expected: str) -> None:
    assert fold_name(Split(name, ("a",), (), ())) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"networks": ()}, "at least one network"),
        ({"seeds": (1, 1)}, "the seed 1 twice"),
        ({"splits": FOLDS[:1] * 2}, "the split fold-0 twice"),
        ({"networks": (ModelConfiguration("unet", 8),) * 2}, "the network U-Net 8 twice"),
    ],
)
def test_a_plan_that_is_none_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(GliosegError, match=message):
        plan(**changes)


def test_the_same_plan_is_kept_untouched(tmp_path: Path) -> None:
    path = tmp_path / "study" / "plan.json"
    keep_plan(plan(), path)
    written = path.read_bytes()
    # Network and seed of the shared settings are not used, so that they make no difference.
    keep_plan(plan(config=load_config(assignments=("budget.steps=10", "seed=7", "network.width=3"))), path)
    assert path.read_bytes() == written
    assert json.loads(written)["networks"] == [{"name": "unet", "width": 8}, {"name": "resunet-a", "width": 8}]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"seeds": (0,)}, "other seeds"),
        ({"networks": (ModelConfiguration("unet", 9),)}, "other networks"),
        ({"splits": FOLDS[:1]}, "other splits"),
        ({"data_fingerprint": "0" * 64}, "other data"),
        ({"config": load_config(assignments=("budget.steps=11",))}, r"other budget\.steps"),
        (
            {"config": load_config(assignments=("budget.minutes=1", "sampling.batch_size=3"))},
            r"other sampling\.batch_size, budget\.steps, budget\.minutes",
        ),
    ],
)
def test_another_plan_is_refused_and_the_difference_named(
    tmp_path: Path, changes: dict[str, object], found: str
) -> None:
    path = tmp_path / "plan.json"
    keep_plan(plan(), path)
    written = path.read_bytes()
    with pytest.raises(GliosegError, match=f"holds a study under another plan: .* found {found}"):
        keep_plan(plan(**changes), path)
    assert path.read_bytes() == written


@pytest.mark.parametrize("text", ["no json", "[]"])
def test_a_damaged_plan_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(GliosegError, match="plan"):
        keep_plan(plan(), tmp_path / "plan.json")
