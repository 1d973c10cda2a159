"""How far jobs are, for a person or as lines of JSON."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from glioseg.errors import GliosegError
from glioseg.execution.executor import Event

SHOWN = 5


@dataclass
class Watch:
    """Counts jobs by what became of them, and tells each change.

    Attributes:
        total: How many jobs there are.
        progress: Takes a line.
        what: What a job is, in the plural.
        as_json: Whether lines are JSON.
        done: Finished, those before this command included.
        running: Under way.
        failed: With the reason, by key.
    """

    total: int
    progress: Callable[[str], None]
    what: str = "runs"
    as_json: bool = False
    done: int = 0
    running: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    _began: float = 0.0
    _ended: int = 0

    @property
    def waiting(self) -> int:
        """Jobs that have not begun."""
        return self.total - self.done - len(self.running) - len(self.failed)

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; None before the first has ended."""
        left = self.waiting + len(self.running)
        return (time.monotonic() - self._began) / self._ended * left if self._ended else None

    def follow(self, events: Iterable[Event]) -> Iterator[Event]:
        """Tell how things stand, then count events and tell them on the way."""
        self._began = time.monotonic()
        self.progress(self._line())
        for event in events:
            self._count(event)
            self.progress(self._line(event))
            yield event

    def raise_failures(self, remedy: str) -> None:
        """Tell of jobs that failed.

        Raises:
            GliosegError: If there are any.
        """
        if not self.failed:
            return
        told = [f"{key}: {error.rstrip('.')}" for key, error in list(self.failed.items())[:SHOWN]]
        more = [f"and {len(self.failed) - SHOWN} more"] if len(self.failed) > SHOWN else []
        problem = f"{len(self.failed)} of {self.total} {self.what} failed"
        raise GliosegError("\n".join([problem, *told, *more]), remedy=remedy)

    def _count(self, event: Event) -> None:
        if event.state == "running":
            self.running.add(event.key)
            return
        self.running.discard(event.key)
        if event.state == "waiting":
            return
        self._ended += 1
        if event.state == "done":
            self.done += 1
        else:
            self.failed[event.key] = event.error

    def _line(self, event: Event | None = None) -> str:
        counts = {
            "waiting": self.waiting,
            "running": len(self.running),
            "done": self.done,
            "failed": len(self.failed),
        }
        left = self.seconds_left
        if self.as_json:
            return json.dumps(_as_json(event) | counts | {"seconds_left": None if left is None else round(left)})
        told = [f"{number} {state}" for state, number in counts.items()]
        told += [f"about {duration_in_words(left)} left"] if left else []
        stand = f"{self.what}: {', '.join(told)}"
        if event is None:
            return stand
        why = f": {event.error}" if event.error else ""
        return f"{event.key} {event.state}{why} ({stand})"


def _as_json(event: Event | None) -> dict[str, Any]:
    if event is None:
        return {}
    return {"job": event.key, "state": event.state, **({"error": event.error} if event.error else {})}


def duration_in_words(seconds: float) -> str:
    """Seconds as minutes and hours in words; never less than a minute."""
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{max(1, minutes)} min"
