"""Files and folders that are written whole or not at all."""

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import BinaryIO

from glioseg.errors import BadOptionError, GliosegError
from glioseg.files import readable

_UNFINISHED, _REPLACED = ".unfinished", ".replaced"
_AT_ONCE = 4


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes its name only once it is complete and on the disk.

    An exception inside the block, a full disk included, leaves whatever stood at ``path`` as it was and removes
    the unfinished file. A process that is killed leaves a hidden file, which :func:`clear_unfinished` takes away.

    Raises:
        GliosegError: If the file cannot be written; the message names it and the cause.
    """
    try:
        with _unfinished_file(path) as (file, unfinished):
            yield file
            _complete(file, unfinished)
            unfinished.replace(path)
    except OSError as error:
        raise _cannot_write(path, error) from error


@contextmanager
def atomic_folder(path: Path, *, ours: str = "*") -> Iterator[Path]:
    """A new folder that takes its name, with all its files, only once it is complete and on the disk.

    Of a folder that stood there, the files that match ``ours`` are replaced as a whole, and all others are taken along.

    Raises:
        GliosegError: If it cannot be written; the message names it and the cause. What stood there is unchanged.
    """
    try:
        with unfinished_folder(path) as unfinished:
            yield unfinished
            _bring_to_disk(unfinished)
            unfinished.chmod(0o777 & ~_umask())
            if path.is_dir():
                _take_along(path, unfinished, ours)
                _exchange(path, unfinished)
            else:
                unfinished.rename(path)
    except OSError as error:
        raise _cannot_write(path, error) from error


@contextmanager
def unfinished_folder(path: Path) -> Iterator[Path]:
    """A hidden folder beside another, which is gone at the end of the block unless it was given a name.

    Raises:
        OSError: If it cannot be made.
    """
    descriptor, unfinished = _made_and_held(path, _opened_folder)
    try:
        yield unfinished
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        os.close(descriptor)


def clear_unfinished(folder: Path, of: str | None = None) -> None:
    """Take away what killed processes left in a folder; what a living one is writing, on this machine, stays.

    A folder that was being replaced when its process was killed comes back.

    Args:
        folder: Where they wrote.
        of: Only what belongs to this name, where the folder is not ours alone.
    """
    name = "*" if of is None else escape(of)
    for path in folder.glob(f".{name}.*{_UNFINISHED}"):
        with _abandoned(path) as abandoned:
            if abandoned:
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for path in folder.glob(f".{name}{_REPLACED}"):
        with _abandoned(path) as abandoned:
            if abandoned:
                replaced = path.with_name(path.name[1 : -len(_REPLACED)])
                shutil.rmtree(path) if replaced.exists() else path.rename(replaced)


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Write a binary file whole or not at all; raises as :func:`atomic_file`."""
    with atomic_file(path) as file:
        file.write(content)


def write_text_atomically(path: Path, text: str) -> None:
    """Write a UTF-8 text file whole or not at all; raises as :func:`atomic_file`."""
    write_bytes_atomically(path, readable(text).encode())


def claim(path: Path, text: str) -> bool:
    """Write a UTF-8 text file whole, unless one stands there already; of several processes one succeeds.

    Returns:
        Whether it was written.

    Raises:
        GliosegError: If it cannot be.
    """
    try:
        with _unfinished_file(path) as (file, unfinished):
            file.write(readable(text).encode())
            _complete(file, unfinished)
            try:
                os.link(unfinished, path)
            except FileExistsError:
                return False
    except OSError as error:
        raise _cannot_write(path, error) from error
    return True


def check_writable(
    folder: Path, *, file: Path | None = None, remedy: str = "Choose a folder that can be written"
) -> None:
    """See that files can be written into a folder, which need not exist yet, before anything is computed for it.

    Args:
        folder: The folder.
        file: What will be written there, for the message.
        remedy: What to do where they cannot, likewise.

    Raises:
        GliosegError: If they cannot.
    """
    wanted = folder.absolute()
    try:
        nearest = next(path for path in (wanted, *wanted.parents) if path.exists())
        tempfile.TemporaryFile(dir=nearest).close()
    except OSError as error:
        raise GliosegError(
            f"cannot write {file or f'into {folder}'}: {error.strerror or error}",
            remedy=remedy,
        ) from error


def check_file_writable(path: Path) -> None:
    """As :func:`check_writable`, for a file.

    Raises:
        GliosegError: If it cannot be written, or is a folder.
    """
    if path.is_dir():
        raise GliosegError(f"{path} is a folder", expected="the name of a file to write")
    check_writable(path.parent, file=path)


def check_empty(folder: Path) -> None:
    """See that a folder is new or holds nothing.

    Raises:
        GliosegError: If it holds something, or is a file.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadOptionError(f"{folder} is not an empty folder", remedy="Name a folder that does not exist yet")


@contextmanager
def _unfinished_file(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A hidden file beside another, open and held, which is gone at the end of the block unless it was given a name."""
    descriptor, unfinished = _made_and_held(path, tempfile.mkstemp)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file, unfinished
    finally:
        unfinished.unlink(missing_ok=True)


def _opened_folder(suffix: str, prefix: str, parent: Path) -> tuple[int, str]:
    name = tempfile.mkdtemp(suffix, prefix, parent)
    return os.open(name, os.O_RDONLY), name


def _made_and_held(path: Path, make: Callable[[str, str, Path], tuple[int, str]]) -> tuple[int, Path]:
    """Something hidden beside a path, made and held; anew where another process cleared it away in between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        try:
            descriptor, name = make(_UNFINISHED, f".{path.name}.", path.parent)
        except FileNotFoundError:
            if path.parent.is_dir():
                continue
            raise
        _hold(descriptor, wait=True)
        if os.path.lexists(name):
            return descriptor, Path(name)
        os.close(descriptor)


def _complete(file: BinaryIO, path: Path) -> None:
    """Bring a file to the disk, and make it as readable as any other: mkstemp makes it private to the user."""
    file.flush()
    os.fsync(file.fileno())
    path.chmod(0o666 & ~_umask())


def _bring_to_disk(folder: Path) -> None:
    """All files of a folder, several at once: one after the other, each would wait for a journal entry of its own."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(_flush, (path for path in folder.rglob("*") if path.is_file())):
            pass


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _cannot_write(path: Path, error: OSError) -> GliosegError:
    if error.errno == errno.ENAMETOOLONG:
        remedy = "Give the scan or the folder that it is named after a shorter name"
    else:
        remedy = "Free space or choose another folder; what stood there before is unchanged"
    return GliosegError(f"cannot write {path}: {error.strerror or error}", remedy=remedy)


def _take_along(old: Path, new: Path, ours: str) -> None:
    for entry in old.iterdir():
        if entry.match(ours) or entry.name.endswith(_UNFINISHED) or (new / entry.name).exists():
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.copytree(entry, new / entry.name, symlinks=True)
        else:
            shutil.copy2(entry, new / entry.name, follow_symlinks=False)


def _exchange(path: Path, new: Path) -> None:
    """Put a folder in the place of another, which :func:`clear_unfinished` puts back if the process ends in between."""
    aside = path.with_name(f".{path.name}{_REPLACED}")
    shutil.rmtree(aside, ignore_errors=True)
    with _held(path):
        path.rename(aside)
        new.rename(path)
    shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _hold(descriptor)
        yield
    finally:
        os.close(descriptor)


def _hold(descriptor: int, *, wait: bool = False) -> bool:
    """Lock a file for as long as it is open, which ends with the process; False where another holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


@contextmanager
def _abandoned(path: Path) -> Iterator[bool]:
    """Whether no living process holds it, held meanwhile; where locks are not to be had, nothing is abandoned."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        yield _hold(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
