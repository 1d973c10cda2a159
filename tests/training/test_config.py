import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glioseg.errors import GliosegError
from glioseg.training.config import TrainingConfig, load_config, save_config

POSITIVE = st.floats(1e-6, 1e6)


def written(folder: Path, kind: str) -> Path:
    """The same part of the tree as JSON and as TOML."""
    path = folder / f"settings.{kind}"
    if kind == "toml":
        path.write_text('seed = 5\n[network]\nname = "resunet-a"\n[augmentation]\nscale = [0.9, 1.1]\n')
    else:
        tree = {"seed": 5, "network": {"name": "resunet-a"}, "augmentation": {"scale": [0.9, 1.1]}}
        path.write_text(json.dumps(tree))
    return path


def test_nothing_given_is_the_defaults() -> None:
    assert load_config() == TrainingConfig()


@pytest.mark.parametrize("kind", ["json", "toml"])
def test_a_file_goes_over_the_defaults_and_leaves_the_rest(tmp_path: Path, kind: str) -> None:
    config, default = load_config(written(tmp_path, kind)), TrainingConfig()
    assert (config.seed, config.network.name, config.augmentation.scale) == (5, "resunet-a", (0.9, 1.1))
    assert config.network.width == default.network.width
    assert config.augmentation.flip == default.augmentation.flip
    assert config.optimisation == default.optimisation


def test_a_file_of_an_older_version_named_the_heads_threshold(tmp_path: Path) -> None:
    tree = TrainingConfig().model_dump(mode="json")
    tree["preprocessing"]["head_above"] = 10.0
    (tmp_path / "config.json").write_text(json.dumps(tree))
    assert load_config(tmp_path / "config.json") == TrainingConfig()


@pytest.mark.parametrize("kind", ["json", "toml"])
def test_an_assignment_goes_over_the_file_and_a_later_one_over_an_earlier(tmp_path: Path, kind: str) -> None:
    assignments = ["seed=6", "network.name=unet", "seed=7", "augmentation.scale=[0.5, 2]"]
    config = load_config(written(tmp_path, kind), assignments)
    assert (config.seed, config.network.name, config.augmentation.scale) == (7, "unet", (0.5, 2.0))


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("optimisation.learning_rate=1e-3", 1e-3),
        ("optimisation.learning_rate = 0.5", 0.5),
        ("network.width=null", None),
        ("network.name=unet", "unet"),
        ('network.name="unet"', "unet"),
        ("machine.deterministic=true", True),
        ("machine.precision=bf16", "bf16"),
        ("machine.precision=32", "32"),
    ],
)
def test_values_of_every_kind(assignment: str, value: object) -> None:
    section, key = assignment.partition("=")[0].strip().split(".")
    assert getattr(getattr(load_config(assignments=[assignment]), section), key) == value


@pytest.mark.parametrize(
    ("assignment", "wrong", "nearest"),
    [
        ("optimisation.learningrate=1", "optimisation.learningrate", "optimisation.learning_rate"),
        ("optimization.learning_rate=1", "optimization", "optimisation"),
        ("budget.step=4", "budget.step", "budget.steps"),
        ("sed=1", "sed", "seed"),
    ],
)
def test_an_unknown_key_names_the_nearest(assignment: str, wrong: str, nearest: str) -> None:
    with pytest.raises(GliosegError) as caught:
        load_config(assignments=[assignment])
    assert f"--set {assignment}: there is no setting '{wrong}'" in str(caught.value)
    assert f"Use '{nearest}'" in str(caught.value)


def test_an_unknown_key_in_a_file_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text('{"sampling": {"zzzz": 1}}')
    with pytest.raises(GliosegError, match=r"there is no setting 'sampling\.zzzz'") as caught:
        load_config(path)
    assert str(path) in str(caught.value)
    assert "batch_size, crop_size, foreground_fraction" in str(caught.value)
    assert "nearest" not in str(caught.value)


@pytest.mark.parametrize(
    ("assignment", "named"),
    [
        ("seed=-1", "seed"),
        ("network.width=0", "network.width"),
        ("network=unet", "network"),
        ("sampling.batch_size=0", "sampling.batch_size"),
        ("sampling.crop_size=8", "sampling.crop_size"),
        ("sampling.foreground_fraction=1.5", "sampling.foreground_fraction"),
        ("augmentation.flip=-0.1", "augmentation.flip"),
        ("augmentation.scale=[1.2, 0.8]", "augmentation"),
        ("augmentation.scale=[0, 1]", "augmentation"),
        ("augmentation.scale=[1]", "augmentation.scale"),
        ("augmentation.gamma=1", "augmentation.gamma"),
        ("optimisation.learning_rate=0", "optimisation.learning_rate"),
        ("optimisation.learning_rate=fast", "optimisation.learning_rate"),
        ("optimisation.learning_rate.peak=1", "optimisation.learning_rate"),
        ("optimisation.ema_decay=1", "optimisation.ema_decay"),
        ("preprocessing.clip_percentile=50", "preprocessing.clip_percentile"),
        ("preprocessing.method=minmax", "preprocessing.method"),
        ("validation.every_epochs=0", "validation.every_epochs"),
        ("machine.device=tpu", "machine.device"),
        ("machine.precision=16", "machine.precision"),
    ],
)
def test_a_value_that_is_not_allowed_names_its_key(assignment: str, named: str) -> None:
    with pytest.raises(GliosegError, match=rf"setting {named} is not allowed: expected ") as caught:
        load_config(assignments=[assignment])
    assert caught.value.found is not None


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize(
    "key",
    ["optimisation.learning_rate", "budget.minutes", "augmentation.noise", "preprocessing.clip_percentile"],
)
def test_a_number_that_is_not_finite_is_not_allowed(key: str, value: str) -> None:
    with pytest.raises(GliosegError, match=f"setting {key} is not allowed"):
        load_config(assignments=[f"{key}={value}"])


def test_an_assignment_without_a_value() -> None:
    with pytest.raises(GliosegError, match=r"--set seed has no value: expected section\.key=value"):
        load_config(assignments=["seed"])


@pytest.mark.parametrize("kind", ["epochs", "steps", "minutes"])
def test_another_budget_replaces_the_one_before(kind: str) -> None:
    config = load_config(assignments=["budget.steps=9", f"budget.{kind}=7"])
    assert {key: value for key, value in config.budget if value is not None} == {kind: 7}


def test_two_budgets_at_once_and_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "both.toml"
    path.write_text("[budget]\nsteps = 5\nminutes = 2\n")
    with pytest.raises(GliosegError, match=r"setting budget is not allowed.*exactly one.* not steps and minutes"):
        load_config(path)
    with pytest.raises(GliosegError, match="exactly one of epochs, steps and minutes, not none"):
        load_config(assignments=["budget.steps=null"])


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.json", "{"), ("a.toml", "seed ="), ("a.json", "[1]"), ("a.json", "7"), ("a.toml", '{"seed": 1}')],
)
def test_a_file_that_is_no_configuration_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(GliosegError) as caught:
        load_config(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match=r"nowhere\.json cannot be read"):
        load_config(tmp_path / "nowhere.json")


@given(
    seed=st.integers(0, 2**31),
    rate=POSITIVE,
    width=st.none() | st.integers(1, 64),
    scale=st.tuples(POSITIVE, POSITIVE).map(lambda pair: tuple(sorted(pair))),
    budget=st.tuples(st.sampled_from(["epochs", "steps"]), st.integers(1, 10**7))
    | st.tuples(st.just("minutes"), POSITIVE),
)
def test_the_effective_configuration_reloads_equal(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    rate: float,
    width: int | None,
    scale: tuple[float, float],
    budget: tuple[str, float],
) -> None:
    config = load_config(
        assignments=[
            f"seed={seed}",
            f"optimisation.learning_rate={rate!r}",
            f"network.width={json.dumps(width)}",
            f"augmentation.scale={json.dumps(scale)}",
            f"budget.{budget[0]}={budget[1]!r}",
        ]
    )
    assert config.optimisation.learning_rate == rate
    path = tmp_path_factory.getbasetemp() / "effective.json"
    path.write_text(save_config(config))
    assert load_config(path) == config


def test_the_saved_text_holds_every_setting() -> None:
    tree = json.loads(save_config(TrainingConfig()))
    assert tree.keys() == TrainingConfig.model_fields.keys()
    assert all(
        tree[name].keys() == type(section).model_fields.keys() for name, section in TrainingConfig() if name != "seed"
    )
    assert math.isclose(tree["optimisation"]["learning_rate"], TrainingConfig().optimisation.learning_rate)


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValueError, match="frozen"):
        TrainingConfig().optimisation.learning_rate = 1.0
