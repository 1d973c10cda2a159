"""What readings amount to: how much was changed where, how long it took, and how far two readers agree."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glioseg.evaluation.agreement import cohens_kappa
from glioseg.evaluation.metrics import dice
from glioseg.review.runs import changed, mask_of_runs, parse_runs
from glioseg.review.store import KEPT, Store

RIM_VOXELS = 2
"""A change so near to the prediction's outline, within the slice, moves the outline; one further away is a new finding
or takes one away."""

Bits = NDArray[np.bool_]


@dataclass(frozen=True)
class ReadCase:
    """One case as a reader left it.

    Attributes:
        saving: The row of the store.
        prediction: The mask that reading began from, shape (slice, row, column).
        mask: The mask as decided.
    """

    saving: Mapping[str, Any]
    prediction: Bits
    mask: Bits

    @property
    def patient(self) -> str:
        """The patient's identifier."""
        return str(self.saving["patient"])

    @property
    def changed_slices(self) -> int:
        """On how many slices of the grid anything was changed."""
        return int((self.mask != self.prediction).any(axis=(1, 2)).sum())

    @property
    def rim_share(self) -> float | None:
        """The share of the changed voxels that lie at the prediction's outline; None where nothing was changed."""
        where = self.mask != self.prediction
        if not where.any():
            return None
        within_slice = ndimage.generate_binary_structure(3, 1)
        within_slice[[0, 2]] = False
        grown = ndimage.binary_dilation(self.prediction, within_slice, RIM_VOXELS)
        core = ndimage.binary_erosion(self.prediction, within_slice, RIM_VOXELS)
        return float((where & grown & ~core).sum() / where.sum())


@dataclass(frozen=True)
class Agreement:
    """Two readers on the cases that both decided.

    Attributes:
        readers: Their names.
        cases: How many cases.
        dice: Of each case by patient; None where both found nothing.
        voxels: Of each case by patient, one reader's and the other's.
        kappa: Of whether there is a tumour; None where chance leaves nothing to differ in.
    """

    readers: tuple[str, str]
    cases: int
    dice: dict[str, float | None]
    voxels: dict[str, tuple[int, int]]
    kappa: float | None


def read_cases(store: Store, reading: str) -> list[ReadCase]:
    """The cases of a reading that stand decided, in the order of the patients' names."""
    rows = sorted(store.last_savings(reading).values(), key=lambda row: row["patient"])
    return [_read_case(store, reading, row) for row in rows]


def agreement(first: list[ReadCase], second: list[ReadCase], readers: tuple[str, str]) -> Agreement | None:
    """How far two readings agree where both kept a mask; None without such a case."""
    ours, theirs = ({case.patient: case for case in cases if case.saving["state"] in KEPT} for cases in (first, second))
    both = [patient for patient in ours if patient in theirs]
    if not both:
        return None
    pairs = {patient: (ours[patient].mask, theirs[patient].mask) for patient in both}
    present = [[bool(pair[which].any()) for pair in pairs.values()] for which in (0, 1)]
    return Agreement(
        readers,
        len(both),
        {patient: dice(one, other) for patient, (one, other) in pairs.items()},
        {patient: (int(one.sum()), int(other.sum())) for patient, (one, other) in pairs.items()},
        cohens_kappa(*present),
    )


def mask_at(store: Store, case_id: str, reading: str, revision: int) -> tuple[Bits, Bits]:
    """The mask that a reading began from, and the one at a revision."""
    shape, runs, _ = store.prediction(case_id)
    before = mask_of_runs(parse_runs(runs, int(np.prod(shape))), tuple(shape))
    mask = before
    for stroke in store.strokes(case_id, reading):
        if stroke["revision"] <= revision:
            mask = changed(mask, *(parse_runs(stroke[what], mask.size) for what in ("added", "removed")))
    return before, mask


def _read_case(store: Store, reading: str, row: Mapping[str, Any]) -> ReadCase:
    before, mask = mask_at(store, row["case_id"], reading, row["revision"])
    return ReadCase(row, before, mask)
