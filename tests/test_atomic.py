import os
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from glioseg import atomic as module
from glioseg.atomic import (
    atomic_file,
    atomic_folder,
    check_writable,
    clear_unfinished,
    write_bytes_atomically,
    write_text_atomically,
)
from glioseg.errors import GliosegError

LIMIT_BYTES = 64 * 1024


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_text_and_bytes_come_back_as_written(tmp_path: Path) -> None:
    write_text_atomically(tmp_path / "text", "größe\n")
    write_bytes_atomically(tmp_path / "bytes", b"\x00\r\n\xff")
    assert (tmp_path / "text").read_bytes() == "größe\n".encode()
    assert (tmp_path / "bytes").read_bytes() == b"\x00\r\n\xff"
    assert names(tmp_path) == ["bytes", "text"]


@pytest.mark.parametrize("length", [240, 300])
def test_a_name_that_is_too_long_is_to_be_shortened(length: int, tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match=r"File name too long\. .* a shorter name\."):
        write_text_atomically(tmp_path / ("x" * length), "")
    with pytest.raises(GliosegError, match="a shorter name"), atomic_folder(tmp_path / ("x" * length)):
        pass
    assert names(tmp_path) == []


def test_folders_on_the_way_are_made(tmp_path: Path) -> None:
    write_text_atomically(tmp_path / "a" / "b" / "c", "x")
    assert (tmp_path / "a" / "b" / "c").read_text() == "x"


def test_the_name_is_taken_only_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with atomic_file(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write_half() -> None:
        with atomic_file(path) as file:
            file.write(b"half")
            raise error("stop")

    with pytest.raises(error, match="stop"):
        write_half()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_a_result_is_as_readable_as_any_other_file(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        write_text_atomically(tmp_path / "file", "x")
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


WRITES = {
    "write at once": "write_bytes_atomically(path, b'x' * {size})",
    "write piece by piece": "\n    ".join(
        ["with atomic_file(path) as file:", "    for _ in range({size} // 1000 + 1): file.write(b'x' * 1000)"]
    ),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_when_the_system_takes_no_more_bytes_the_old_content_stays(tmp_path: Path, write: str) -> None:
    """The system itself refuses the write, in a process of its own."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    script = f"""
from pathlib import Path
from glioseg.atomic import atomic_file, atomic_folder, clear_unfinished, write_bytes_atomically
from glioseg.errors import GliosegError
path = Path({str(path)!r})
try:
    {write.format(size=2 * LIMIT_BYTES)}
except GliosegError as error:
    print(error)
"""

    def limit_file_size() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_BYTES, LIMIT_BYTES))

    ran = subprocess.run(
        [sys.executable, "-B", "-c", script], preexec_fn=limit_file_size, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(f"cannot write {path}: File too large. Free space")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_disk_that_is_full_only_at_the_last_moment_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some file systems accept every write and report the full disk when asked to flush."""
    (tmp_path / "file").write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(GliosegError, match="No space left on device"):
        write_text_atomically(tmp_path / "file", "new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_folder_that_is_a_file_is_an_error_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(GliosegError, match=r"cannot write .*taken/file: ") as caught:
        write_text_atomically(tmp_path / "taken" / "file", "x")
    assert "Not a directory" in str(caught.value) or "File exists" in str(caught.value)
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_folder_of_the_same_name_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file" / "within").mkdir(parents=True)
    with pytest.raises(GliosegError, match=r"cannot write .*file: Is a directory"):
        write_text_atomically(tmp_path / "file", "x")
    assert names(tmp_path) == ["file"]
    assert names(tmp_path / "file") == ["within"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder_is_an_error_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(GliosegError, match="Permission denied"):
            write_text_atomically(tmp_path / "file", "new")
    finally:
        tmp_path.chmod(0o700)
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_folder_appears_with_all_its_files(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "deep" / "P1") as folder:
        (folder / "1_mask.tif").write_text("new 1")
        assert not (tmp_path / "deep" / "P1").exists()
        (folder / "2_mask.tif").write_text("new 2")
    assert contents(tmp_path) == {"deep/P1/1_mask.tif": "new 1", "deep/P1/2_mask.tif": "new 2"}


def test_a_folder_takes_its_name_once_all_its_files_are_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: set[str] = set()

    def note(descriptor: int) -> None:
        assert not (tmp_path / "P1").exists()
        flushed.add(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    monkeypatch.setattr(os, "fsync", note)
    with atomic_folder(tmp_path / "P1") as folder:
        write_folder(folder, {"1": "new", "2": "new", "sub/a": "new"})
    assert flushed == {"1", "2", "a"}


def test_a_folder_for_which_the_disk_is_full_at_the_last_moment_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path / "P1", {"1": "old"})

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(GliosegError, match=r"cannot write .*P1: No space"), atomic_folder(tmp_path / "P1") as folder:
        (folder / "1").write_text("new")
    assert contents(tmp_path) == {"P1/1": "old"}


def test_of_an_earlier_folder_what_is_ours_goes_and_the_rest_is_taken_along(tmp_path: Path) -> None:
    write_folder(tmp_path / "P1", {"1_mask.tif": "old 1", "3_mask.tif": "old 3", "notes.txt": "mine", "sub/a": "mine"})
    with atomic_folder(tmp_path / "P1", ours="*_mask.tif") as folder:
        (folder / "1_mask.tif").write_text("new 1")
        assert (tmp_path / "P1" / "3_mask.tif").read_text() == "old 3"
    assert contents(tmp_path) == {"P1/1_mask.tif": "new 1", "P1/notes.txt": "mine", "P1/sub/a": "mine"}


@pytest.mark.parametrize("error", [ValueError("stop"), OSError(28, "No space left on device")])
def test_a_folder_that_is_not_finished_leaves_what_was_there(tmp_path: Path, error: Exception) -> None:
    write_folder(tmp_path / "P1", {"1": "old"})

    def write_half() -> None:
        with atomic_folder(tmp_path / "P1") as folder:
            (folder / "1").write_text("half")
            raise error

    with pytest.raises((ValueError, GliosegError), match=r"stop|cannot write .*P1: No space"):
        write_half()
    assert contents(tmp_path) == {"P1/1": "old"}


@pytest.mark.parametrize("moment", ["file", "folder", "exchange"])
def test_what_a_killed_process_leaves_is_cleared_and_nothing_is_lost(tmp_path: Path, moment: str) -> None:
    """Killed while a file or a folder is written, and between the two renames that exchange two folders."""
    write_folder(tmp_path / "P1", {"1": "old"})
    script = f"""
import os, signal
from pathlib import Path
from glioseg import atomic
root, moment, rename = Path({str(tmp_path)!r}), {moment!r}, Path.rename
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
def rename_once(path, target):
    rename(path, target)
    die()
if moment == "exchange": Path.rename = rename_once
if moment == "file":
    with atomic.atomic_file(root / "table") as file: file.write(b"half"); die()
with atomic.atomic_folder(root / "P1") as folder:
    (folder / "1").write_text("half")
    if moment == "folder": die()
"""
    ran = subprocess.run([sys.executable, "-B", "-c", script], check=False)
    assert ran.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2
    clear_unfinished(tmp_path)
    assert contents(tmp_path) == {"P1/1": "old"}


def test_what_a_living_process_is_writing_stays(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "file") as file, atomic_folder(tmp_path / "folder") as folder:
        file.write(b"x")
        clear_unfinished(tmp_path)
        (folder / "1").write_text("1")
    assert contents(tmp_path) == {"file": "x", "folder/1": "1"}


def test_what_is_cleared_away_before_it_is_held_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process looks for what is abandoned between the making of a file or folder and its lock."""
    hold, looked = module._hold, []

    def hold_late(descriptor: int, *, wait: bool = False) -> bool:
        if wait and len(looked) in (0, 2):
            looked.append(descriptor)
            clear_unfinished(tmp_path)
        elif wait:
            looked.append(descriptor)
        return hold(descriptor, wait=wait)

    monkeypatch.setattr(module, "_hold", hold_late)
    with atomic_file(tmp_path / "file") as file:
        file.write(b"x")
    with atomic_folder(tmp_path / "folder") as folder:
        (folder / "1").write_text("1")
    assert len(looked) == 4
    assert contents(tmp_path) == {"file": "x", "folder/1": "1"}


def write_folder(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_place_is_tried_without_leaving_anything(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "deep")
    check_writable(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_place_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "file" / "deep"):
        with pytest.raises(GliosegError, match="cannot write into"):
            check_writable(folder)
