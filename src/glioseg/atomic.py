"""Files that are written whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from glioseg.errors import GliosegError
from glioseg.files import readable


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes its name only once it is complete and on the disk.

    An exception inside the block, a full disk included, leaves whatever stood at ``path`` as it was and removes
    the unfinished file.

    Raises:
        GliosegError: If the file cannot be written; the message names it and the cause.
    """
    unfinished: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        unfinished = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files private to the user; results are as readable as any other file.
        unfinished.chmod(0o666 & ~_umask())
        unfinished.replace(path)
    except OSError as error:
        raise GliosegError(
            f"cannot write {path}: {error.strerror or error}",
            remedy="Free space or choose another folder; what stood there before is unchanged",
        ) from error
    finally:
        if unfinished is not None:
            unfinished.unlink(missing_ok=True)


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Write a binary file whole or not at all; raises as :func:`atomic_file`."""
    with atomic_file(path) as file:
        file.write(content)


def write_text_atomically(path: Path, text: str) -> None:
    """Write a UTF-8 text file whole or not at all; raises as :func:`atomic_file`."""
    write_bytes_atomically(path, readable(text).encode())


def check_writable(folder: Path) -> None:
    """See that files can be written into a folder, which is made, before anything is computed for it.

    Raises:
        GliosegError: If they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise GliosegError(
            f"cannot write into {folder}: {error.strerror or error}", remedy="Choose a folder that can be written"
        ) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
