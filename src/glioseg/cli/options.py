"""Options that several commands share, and how their words are read."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from glioseg.errors import BadOptionError

if TYPE_CHECKING:
    from cyclopts import Token

    from glioseg.execution.engines import Engine

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print the result as JSON.")]
Device = Annotated[Literal["auto", "cpu", "cuda"], Parameter(help="Where to compute.")]
# As glioseg.machine has it, which is imported when a command runs.
Precision = Literal["auto", "32", "bf16"]
Backend = Literal["auto", "torch", "openvino", "onnxruntime"]
Presence = Literal["on", "off"]
Settings = Annotated[tuple[str, ...], Parameter(name="--set", negative="")]
Flag = Parameter(negative="")
Several = Parameter(negative="", consume_multiple=True)


def _whole(kind: type[int], words: "Sequence[Token]") -> int:
    return _as_whole(words[0].keyword or "", words[0].value)


WholeNumber = Annotated[int, Parameter(converter=_whole)]
"""Of an option with one: cyclopts by itself rounds 1.5, and takes 0x10."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """Where the runs of a study or the shards of a prediction are done.

    Parameters
    ----------
    engine
        Where jobs (runs of a study, shards of a prediction) are done: local, slurm (through submitit) or ray.
    workers
        Jobs at once; on this machine each in a process of its own. One small network leaves most of a GPU idle.
    gpus_per_run
        GPUs of each job on a cluster; with ray also a fraction: several share one. Without it one, where there are any.
    cpus_per_run
        Processor cores of each job on a cluster.
    address
        Of a running Ray cluster, as auto or host:6379. Without it, Ray starts on this machine.
    partition
        SLURM's partition.
    time
        Minutes that SLURM gives a job at a time; it is queued again until it is done.
    """

    engine: Literal["local", "slurm", "ray"] = "local"
    workers: Annotated[WholeNumber | None, Parameter(name=("--workers", "--parallel"))] = None
    gpus_per_run: float | None = None
    cpus_per_run: WholeNumber = 1
    address: str | None = None
    partition: str | None = None
    time: WholeNumber | None = None

    def chosen(self) -> "Engine":
        """The engine, which is imported when a command runs."""
        from glioseg.execution.engines import Engine

        return Engine(
            self.engine,
            self.workers,
            self.gpus_per_run,
            self.cpus_per_run,
            self.address,
            self.partition,
            self.time,
        )


ON_THIS_MACHINE = EngineOptions()
"""One job after the other, in this process."""


def spelled(option: str) -> tuple[str, ...]:
    """An option of BIDS apps, which callers write with hyphens or with underscores."""
    return f"--{option}", f"--{option.replace('-', '_')}"


def of_bids_app(option: str) -> Parameter:
    """The same with several values."""
    return Parameter(name=spelled(option), negative="", consume_multiple=True)


def comma_separated(words: tuple[str, ...]) -> list[str]:
    """Words that stand alone or are joined by commas."""
    return [value.strip() for word in words for value in word.split(",") if value.strip()]


def whole_numbers(option: str, words: tuple[str, ...]) -> tuple[int, ...]:
    """Words as :func:`comma_separated` reads them, each a number from 0.

    Raises:
        GliosegError: If one is none.
    """
    return tuple(_as_whole(option, word, r"[0-9]+") for word in comma_separated(words))


def _as_whole(option: str, word: str, form: str = r"[+-]?[0-9]+") -> int:
    # Digits of other scripts are decimals too for Python.
    if not re.fullmatch(form, word):
        raise BadOptionError(f"{option} {word} is no whole number", expected="digits alone, as 2")
    return int(word)
