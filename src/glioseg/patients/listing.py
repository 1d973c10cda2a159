"""Scans named in a file, for archives that are too large to be walked through."""

from collections.abc import Iterable
from pathlib import Path

from glioseg.errors import GliosegError
from glioseg.patients.find import find_sources
from glioseg.patients.found import FoundPatients
from glioseg.patients.shard import Shard


def read_list(path: Path, shard: Shard | None = None) -> list[Path]:
    """The folders and files that a text file names, one a line; empty lines and those after # do not count.

    Args:
        path: The text file.
        shard: Only the lines of this part.

    Raises:
        GliosegError: If the file cannot be read.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise GliosegError(f"{path} cannot be read as a list of scans: {error}") from error
    named = dict.fromkeys(line for line in lines if line and not line.startswith("#"))
    return [Path(line) for line in named if shard is None or shard.holds(line)]


def find_listed(paths: Iterable[Path]) -> FoundPatients:
    """The patients of each path; one that holds none, or none that was not named before, is told as a failure."""
    found = FoundPatients()
    for path in paths:
        try:
            found.join(find_sources([path]))
        except GliosegError as error:
            found.failures[str(path)] = str(error)
    return found
