"""Options that several commands share, and how their words are read."""

from typing import Annotated, Literal

from cyclopts import Parameter

from glioseg.errors import GliosegError

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print the result as JSON.")]
Device = Annotated[Literal["auto", "cpu", "cuda"], Parameter(help="Where to compute.")]
EngineName = Literal["local", "slurm", "ray"]
# As glioseg.machine has it, which is imported when a command runs.
Precision = Literal["auto", "32", "bf16"]
Backend = Literal["auto", "torch", "openvino", "onnxruntime"]
Presence = Literal["on", "off"]
Settings = Annotated[tuple[str, ...], Parameter(name="--set", negative="")]
Flag = Parameter(negative="")
Several = Parameter(negative="", consume_multiple=True)


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
    """Words as :func:`comma_separated` reads them, each a number.

    Raises:
        GliosegError: If one is none.
    """
    found = comma_separated(words)
    for word in found:
        if not word.isdecimal():
            raise GliosegError(f"{option} {word} is no whole number", expected="as 0,1,2")
    return tuple(int(word) for word in found)
