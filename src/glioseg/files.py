"""Files as people have them: hidden ones among them, links to folders, names in whichever encoding."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

READINGS = "review.sqlite"
"""Lies in the folder that holds what readers made of the masks around it: second masks of the same patients, which only
those mean who name that folder."""

# What Windows and macOS leave in folders under names that do not begin with a dot.
_LEFT_BEHIND = ("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx")
_UNDECODED = re.compile("[\udc80-\udcff]")


def is_hidden(name: str) -> bool:
    """Whether a file or folder is one that systems leave behind and nobody looks for: ``._a.tif``, ``Thumbs.db``."""
    return name.startswith(".") or name.lower() in _LEFT_BEHIND


def entries(folder: Path) -> list[Path]:
    """What lies in a folder but for the hidden, in the order of names."""
    return sorted(path for path in folder.iterdir() if not is_hidden(path.name))


def walk(root: Path) -> Iterator[Path]:
    """Every file below a folder, hidden ones too, but those that ``glioseg review`` made of the masks in it.

    Links to folders are followed, after everything else and each folder once; one to a folder around the root is
    not. A folder that cannot be opened comes in place of its files.
    """
    seen: set[tuple[int, int]] = set()
    around = {_identity(folder) for folder in (root.resolve(), *root.resolve().parents)}
    waiting, closed = [root], list[Path]()
    # The list grows while it is gone through.
    for start in waiting:
        for folder, subfolders, names in os.walk(start, onerror=lambda error: closed.append(Path(error.filename))):
            if (here := _identity(Path(folder))) in seen or (start != root and here in around):
                subfolders.clear()
                continue
            seen.add(here)
            paths = {Path(folder, name) for name in subfolders if not _holds_readings(Path(folder, name))}
            waiting += sorted(path for path in paths if path.is_symlink())
            subfolders[:] = sorted(path.name for path in paths if not path.is_symlink())
            yield from (Path(folder, name) for name in sorted(names))
    yield from closed


def is_hidden_below(root: Path, path: Path) -> bool:
    """Whether a file or one of the folders between it and the root is hidden."""
    return any(is_hidden(part) for part in path.relative_to(root).parts)


def visible_files(root: Path) -> list[Path]:
    """The files below a folder but for the hidden, in the order of their paths."""
    return sorted(path for path in walk(root) if not is_hidden_below(root, path) and path.is_file())


def readable(text: str) -> str:
    """A name that can be printed and written: bytes that are no UTF-8, as old archives have them, become letters.

    Python holds such bytes as surrogates (PEP 383), which no file of text takes. They are read as Windows-1252.
    """
    return _UNDECODED.sub(lambda found: bytes([ord(found[0]) - 0xDC00]).decode("cp1252", "replace"), text)


def _holds_readings(folder: Path) -> bool:
    try:
        return (folder / READINGS).exists()
    except OSError:
        # It cannot be opened, which the walk tells.
        return False


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino
