"""A real SLURM on this machine: preemption, a driver that ends, a task that fails and one that is killed."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from glioseg import interruption
from glioseg.errors import GliosegError
from glioseg.execution.executor import Event, Task

cloudpickle = pytest.importorskip("cloudpickle", reason="submitit is not installed")
pytest.importorskip("submitit", reason="submitit is not installed")
from glioseg.execution import slurm as slurm_module  # noqa: E402
from glioseg.execution.slurm import SlurmExecutor  # noqa: E402


def begun(key: str, folder: Path) -> int:
    """How often a task has begun, this time included."""
    with (folder / key).open("a") as file:
        file.write("begun\n")
    return len((folder / key).read_text().splitlines())


def do(key: str, folder: Path) -> None:
    first = begun(key, folder) == 1
    if key == "fails":
        raise GliosegError("this one always fails")
    while first and key == "preempted":
        time.sleep(0.05)
        interruption.check()
    while first and key == "killed":
        time.sleep(0.05)


def task(key: str, folder: Path) -> Task:
    return Task(key, partial(do, key, folder), folder / "logs" / key / "job.log")


def number_of(executor: SlurmExecutor, key: str) -> str:
    return str(json.loads((executor.folder / "slurm.json").read_text())[key])


def until_running(events: Iterator[Event], *keys: str) -> dict[str, Event]:
    found: dict[str, Event] = {}
    for event in events:
        found[event.key] = event
        if all(key in found for key in keys):
            break
    return found


def begin_at_once(number: str) -> None:
    """What is queued again would wait for two minutes."""
    for _ in range(100):
        if not subprocess.run(["scontrol", "update", f"JobId={number}", "StartTime=now"], check=False).returncode:
            return
        time.sleep(0.2)


@pytest.mark.parametrize("patience", [600.0, -1.0])
def test_a_controller_that_is_silent_for_a_while_ends_no_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patience: float
) -> None:
    answers = iter([GliosegError("SLURM does not answer"), {}])

    def queue() -> dict[str, str]:
        answer = next(answers)
        if isinstance(answer, GliosegError):
            raise answer
        return answer

    (tmp_path / "result").touch()
    ended = SimpleNamespace(job_id="1", paths=SimpleNamespace(result_pickle=tmp_path / "result"), result=lambda: None)
    monkeypatch.setattr(slurm_module, "_queue", queue)
    monkeypatch.setattr(slurm_module, "POLL_SECONDS", 0)
    monkeypatch.setattr(slurm_module, "SILENT_SECONDS", patience)
    monkeypatch.setattr(SlurmExecutor, "_submitted", lambda executor, jobs: {job.key: ended for job in jobs})
    events = SlurmExecutor(tmp_path).run([task("easy", tmp_path)])
    if patience > 0:
        assert list(events) == [Event("easy", "done")]
    else:
        with pytest.raises(GliosegError, match="SLURM does not answer"):
            list(events)


def test_tasks_end_as_they_should_whatever_happens_to_them_and_to_the_driver(slurm: Path, tmp_path: Path) -> None:
    # Workers cannot import this module.
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    tasks = [task(key, tmp_path) for key in ("preempted", "killed", "fails", "easy")]
    executor = SlurmExecutor(tmp_path / "jobs", gpus=0)
    first_driver = executor.run(tasks)
    until_running(first_driver, "preempted", "killed")
    numbers = {each.key: number_of(executor, each.key) for each in tasks}
    # The driver ends here, while two tasks run and two wait; the next one finds them all.
    first_driver.close()  # type: ignore[attr-defined]
    second_driver = SlurmExecutor(tmp_path / "jobs", gpus=0).run(tasks)
    until_running(second_driver, "preempted", "killed")
    while not all((tmp_path / key).exists() for key in ("preempted", "killed")):
        time.sleep(0.1)
    with suppress(subprocess.TimeoutExpired):
        # Its signal comes at once, but it asks on and on about a job that is queued again meanwhile.
        subprocess.run(["scancel", "--signal=USR2", numbers["preempted"]], check=False, timeout=5)
    subprocess.run(["scancel", numbers["killed"]], check=True)
    ended, requeued = dict[str, Event](), list[str]()
    for event in second_driver:
        ended[event.key] = event
        if event.state == "waiting":
            requeued.append(event.key)
            begin_at_once(numbers[event.key])
    assert requeued == ["preempted"]
    assert {key: event.state for key, event in ended.items()} == {
        "preempted": "done",
        "killed": "failed",
        "fails": "failed",
        "easy": "done",
    }
    assert ended["fails"].error == "this one always fails."
    assert str(tmp_path / "logs" / "killed" / "job.log") in ended["killed"].error
    assert {each.key: number_of(executor, each.key) for each in tasks} == numbers
    times = {key: len((tmp_path / key).read_text().splitlines()) for key in numbers}
    assert times == {"preempted": 2, "killed": 1, "fails": 1, "easy": 1}
