"""What a check costs: a patient's share, and how the search for copies grows with the set.

The search sees hashes only, so sets of any size can be made up: random hashes, as unrelated slices have them, some of
which are repeated with a few bits changed.
"""

import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from glioseg.check.dataset_check import check_patient, open_source
from glioseg.check.duplicates import BITS, find_pairs

SLICES = 36
COPIES = 50
CHANGED_BITS = 12
SET_SIZES = (100, 300, 1000, 3000, 10_000)
PATIENTS = 10


def check_rows(data: Path | None = None) -> Iterator[tuple[str, str, str]]:
    """Seconds for a patient of the data, and seconds of the search for sets of growing size."""
    if data is not None:
        yield "check of a patient", f"{_seconds_per_patient(data):.2f} s", "1.8 s"
    for patients in SET_SIZES:
        seconds, megabytes, found = _search(patients)
        what = f"search for copies among {patients:,} patients"
        yield what, f"{seconds:.1f} s, {megabytes:.0f} MB, {found} of {COPIES} found", "not quadratic"


def _seconds_per_patient(data: Path) -> float:
    source = open_source(data)
    patients = source.patients[:: max(1, len(source.patients) // PATIENTS)][:PATIENTS]
    began = time.perf_counter()
    for patient in patients:
        check_patient(source, patient)
    return (time.perf_counter() - began) / len(patients)


def _search(patients: int) -> tuple[float, float, int]:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, (patients * SLICES, BITS // 64), np.uint64)
    places = rng.permutation(len(hashes))[: 2 * COPIES].reshape(2, COPIES)
    for original, copy in places.T:
        hashes[copy] = hashes[original]
        for bit in rng.permutation(BITS)[:CHANGED_BITS]:
            hashes[copy, bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    owners = np.repeat(np.arange(patients), SLICES).astype(np.intp)
    tracemalloc.start()
    began = time.perf_counter()
    found = {(pair.first, pair.second) for pair in find_pairs(hashes, owners)}
    seconds = time.perf_counter() - began
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return seconds, peak / 1e6, sum((min(pair), max(pair)) in found for pair in places.T.tolist())


if __name__ == "__main__":
    print("| what | measured | target |\n|---|---:|---:|")
    for row in check_rows(Path(sys.argv[1]) if len(sys.argv) > 1 else None):
        print(f"| {' | '.join(row)} |", flush=True)
