"""Scans named in a file, for archives that are too large to be walked through."""

import os
from collections.abc import Iterable
from pathlib import Path

from glioseg.errors import BadFileError, GliosegError
from glioseg.patients.find import find_sources
from glioseg.patients.found import FoundPatients


def read_list(path: Path) -> list[Path]:
    """The folders and files that a text file names, one a line; empty lines and those after # do not count.

    Raises:
        GliosegError: If the file cannot be read, or names nothing.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise GliosegError(f"{path} cannot be read as a list of scans: {reason}") from error
    named = [Path(line) for line in dict.fromkeys(line for line in lines if line and not line.startswith("#"))]
    if not named:
        raise BadFileError(path, "names no scan", expected="the folder or file of a scan on each line")
    return named


def real_paths(lines: Iterable[Path]) -> dict[Path, str]:
    """Of each line what it stands for, however it is written; by this a line belongs to a shard."""
    return {line: os.path.realpath(line) for line in lines}


def find_listed(paths: Iterable[Path]) -> FoundPatients:
    """The patients of each path; one that holds none, or none that was not named before, is told as a failure."""
    found = FoundPatients()
    for path in paths:
        try:
            found.join(find_sources([path]))
        except GliosegError as error:
            found.failures[str(path)] = str(error)
    return found
