"""How far jobs are is told at every change, in words or as lines of JSON."""

import json
from types import SimpleNamespace

import pytest

from glioseg.errors import GliosegError
from glioseg.execution import watch
from glioseg.execution.executor import Event
from glioseg.execution.watch import Watch

EVENTS = (Event("a", "running"), Event("b", "running"), Event("b", "failed", "no memory"), Event("a", "done"))


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time stands still but for a minute before the first event."""
    minutes = iter((0, 1))
    monkeypatch.setattr(watch, "time", SimpleNamespace(monotonic=lambda: 60.0 * next(minutes, 1)))


def told(*, as_json: bool) -> list[str]:
    lines = list[str]()
    jobs = Watch(4, lines.append, as_json=as_json, done=1)
    assert list(jobs.follow(EVENTS)) == list(EVENTS)
    return lines


def test_in_words() -> None:
    assert told(as_json=False) == [
        "runs: 3 waiting, 0 running, 1 done, 0 failed",
        "a running (runs: 2 waiting, 1 running, 1 done, 0 failed)",
        "b running (runs: 1 waiting, 2 running, 1 done, 0 failed)",
        "b failed: no memory (runs: 1 waiting, 1 running, 1 done, 1 failed, about 2 min left)",
        "a done (runs: 1 waiting, 0 running, 2 done, 1 failed, about 1 min left)",
    ]


def test_as_json() -> None:
    first, *_, failed, last = map(json.loads, told(as_json=True))
    assert first == {"waiting": 3, "running": 0, "done": 1, "failed": 0, "seconds_left": None}
    counts = {"waiting": 1, "running": 1, "done": 1, "failed": 1}
    assert failed == {"job": "b", "state": "failed", "error": "no memory", **counts, "seconds_left": 120}
    assert (last["job"], last["state"], last["seconds_left"]) == ("a", "done", 30)


def test_one_that_lost_its_place_waits_again() -> None:
    lines = list[str]()
    list(Watch(1, lines.append).follow([Event("a", "running"), Event("a", "waiting"), Event("a", "running")]))
    assert lines[2:] == [
        "a waiting (runs: 1 waiting, 0 running, 0 done, 0 failed)",
        "a running (runs: 0 waiting, 1 running, 0 done, 0 failed)",
    ]


def test_those_that_failed_are_named_with_their_reasons_at_the_end() -> None:
    jobs = Watch(7, lambda line: None)
    for _ in jobs.follow(Event(f"job-{number}", "failed", "it is full.") for number in range(6)):
        pass
    with pytest.raises(GliosegError, match=r"(?s)6 of 7 runs failed.*job-0: it is full.*and 1 more.*Do it again"):
        jobs.raise_failures("Do it again")
