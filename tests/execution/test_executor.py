"""Jobs one by one and side by side: all are done, a failure is told as it is, and nothing goes on behind it."""

import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from glioseg.dataset.splits import Split
from glioseg.errors import GliosegError
from glioseg.execution.executor import LocalExecutor, ParallelExecutor, executor_of
from glioseg.study.plan import Job, StudyPlan, parse_candidates
from glioseg.training.config import TrainingConfig

SPLIT = Split("fold 0 of 2", ("a",), ("b",), ("c",))
NETWORKS = ("unet:2", "unet:4", "unet:8")
JOBS = tuple(StudyPlan(parse_candidates(NETWORKS), (SPLIT,), (0,), TrainingConfig()).jobs())


def note(job: Job, *, folder: Path) -> None:
    (folder / job.key).write_text(str(os.getpid()))


def meet(job: Job, *, folder: Path) -> None:
    """Done only once every job has begun."""
    note(job, folder=folder)
    while len(list(folder.iterdir())) < len(JOBS):
        time.sleep(0.01)


def fail_with_one(job: Job, *, folder: Path) -> None:
    """The last one fails once all have begun; the others would never end."""
    meet(job, folder=folder)
    if job == JOBS[-1]:
        raise GliosegError("a loss is no number", found="infinity", remedy="Lower it")
    while True:
        time.sleep(0.01)


def die_with_one(job: Job, *, folder: Path) -> None:
    meet(job, folder=folder)
    if job == JOBS[-1]:
        os.kill(os.getpid(), signal.SIGKILL)
    while True:
        time.sleep(0.01)


def process_of(job: Job, folder: Path) -> int:
    return int((folder / job.key).read_text())


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def all_ended(folder: Path) -> bool:
    for _ in range(500):
        if not any(is_running(process_of(job, folder)) for job in JOBS):
            return True
        time.sleep(0.01)
    return False


def test_one_by_one_they_are_done_in_order_in_this_process(tmp_path: Path) -> None:
    assert tuple(LocalExecutor().run(JOBS, partial(note, folder=tmp_path))) == JOBS
    assert {process_of(job, tmp_path) for job in JOBS} == {os.getpid()}


def test_side_by_side_they_are_under_way_together(tmp_path: Path) -> None:
    assert set(ParallelExecutor(3).run(JOBS, partial(meet, folder=tmp_path))) == set(JOBS)
    assert len({process_of(job, tmp_path) for job in JOBS} | {os.getpid()}) == 4


def test_more_jobs_than_places_are_all_done_each_in_a_process_of_its_own(tmp_path: Path) -> None:
    assert set(ParallelExecutor(2).run(JOBS, partial(note, folder=tmp_path))) == set(JOBS)
    assert len({process_of(job, tmp_path) for job in JOBS}) == 3


def test_a_failure_keeps_its_words_and_ends_the_others(tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match=r"^a loss is no number: found infinity\. Lower it\.$"):
        list(ParallelExecutor(3).run(JOBS, partial(fail_with_one, folder=tmp_path)))
    assert all_ended(tmp_path)


def test_a_process_ended_from_outside_is_told_and_ends_the_others(tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match="ended from outside"):
        list(ParallelExecutor(3).run(JOBS, partial(die_with_one, folder=tmp_path)))
    assert all_ended(tmp_path)


@pytest.mark.parametrize(("at_once", "kind"), [(1, LocalExecutor), (2, ParallelExecutor)])
def test_one_at_once_needs_no_other_process(at_once: int, kind: type) -> None:
    assert type(executor_of(at_once)) is kind


@pytest.mark.parametrize("at_once", [0, -1])
def test_none_at_once_is_refused(at_once: int) -> None:
    with pytest.raises(GliosegError, match="a whole number from 1"):
        executor_of(at_once)
