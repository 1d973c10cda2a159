"""A case in a process of its own, with limits on time and memory: whatever it does, the others run on."""

import os
import resource
import select
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from glioseg.errors import GliosegError

SECONDS = 10
"""Of computing that a case may take."""
MEMORY_BYTES = 3 * 2**30
"""What a case may take beyond the program itself."""
WAIT_SECONDS = 600
"""After so long a case that computes nothing hangs, however busy the machine is."""

ANSWER, REFUSAL = "answer", "refusal"


@dataclass(frozen=True)
class Outcome:
    """What came of a case: an answer, a refusal, or a defect told by its last line."""

    kind: str
    details: str = ""

    @property
    def is_defect(self) -> bool:
        return self.kind not in (ANSWER, REFUSAL)


def outcome_of(use: Callable[[], None]) -> Outcome:
    """Run a case in a child of this process. What is loaded already need not be loaded again."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _report(use, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = _wait(pipe.fileno(), child)
    _, status = os.waitpid(child, 0)
    if told is None:
        return Outcome("hangs", f"no end after {WAIT_SECONDS} s")
    if os.WIFSIGNALED(status):
        by = signal.Signals(os.WTERMSIG(status))
        late = by == signal.SIGPROF
        return Outcome("too long" if late else "killed", f"more than {SECONDS} s" if late else by.name)
    kind, _, details = told.decode(errors="replace").partition("\n")
    return Outcome(kind or "ended", details)


def _report(use: Callable[[], None], writing: int) -> None:
    """In the child: run the case under its limits, tell what came of it, and end without any clean-up."""
    kind, details = "", ""
    try:
        _silence()
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY_BYTES,) * 2)
        # The signal ends the process also while a library computes.
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        use()
        kind = ANSWER
    except GliosegError as error:
        kind, details = REFUSAL, str(error)
    except BaseException:
        kind, details = "traceback", traceback.format_exc()
    finally:
        os.write(writing, f"{kind}\n{details[-4000:]}".encode(errors="replace"))
        os._exit(0)


def _silence() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _wait(pipe: int, child: int) -> bytes | None:
    told, end = b"", time.monotonic() + WAIT_SECONDS
    while True:
        ready, _, _ = select.select([pipe], [], [], max(end - time.monotonic(), 0))
        if not ready:
            os.kill(child, signal.SIGKILL)
            return None
        piece = os.read(pipe, 65536)
        if not piece:
            return told
        told += piece
