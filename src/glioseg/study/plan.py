"""What a study compares, and under which conditions: fixed before the first run and the same for every network."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from glioseg.atomic import write_text_atomically
from glioseg.dataset.splits import PARTS, Split
from glioseg.errors import BadFileError, GliosegError
from glioseg.networks.table import NETWORKS, find_network
from glioseg.training.config import NetworkSettings, TrainingConfig


@dataclass(frozen=True, order=True)
class ModelConfiguration:
    """A network of the table at one width.

    Attributes:
        name: A name of the table of networks.
        width: Channels of the first level.

    Raises:
        GliosegError: If the table has no such name, or the width is too small for it.
    """

    name: str
    width: int

    def __post_init__(self) -> None:
        entry = find_network(self.name)
        if self.width < entry.least_width:
            raise GliosegError(
                f"{entry.title} cannot take part with width {self.width}", expected=f"at least {entry.least_width}"
            )

    @property
    def title(self) -> str:
        """Its name in tables and figures, as "U-Net 32"."""
        return find_network(self.name).titled(self.width)

    @property
    def key(self) -> str:
        """Its name in files, as "unet-32"."""
        return f"{self.name}-{self.width}"


@dataclass(frozen=True)
class Run:
    """One run of a study, independent of every other.

    Attributes:
        configuration: Which network.
        seed: Decides the first weights, the batches and their augmentation.
        split: Who trains, validates and is tested.
    """

    configuration: ModelConfiguration
    seed: int
    split: Split

    @property
    def fold(self) -> str:
        """The split's short name, as "fold-0" or "published"."""
        return fold_name(self.split)

    @property
    def key(self) -> str:
        """The name of its folder, as "unet-32_seed-0_fold-0"."""
        return f"{self.configuration.key}_seed-{self.seed}_{self.fold}"


@dataclass(frozen=True)
class StudyPlan:
    """Which networks, on which splits, from which seeds, under which settings.

    Attributes:
        networks: What is compared.
        splits: Every network trains and is tested on each of them.
        seeds: And from each of these.
        config: Settings that all runs share, the budget among them; its network and seed are not used.
        data_fingerprint: Hash of the data's pixels and names.

    Raises:
        GliosegError: If a part is empty or holds something twice.
    """

    networks: tuple[ModelConfiguration, ...]
    splits: tuple[Split, ...]
    seeds: tuple[int, ...]
    config: TrainingConfig
    data_fingerprint: str = ""

    def __post_init__(self) -> None:
        _check_distinct("network", [configuration.title for configuration in self.networks])
        _check_distinct("split", [fold_name(split) for split in self.splits])
        _check_distinct("seed", [str(seed) for seed in self.seeds])

    def runs(self) -> Iterator[Run]:
        """Every run; those of one split and seed follow each other, so that a part of a study compares fairly."""
        for split in self.splits:
            for seed in self.seeds:
                for configuration in self.networks:
                    yield Run(configuration, seed, split)

    def config_of(self, run: Run) -> TrainingConfig:
        """The settings of one run."""
        network = NetworkSettings(name=run.configuration.name, width=run.configuration.width)
        return self.config.model_copy(update={"network": network, "seed": run.seed})

    def content(self) -> dict[str, Any]:
        """The plan as plain values, equal for equal plans."""
        settings = self.config.model_dump(mode="json", exclude={"network", "seed"})
        return {
            "networks": [{"name": configuration.name, "width": configuration.width} for configuration in self.networks],
            "splits": [{"name": s.name, **{part: list(getattr(s, part)) for part in PARTS}} for s in self.splits],
            "seeds": list(self.seeds),
            "config": settings,
            "data_fingerprint": self.data_fingerprint,
        }


def configurations_of(widths: Literal["published", "matched"]) -> tuple[ModelConfiguration, ...]:
    """Every network of the table, at its published width or at widths of about equal arithmetic."""
    return tuple(
        ModelConfiguration(name, entry.matched_width if widths == "matched" else entry.published_width)
        for name, entry in NETWORKS.items()
    )


def parse_configurations(words: Iterable[str]) -> tuple[ModelConfiguration, ...]:
    """Read networks as a person writes them: ``unet:32`` with a width, ``unet`` at the published one.

    Raises:
        GliosegError: If a network is unknown or a width is no number.
    """
    configurations = []
    for word in words:
        name, colon, width = word.partition(":")
        if colon and not width.isdecimal():
            raise GliosegError(f"{word!r} names no width", expected="name:width, as unet:32")
        configurations.append(ModelConfiguration(name, int(width) if colon else find_network(name).published_width))
    return tuple(configurations)


def fold_name(split: Split) -> str:
    """A split's name fit for a file: "fold 0 of 5" becomes "fold-0"."""
    fold = re.fullmatch(r"fold (\d+) of \d+", split.name)
    return f"fold-{fold[1]}" if fold else re.sub(r"[^a-z0-9.]+", "-", split.name.lower()).strip("-") or "split"


def keep_plan(plan: StudyPlan, path: Path) -> None:
    """Write the plan, or check that the one which stands there is the same.

    Raises:
        GliosegError: If another plan stands there; the message names the parts that differ.
    """
    content = plan.content()
    if not path.exists():
        write_text_atomically(path, json.dumps(content, indent=2) + "\n")
        return
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadFileError(path, "is no plan of a study", found=str(error), remedy=_REMEDY) from error
    differing = _differences(kept, content)
    if differing:
        raise GliosegError(
            f"{path.parent} holds a study under another plan",
            expected="the plan it was started with",
            found=f"other {', '.join(differing)}",
            remedy=_REMEDY,
        )


_REMEDY = "Repeat the command that began it to go on, or name a new folder for the new plan"


def _differences(kept: object, wanted: dict[str, Any]) -> list[str]:
    """Names of the parts, of the settings one by one, that are not the same."""
    if not isinstance(kept, dict):
        return list(wanted)
    differing = [name for name in wanted if name != "config" and kept.get(name) != wanted[name]]
    old = _as_now(kept.get("config"))
    for section, settings in wanted["config"].items():
        before = old.get(section) if isinstance(old, dict) else None
        if before != settings:
            keys = [key for key in settings if not isinstance(before, dict) or before.get(key) != settings[key]]
            differing += [f"{section}.{key}" for key in keys] or [section]
    return [name.replace("data_fingerprint", "data") for name in differing]


def _as_now(config: Any) -> Any:
    """Settings as this version writes them; as they stand where it does not know them."""
    try:
        return TrainingConfig.model_validate(config).model_dump(mode="json")
    except ValidationError:
        return config


def _check_distinct(what: str, names: Sequence[str]) -> None:
    if not names:
        raise GliosegError(f"a study needs at least one {what}")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise GliosegError(f"a study cannot hold the {what} {twice[0]} twice")
