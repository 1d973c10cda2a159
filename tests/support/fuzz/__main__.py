"""The command: many cases on all cores, and a line for each defect."""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from fuzz.isolation import ANSWER, MEMORY_BYTES, REFUSAL, SECONDS, Outcome, outcome_of
from fuzz.mutation import mutated
from fuzz.seeds import Files, Seed, all_seeds

SEEDS: list[Seed] = []


def main(words: Sequence[str]) -> int:
    """Run the cases; 1 if any was neither answered nor refused."""
    given = _parsed(words)
    SEEDS[:] = all_seeds()
    use_sound_files()
    numbers = range(given.cases) if given.only is None else [given.only]
    if given.keep:
        _write(damaged(given.seed, numbers[0])[1], given.keep)
    counts: Counter[tuple[str, str]] = Counter()
    defects, began = 0, time.monotonic()
    with multiprocessing.get_context("fork").Pool(given.jobs) as pool:
        cases = [(given.seed, number) for number in numbers]
        for done, (number, name, outcome) in enumerate(pool.imap_unordered(_run, cases, chunksize=4), start=1):
            counts[name, outcome.kind] += 1
            if outcome.is_defect:
                defects += 1
                print(f"case {number} ({name}): {outcome.kind}\n{outcome.details}", flush=True)
            if done % 500 == 0:
                print(f"{done} of {len(cases)} cases, {defects} defects", flush=True)
            if given.minutes and time.monotonic() - began > 60 * given.minutes:
                break
    print(_table(counts))
    print(
        f"{counts.total():,} cases of seed {given.seed}: {defects} neither answered nor refused within {SECONDS} s of "
        f"computing and {MEMORY_BYTES >> 30} GiB"
    )
    return int(defects > 0)


def use_sound_files() -> None:
    """Every seed must give an answer before it is damaged. It also loads the program, once for all cases."""
    torch.set_num_threads(1)
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "scans"
            _write(seed.files, folder)
            seed.use(folder)


def damaged(run: int, number: int) -> tuple[Seed, Files]:
    """The files of a case: of one seed, one file or more damaged."""
    random = np.random.default_rng([run, number])
    seed = SEEDS[random.integers(len(SEEDS))]
    files, names = dict(seed.files), sorted(seed.files)
    for name in random.choice(names, size=min(len(names), int(random.choice([1, 1, 2]))), replace=False):
        files[name] = mutated(files[name], random)
    seed.mend(files)
    return seed, files


def _run(case: tuple[int, int]) -> tuple[int, str, Outcome]:
    seed, files = damaged(*case)
    return case[1], seed.name, _outcome(seed, files)


def _outcome(seed: Seed, files: Files) -> Outcome:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "scans"
        _write(files, folder)
        return outcome_of(lambda: seed.use(folder))


def _write(files: Files, folder: Path) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _table(counts: Counter[tuple[str, str]]) -> str:
    lines = [f"{'seed':18}{'cases':>8}{'answered':>10}{'refused':>10}{'defects':>10}"]
    for name in sorted({name for name, _ in counts}):
        of = {kind: number for (seed, kind), number in counts.items() if seed == name}
        total, answered, refused = sum(of.values()), of.get(ANSWER, 0), of.get(REFUSAL, 0)
        lines.append(f"{name:18}{total:8,}{answered:10,}{refused:10,}{total - answered - refused:10,}")
    return "\n".join(lines)


def _parsed(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="the number of one case")
    parser.add_argument("--keep", type=Path, help="a folder for the files of --only")
    parser.add_argument("--minutes", type=float, help="end then, however many cases are done")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
