"""What correcting takes, by a simulated reader: ``python -m benchmarks.simulated_reader MASKS DATA``.

MASKS is what ``glioseg predict DATA --out-of-fold --probabilities`` wrote. The reader knows the truth and has a steady
hand: it puts the threshold where the Dice is highest, and then mends one slice's largest contiguous error after the
other, each in one stroke and exactly along the truth. A person needs more strokes than that, never fewer.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.tables import Table
from glioseg.dataset.lgg import find_slices, read_patient
from glioseg.review.cases import Cases, ReviewCase, find_review_cases
from glioseg.review.saving import dice_of

THRESHOLDS = np.arange(1, 100) / 100
"""Where the page's slider stops."""

TARGETS = (0.90, 0.95)
PARTS = 4

Bits = NDArray[np.bool_]


@dataclass(frozen=True)
class Work:
    """Strokes and voxels until a Dice is reached."""

    strokes: int
    voxels: int


@dataclass(frozen=True)
class Read:
    """What one patient took.

    Attributes:
        patient: Whose.
        dice: Of the prediction.
        slider: Of the best of the prediction and every position of the threshold.
        tumour_voxels: Of the truth.
        work: By target and start: ``prediction``, ``slider`` or ``empty``.
    """

    patient: str
    dice: float
    slider: float
    tumour_voxels: int
    work: dict[tuple[float, str], Work]


def main() -> None:
    masks, data = Path(sys.argv[1]), Path(sys.argv[2])
    cases = find_review_cases(masks, data)
    reads = [_read(cases, case, data) for case in cases.cases.values()]
    for table in (_slider_table(reads), _work_table(reads), _queue_table(reads)):
        print(table.markdown(), flush=True)


def work_to(mask: Bits, truth: Bits, target: float) -> Work:
    """Mend the largest error of a slice after the other until the Dice is reached."""
    errors = sorted((*_errors(truth & ~mask, 1), *_errors(mask & ~truth, -1)), key=lambda error: -abs(error))
    hit, size, whole = int((mask & truth).sum()), int(mask.sum()), int(truth.sum())
    strokes = voxels = 0
    for error in errors:
        if 2 * hit >= target * (size + whole):
            break
        hit, size = hit + max(error, 0), size + error
        strokes, voxels = strokes + 1, voxels + abs(error)
    return Work(strokes, voxels)


def _errors(wrong: Bits, sign: int) -> list[int]:
    """The sizes of the contiguous errors of each slice, eight neighbours each."""
    within = np.zeros((3, 3, 3), bool)
    within[1] = True
    labels, _ = ndimage.label(wrong, within)
    return [sign * int(size) for size in np.bincount(labels.ravel())[1:]]


def _read(cases: Cases, case: ReviewCase, data: Path) -> Read:
    assert case.source is not None
    _, true = read_patient(find_slices(data / case.patient))
    assert true is not None
    truth = true.voxels
    predicted = cases.origin.mask(case.source, case.source.read()).voxels
    probabilities = cases.origin.probabilities(case.source)
    if probabilities is None:
        sys.exit(f"{cases.folder} holds no probabilities: predict with --probabilities")
    at_best = max((predicted, *_cuts(probabilities, truth)), key=lambda mask: dice_of(mask, truth) or 0.0)
    starts = {"prediction": predicted, "slider": at_best, "empty": np.zeros_like(truth)}
    work = {(target, name): work_to(mask, truth, target) for target in TARGETS for name, mask in starts.items()}
    return Read(case.patient, _dice(predicted, truth), _dice(at_best, truth), int(truth.sum()), work)


def _cuts(probabilities: NDArray[np.float32], truth: Bits) -> list[Bits]:
    """The mask at the threshold with the highest Dice; counting by steps is quicker than cutting at each."""
    steps = np.searchsorted(THRESHOLDS, probabilities.ravel() + 1e-6, side="right")
    inside = np.cumsum(np.bincount(steps[truth.ravel()], minlength=len(THRESHOLDS) + 1)[::-1])[::-1]
    any_ = np.cumsum(np.bincount(steps, minlength=len(THRESHOLDS) + 1)[::-1])[::-1]
    best = int(np.argmax(2 * inside[1:] / (any_[1:] + truth.sum())))
    return [(steps > best).reshape(truth.shape)]


def _dice(mask: Bits, truth: Bits) -> float:
    return dice_of(mask, truth) or 0.0


def _slider_table(reads: Sequence[Read]) -> Table:
    dice, slider = (np.array([getattr(read, name) for read in reads]) for name in ("dice", "slider"))
    rows = [
        (
            what,
            f"{values.mean():.3f}",
            f"{np.median(values):.3f}",
            *(f"{(values >= target).sum()}" for target in TARGETS),
        )
        for what, values in (("prediction", dice), ("after the best position of the threshold", slider))
    ]
    header = ("mask", "mean Dice", "median", *(f"at {target:.2f} or above" for target in TARGETS))
    return Table(f"The threshold alone, {len(reads)} patients", header, rows)


def _work_table(reads: Sequence[Read]) -> Table:
    titles = {"prediction": "brush alone", "slider": "threshold, then brush", "empty": "from an empty mask"}
    rows = []
    for target in TARGETS:
        for name, title in titles.items():
            works = [read.work[target, name] for read in reads]
            share = [work.voxels / read.tumour_voxels for work, read in zip(works, reads, strict=True)]
            strokes = np.array([work.strokes for work in works])
            cells = (f"{np.median(strokes):.0f}", f"{strokes.mean():.1f}", f"{np.quantile(strokes, 0.9):.0f}")
            voxels = f"{np.median([work.voxels for work in works]):,.0f}"
            rows.append((f"{title}, to {target:.2f}", *cells, voxels, f"{np.median(share):.0%}"))
    header = ("way", "strokes, median", "mean", "nine in ten need at most", "voxels, median", "of the tumour, median")
    return Table("Strokes and voxels", header, rows)


def _queue_table(reads: Sequence[Read]) -> Table:
    rows = []
    for number, part in enumerate(np.array_split(np.arange(len(reads)), PARTS), start=1):
        some = [reads[place] for place in part]
        ready = [f"{sum(read.dice >= target for read in some)} of {len(some)}" for target in TARGETS]
        strokes = [f"{np.mean([read.work[target, 'slider'].strokes for read in some]):.1f}" for target in TARGETS]
        dice = f"{np.mean([read.dice for read in some]):.3f}"
        rows.append((f"quarter {number}", dice, *ready, *strokes))
    header = (
        *("part of the queue", "mean Dice"),
        *(f"need no more than a look for {target:.2f}" for target in TARGETS),
        *(f"strokes to {target:.2f}, mean" for target in TARGETS),
    )
    return Table("In the order of the queue, which does not know the truth", header, rows)


if __name__ == "__main__":
    main()
