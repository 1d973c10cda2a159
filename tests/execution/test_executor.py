"""Jobs one by one and side by side: all are done, a failure is told as it is, and nothing goes on behind it."""

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from glioseg.errors import GliosegError
from glioseg.execution.engines import Engine
from glioseg.execution.executor import Event, LocalExecutor, Task, alone, perform
from glioseg.execution.local import ParallelExecutor

KEYS = ("one", "two", "three")
LENGTH = 1_000_000


def note(key: str, folder: Path) -> None:
    (folder / key).write_text(str(os.getpid()))


def meet(key: str, folder: Path) -> None:
    """Done only once every task has begun."""
    note(key, folder)
    while not all((folder / each).exists() for each in KEYS):
        time.sleep(0.01)


def fail_with_one(key: str, folder: Path) -> None:
    """The last one fails once all have begun; the others would never end."""
    meet(key, folder)
    if key == KEYS[-1]:
        raise GliosegError("a loss is no number", found="infinity", remedy="Lower it")
    while True:
        time.sleep(0.01)


def die_with_one(key: str, folder: Path) -> None:
    meet(key, folder)
    if key == KEYS[-1]:
        print("the last words", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    while True:
        time.sleep(0.01)


def fail_at_one(key: str, folder: Path) -> None:
    if key == KEYS[0]:
        raise GliosegError("a loss is no number")
    note(key, folder)


def fail_at_length() -> None:
    raise GliosegError("x" * LENGTH)


def break_at_one(key: str, folder: Path) -> None:
    print(f"now {key}")
    if key == KEYS[0]:
        raise ZeroDivisionError("a defect")


def tasks(do: Callable[[str, Path], None], folder: Path) -> list[Task]:
    (folder / "at").mkdir()
    return [Task(key, partial(do, key, folder / "at"), folder / "logs" / key / "job.log") for key in KEYS]


def process_of(key: str, folder: Path) -> int:
    return int((folder / "at" / key).read_text())


def ended(events: list[Event]) -> dict[str, str]:
    return {event.key: event.state for event in events if event.state != "running"}


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def all_ended(folder: Path) -> bool:
    for _ in range(500):
        if not any(is_running(process_of(key, folder)) for key in KEYS):
            return True
        time.sleep(0.01)
    return False


def first_failure(folder: Path, do: Callable[[str, Path], None]) -> Event:
    """The first that fails; the others are then no longer wanted."""
    events = ParallelExecutor(3).run(tasks(do, folder))
    failed = next(event for event in events if event.state == "failed")
    events.close()  # type: ignore[attr-defined]
    return failed


def test_one_by_one_they_are_done_in_order_in_this_process(tmp_path: Path) -> None:
    events = list(LocalExecutor().run(tasks(note, tmp_path)))
    assert events == [Event(key, state) for key in KEYS for state in ("running", "done")]  # type: ignore[arg-type]
    assert {process_of(key, tmp_path) for key in KEYS} == {os.getpid()}


def test_one_that_fails_holds_no_other_up(tmp_path: Path) -> None:
    events = list(LocalExecutor().run(tasks(fail_at_one, tmp_path)))
    assert ended(events) == {"one": "failed", "two": "done", "three": "done"}
    assert Event("one", "failed", "a loss is no number.") in events


def test_side_by_side_they_are_under_way_together(tmp_path: Path) -> None:
    events = list(ParallelExecutor(3).run(tasks(meet, tmp_path)))
    assert ended(events) == dict.fromkeys(KEYS, "done")
    assert len({process_of(key, tmp_path) for key in KEYS} | {os.getpid()}) == 4


def test_more_than_places_are_all_done_each_in_a_process_of_its_own(tmp_path: Path) -> None:
    assert ended(list(ParallelExecutor(2).run(tasks(note, tmp_path)))) == dict.fromkeys(KEYS, "done")
    assert len({process_of(key, tmp_path) for key in KEYS}) == 3


def test_a_failure_keeps_its_words_and_ending_there_ends_the_others(tmp_path: Path) -> None:
    failed = first_failure(tmp_path, fail_with_one)
    assert failed == Event("three", "failed", "a loss is no number: found infinity. Lower it.")
    assert all_ended(tmp_path)


def test_a_message_longer_than_a_pipe_holds_arrives_whole(tmp_path: Path) -> None:
    job = Task("one", fail_at_length, tmp_path / "one" / "job.log")
    assert [(event.state, len(event.error)) for event in ParallelExecutor(2).run([job])] == [
        ("running", 0),
        ("failed", LENGTH + 1),
    ]


def test_a_process_ended_from_outside_is_told_with_its_last_lines(tmp_path: Path) -> None:
    failed = first_failure(tmp_path, die_with_one)
    assert "ended from outside" in failed.error
    assert failed.error.endswith("\n  the last words")
    assert all_ended(tmp_path)


def test_a_defect_is_told_with_its_last_lines_and_the_rest_is_in_the_log(tmp_path: Path) -> None:
    (first, *others) = tasks(break_at_one, tmp_path)
    error = perform(first) or ""
    assert error.endswith("\n  ZeroDivisionError: a defect")
    assert str(first.log) in error
    assert "now one" in first.log.read_text()
    assert "Traceback" in first.log.read_text()
    assert [perform(task) for task in others] == [None, None]


def test_what_another_process_does_is_waited_for(tmp_path: Path) -> None:
    (task, *_) = tasks(note, tmp_path)
    read, write = os.pipe()
    with alone(task.log):
        child = os.fork()
        if child == 0:
            os.close(read)
            os.write(write, b"begun")
            os._exit(0 if perform(task) is None else 1)
        assert os.read(read, 5) == b"begun"
        while "waiting for it" not in (task.log.read_text() if task.log.exists() else ""):
            time.sleep(0.01)
        assert not (tmp_path / "at" / "one").exists()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert process_of("one", tmp_path) == child


@pytest.mark.parametrize(("workers", "kind"), [(None, LocalExecutor), (1, LocalExecutor), (2, ParallelExecutor)])
def test_one_at_once_needs_no_other_process(tmp_path: Path, workers: int | None, kind: type) -> None:
    assert type(Engine(workers=workers).executor(tmp_path)) is kind


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        (Engine(workers=0), "--workers 0 is too few: expected a whole number from 1"),
        (Engine("slurm", minutes=0), "--time 0 is too few"),
        (Engine("ray", cpus=-1), "--cpus-per-run -1 is too few"),
        (Engine("ray", gpus=-0.5), "--gpus-per-run -0.5 is less than none"),
        (Engine(address="auto"), "--address is an option of --engine ray"),
        (Engine("ray", partition="gpu"), "--partition is an option of --engine slurm"),
        (Engine("ray", minutes=5), "--time is an option of --engine slurm"),
        (Engine("slurm", gpus=0.5), "SLURM gives whole GPUs"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path: Path, engine: Engine, message: str) -> None:
    with pytest.raises(GliosegError, match=message):
        engine.executor(tmp_path)
