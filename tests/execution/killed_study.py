"""Run by the tests in a process of its own: a study once undisturbed, and once killed again and again until it is done.

Each attempt is a fork, so that the libraries are imported once. It dies by SIGKILL at its n-th file, before or after
that file takes its name, and once from outside, at whatever it is doing.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from glioseg.commands.study import study
from glioseg.dataset.splits import SplitChoice
from glioseg.study.plan import parse_configurations
from glioseg.training.config import load_config

NETWORKS = ("unet:2", "resunet-a:8")
SETTINGS = (
    "budget.steps=6",
    "sampling.batch_size=32",
    "sampling.crop_size=32",
    "validation.flip=false",
    "validation.every_epochs=1",
    "optimisation.ema_decay=0.5",
    "machine.device=cpu",
    'machine.precision="32"',
)
FILES_BEFORE_DEATH = (1, 2, 3, 5, 8, 13, 21)


def whole_study(data: Path, out: Path) -> None:
    config = load_config(assignments=SETTINGS)
    splits = SplitChoice(folds=3, only_folds=(1,))
    study(data, out, networks=parse_configurations(NETWORKS), config=config, splits=splits)


def die_at_file(number: int) -> None:
    """Let SIGKILL end this process at its n-th file: just before it takes its name if n is odd, just after if even."""
    left, replace = number, Path.replace

    def replace_or_die(self: Path, target: Path) -> Path:
        nonlocal left
        left -= 1
        if left == 0 and number % 2:
            os.kill(os.getpid(), signal.SIGKILL)
        done = replace(self, target)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    Path.replace = replace_or_die  # type: ignore[method-assign, assignment]


def attempt(data: Path, out: Path, files_before_death: int | None = None) -> int:
    """Start the study in a fork; its process."""
    child = os.fork()
    if child == 0:
        try:
            if files_before_death is not None:
                die_at_file(files_before_death)
            whole_study(data, out)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return child


def ending(child: int) -> int:
    """How a process ended: 0, an exit code, or minus the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(data: Path, undisturbed: Path, killed: Path) -> None:
    endings = [ending(attempt(data, undisturbed))]
    endings += [ending(attempt(data, killed, number)) for number in FILES_BEFORE_DEATH[:4]]
    child = attempt(data, killed)
    time.sleep(0.5)
    os.kill(child, signal.SIGKILL)
    endings.append(ending(child))
    endings += [ending(attempt(data, killed, number)) for number in FILES_BEFORE_DEATH[4:]]
    endings.append(ending(attempt(data, killed)))
    print(json.dumps(endings))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
