"""The command: one kill after the other, and a line for each fault."""

import argparse
import importlib
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from glioseg.inference.contract import CONTRACT
from kills.commands import COMMANDS, FEW, Command, prepare
from kills.files import broken, broken_bundle, differing, hashes, is_hidden, listing
from kills.victim import Ending, run

# What commands import when they run; done here, once for all of them.
IMPORTS = ("predict", "predict_many", "train", "study", "bundle", "bundle_refit", "export")


@dataclass
class Trial:
    """A command in a working folder that is made anew for every case.

    Attributes:
        command: Which.
        root: Holds what all commands read.
    """

    command: Command
    root: Path

    @property
    def place(self) -> Path:
        return self.root / "place"

    @cached_property
    def undisturbed(self) -> tuple[float, set[str], dict[str, str]]:
        """How long the command takes, the files that it leaves, and the hashes of those that are the same each time."""
        self.begin()
        ending = run(self.command.words, self.place)
        if ending.code != 0:
            raise RuntimeError(f"{self.command.name} fails undisturbed\n{ending.said}")
        same = hashes(self.place, self.command.same)
        for pattern in self.command.same:
            assert hashes(self.place, [pattern]), f"{self.command.name} leaves nothing like {pattern}"
        return ending.seconds, listing(self.place), same

    def begin(self) -> None:
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir()
        self.command.begin(self.root, self.place)

    def kill(self, random: np.random.Generator) -> tuple[int, list[str]]:
        """Kill the command once, or twice in a row, and run it to its end: how often it was killed, and all faults."""
        seconds, files, _ = self.undisturbed
        self.begin()
        before, kept = listing(self.place), hashes(self.place, self.command.keeps)
        kills, faults = 0, []
        for _ in range(random.choice([1, 1, 2])):
            moment = random.uniform(0, seconds)
            ending = run(self.command.words, self.place, kill_after_seconds=moment)
            kills += ending.is_killed
            found = self._faults_of_kill(before, kept, files)
            faults += [f"killed after {moment:.2f} of {seconds:.2f} s: {fault}" for fault in found]
        was_done = not self._faults_at_end()
        ending = run(self.command.words, self.place)
        return kills, [*faults, *self._fault_of_rerun(ending, was_done), *self._faults_at_end()]

    def _faults_of_kill(self, before: set[str], kept: dict[str, str], files: set[str]) -> list[str]:
        there = listing(self.place)
        faults = [f"{name} is lost" for name in sorted(before - there)]
        faults += [f"{name} was changed" for name in differing(hashes(self.place, self.command.keeps), kept)]
        visible = sorted(name for name in there if not is_hidden(name) and (self.place / name).is_file())
        faults += [f"{name} is half: {why}" for name in visible if (why := broken(self.place / name))]
        contracts = [self.place / name for name in visible if name.endswith(f"/{CONTRACT}")]
        faults += [f"{path} is no bundle's: {why}" for path in contracts if (why := broken_bundle(path.parent))]
        for pattern in self.command.together:
            for folder in self.place.glob(pattern):
                own = f"{folder.relative_to(self.place).as_posix()}/"
                lacking = sorted(name for name in files - there if name.startswith(own))
                if folder.is_dir() and not is_hidden(own) and lacking:
                    faults.append(f"{own} lacks {', '.join(lacking)}")
        return faults

    def _fault_of_rerun(self, ending: Ending, was_done: bool) -> list[str]:
        # What was finished when the kill came may be refused: it stands there already.
        if ending.code == 0 or (ending.code == 2 and was_done):
            return []
        return [f"the rerun ends with {ending.code}: {ending.said[-3000:]}"]

    def _faults_at_end(self) -> list[str]:
        _, files, same = self.undisturbed
        there = listing(self.place)
        faults = [f"{name} is left over" for name in sorted(there - files)]
        faults += [f"{name} is not made" for name in sorted(files - there)]
        return faults + [f"{name} is another" for name in differing(hashes(self.place, self.command.same), same)]


def main(words: Sequence[str]) -> int:
    """Kill as often as wished; 1 if there was any fault."""
    given = _parsed(words)
    for name in IMPORTS:
        importlib.import_module(f"glioseg.commands.{name}")
    with tempfile.TemporaryDirectory() as name:
        return _kill_all(given, Path(name).resolve())


def _kill_all(given: argparse.Namespace, root: Path) -> int:
    commands = [command for command in COMMANDS if not given.few or command.name in FEW]
    prepare(root, commands)
    trials = [Trial(command, root) for command in commands]
    kills, faulty, cases, number, began = (
        Counter[str](),
        Counter[str](),
        Counter[str](),
        given.only or 0,
        time.monotonic(),
    )
    while kills.total() < given.kills:
        trial = trials[number % len(trials)]
        done, faults = trial.kill(np.random.default_rng([given.seed, number]))
        kills[trial.command.name] += done
        cases[trial.command.name] += 1
        if faults:
            faulty[trial.command.name] += 1
            print(f"case {number} ({trial.command.name})", *faults, sep="\n  ", flush=True)
        if number % 5 == 4:
            print(f"{kills.total()} kills, {faulty.total()} cases with faults", flush=True)
        if given.only is not None or (given.minutes and time.monotonic() - began > 60 * given.minutes):
            break
        number += 1
    print(f"{'command':18}{'seconds':>8}{'runs':>8}{'kills':>8}{'faulty':>8}")
    for trial in trials:
        if (name := trial.command.name) in cases:
            print(f"{name:18}{trial.undisturbed[0]:8.1f}{cases[name]:8}{kills[name]:8}{faulty[name]:8}")
    print(f"{kills.total()} kills of seed {given.seed}: {faulty.total()} of {cases.total()} runs with a fault")
    return int(faulty.total() > 0)


def _parsed(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="the number of one case")
    parser.add_argument("--few", action="store_true", help=f"only {', '.join(FEW)}")
    parser.add_argument("--minutes", type=float, help="end then, however many kills are done")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
