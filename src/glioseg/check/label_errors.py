"""Slices whose contour may be wrong, ranked by confident learning.

Northcutt, Jiang, Chuang, "Confident learning: estimating uncertainty in dataset labels", J Artif Intell Res 70, 2021.
Every pixel is an example of one of two classes, background and tumour, with the label that the mask gives and the
probability that a network gives which has not seen its patient. The threshold of a class is the mean probability of
the pixels labelled so (equation 2 there): what the network says of a typical one. A pixel counts as of another class
than its label where its probability of that class reaches the class's threshold; these counts are the confident joint
(equation 1).

Three things are particular to contours. Most background is far from any tumour and so easy that its mean would make a
threshold that no doubtful pixel reaches, so only pixels near a given or predicted tumour are examples. Near a contour,
readers and networks differ without either being wrong, so only pixels some way from the given contour count, in the
slice and across slices. And what a person reviews is a slice, so pixels are summed by slice: the more of a slice's
tumour, given or predicted, is confidently of the other class, the higher it stands. A network that fails fails on
several slices in a row, so a slice weighs as much as mask and network agree on the slices next to it.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glioseg.check.finding import Finding
from glioseg.errors import BadFileError, GliosegError
from glioseg.evaluation.mask_overlap import MaskOverlap
from glioseg.formats.damage import damage_told

CONTOUR_PX = 3
VICINITY_PX = 12
NEIGHBOURS = 2
FEWEST_PIXELS = 20
LABEL_ERROR_SCORE = 0.25

Predicted = tuple[str, tuple[int, ...], NDArray[np.bool_], NDArray[Any]]
"""A patient, its slices' numbers, the given masks, and the probabilities, both (slice, row, column)."""


@dataclass(frozen=True)
class Thresholds:
    """Mean probability of each class over the pixels labelled so.

    Attributes:
        background: Mean of one minus the probability outside of the mask.
        tumour: Mean of the probability inside the mask.
    """

    background: float
    tumour: float


@dataclass(frozen=True)
class LabelError:
    """How a slice's mask stands against the network's opinion.

    Attributes:
        patient: The patient.
        slice_number: The slice.
        score: The product of the next two, by which slices are ranked, 0 to 1.
        share: Confidently contradicted pixels over the area of the given and the confidently predicted tumour.
        agreement_around: The Dice of mask and prediction over the slices next to it; None where both are empty there,
            which is full agreement.
        missed: Pixels labelled background that are confidently tumour, away from the contour.
        surplus: Pixels labelled tumour that are confidently background, away from the contour.
        given: Pixels of the given mask.
    """

    patient: str
    slice_number: int
    score: float
    share: float
    agreement_around: float | None
    missed: int
    surplus: int
    given: int


def class_thresholds(patients: Iterable[Predicted]) -> Thresholds:
    """The thresholds of both classes over all patients near tumours, one patient in memory at a time."""
    sums = np.zeros(2)
    counts = np.zeros(2)
    for _, _, masks, probabilities in patients:
        inside = probabilities[masks]
        outside = probabilities[_vicinity(masks, probabilities) & ~masks]
        sums += (outside.size - outside.sum(dtype=np.float64), inside.sum(dtype=np.float64))
        counts += (outside.size, inside.size)
    background, tumour = sums / np.maximum(counts, 1)
    # Without a labelled pixel of a class, nothing is confidently of it.
    return Thresholds(
        *(float(mean) if count else 2.0 for mean, count in zip((background, tumour), counts, strict=True))
    )


def rank_label_errors(patients: Iterable[Predicted], thresholds: Thresholds) -> list[LabelError]:
    """Every slice in which a pixel is contradicted, the most suspicious first."""
    found = [label_error for patient in patients for label_error in _label_errors_of(patient, thresholds)]
    return sorted(found, key=lambda label_error: (-label_error.score, label_error.patient, label_error.slice_number))


def confident_joint(patients: Iterable[Predicted], thresholds: Thresholds) -> NDArray[np.int64]:
    """Pixels near a tumour by given class (row) and confident class (column), background before tumour: (2, 2)."""
    joint = np.zeros((2, 2), np.int64)
    for _, _, masks, probabilities in patients:
        tumour, background = _confident(probabilities, thresholds)
        near = _vicinity(masks, probabilities)
        for given, where in enumerate((near & ~masks, masks)):
            joint[given] += (int((background & where).sum()), int((tumour & where).sum()))
    return joint


def label_error_findings(
    label_errors: Iterable[LabelError], *, at_least: float = LABEL_ERROR_SCORE
) -> Iterator[Finding]:
    """The review list: slices that score so much, in order."""
    for rank, label_error in enumerate((one for one in label_errors if one.score >= at_least), start=1):
        parts = [f"{label_error.missed} pixels outside of the mask look like tumour"] if label_error.missed else []
        parts += (
            [f"{label_error.surplus} of its {label_error.given} pixels look like none"] if label_error.surplus else []
        )
        evidence = {
            "rank": rank,
            "score": round(label_error.score, 3),
            "missed_pixels": label_error.missed,
            "surplus_pixels": label_error.surplus,
            "mask_pixels": label_error.given,
        }
        if label_error.agreement_around is not None:
            evidence["agreement_around"] = round(label_error.agreement_around, 3)
        message = " and ".join(parts)
        yield Finding("label_suspect", message, label_error.patient, label_error.slice_number, evidence=evidence)


def _label_errors_of(patient: Predicted, thresholds: Thresholds) -> Iterator[LabelError]:
    name, numbers, masks, probabilities = patient
    tumour, background = _confident(probabilities, thresholds)
    contradicted = (tumour & ~masks) | (background & masks)
    contradicted &= ~_at_an_end(masks)
    for place in np.flatnonzero(contradicted.any(axis=(1, 2))).tolist():
        mask = masks[place]
        missed = _away(contradicted[place] & ~mask, ~mask)
        surplus = _away(contradicted[place] & mask, mask)
        if missed + surplus >= FEWEST_PIXELS:
            share = min(1.0, (missed + surplus) / int((mask | tumour[place]).sum()))
            around = _agreement_around(place, masks, probabilities)
            score = share * (1.0 if around is None else around)
            yield LabelError(name, numbers[place], score, share, around, missed, surplus, int(mask.sum()))


def _at_an_end(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels with mask in one of the two neighbouring slices only: where a tumour ends, thick slices leave it open."""
    padded = np.concatenate([masks[:1], masks, masks[-1:]])
    return np.asarray(padded[:-2] ^ padded[2:])


def _agreement_around(place: int, masks: NDArray[np.bool_], probabilities: NDArray[Any]) -> float | None:
    """The Dice of mask and prediction over the slices next to one; None where both are empty."""
    near = [i for i in range(place - NEIGHBOURS, place + NEIGHBOURS + 1) if 0 <= i < len(masks) and i != place]
    return MaskOverlap(masks[near], probabilities[near] >= 0.5).dice()


def _vicinity(masks: NDArray[np.bool_], probabilities: NDArray[Any]) -> NDArray[np.bool_]:
    """Pixels near a given or a predicted tumour of their slice, shape (slice, row, column)."""
    width = 2 * VICINITY_PX + 1
    return np.asarray(ndimage.maximum_filter(masks | (probabilities >= 0.5), (0, width, width)))


def _confident(probabilities: NDArray[Any], thresholds: Thresholds) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where the tumour's and where the background's threshold is reached; where both are, the likelier class."""
    tumour = probabilities >= thresholds.tumour
    background = (1 - probabilities) >= thresholds.background
    both = tumour & background
    likelier = probabilities > 0.5
    return np.asarray(tumour & ~(both & ~likelier)), np.asarray(background & ~(both & likelier))


def _away(contradicted: NDArray[np.bool_], labelled_so: NDArray[np.bool_]) -> int:
    """Contradicted pixels of the parts that reach further from the contour of their label than readers differ.

    A part that is nowhere so deep is a difference of opinion about the contour and counts for nothing.
    """
    if not contradicted.any():
        return 0
    if labelled_so.all():
        return int(contradicted.sum())
    depth = ndimage.distance_transform_edt(labelled_so)
    parts, _ = ndimage.label(contradicted)
    deep = np.unique(parts[contradicted & (depth > CONTOUR_PX)])
    return int(np.isin(parts, deep).sum())


class Probabilities:
    """A network's out-of-fold probabilities on disk, opened one patient at a time.

    What counts are NPZ files whose arrays are named by patient, shape (slice, row, column): floats from 0 to 1, uint8
    where 255 is 1, or masks as ``glioseg train`` and ``glioseg study`` leave them in their runs' ``masks.npz``. A mask
    is a probability of 0 or 1: every disagreement then counts as confident, and the ranking loses its finer steps.
    What several files say of a patient is averaged.

    Args:
        source: Such a file, or a folder in whose depth they lie.

    Raises:
        GliosegError: If there is none, or one cannot be read.
    """

    def __init__(self, source: Path) -> None:
        files = sorted(source.rglob("*.npz")) if source.is_dir() else [source]
        self._files: dict[str, list[Path]] = {}
        for path in files:
            for patient in _names_in(path):
                self._files.setdefault(patient, []).append(path)
        if not self._files:
            raise GliosegError(
                f"{source} holds no probabilities",
                expected="NPZ files whose arrays are named by patient",
                remedy="Give a run's or a study's folder, or files of out-of-fold probabilities",
            )

    @property
    def patients(self) -> tuple[str, ...]:
        """Identifiers of the patients that were predicted."""
        return tuple(self._files)

    def of(self, patient: str) -> NDArray[np.float32] | None:
        """The mean of all predictions of a patient, shape (slice, row, column), or None where there is none."""
        paths = self._files.get(patient, [])
        total: NDArray[np.float32] | None = None
        for path in paths:
            with _reading(path), np.load(path, allow_pickle=False) as kept:
                values = _as_shares(kept[patient])
            if total is not None and total.shape != values.shape:
                raise BadFileError(path, f"predicts {patient} on another grid", found=str(values.shape))
            total = values if total is None else total + values
        return None if total is None else np.asarray(total / len(paths), np.float32)


def _names_in(path: Path) -> list[str]:
    with _reading(path), np.load(path, allow_pickle=False) as kept:
        return list(kept.files)


def _reading(path: Path) -> AbstractContextManager[None]:
    return damage_told(path, "NPZ", "Take the file away, or make it again")


def _as_shares(values: NDArray[Any]) -> NDArray[np.float32]:
    scale = 255 if values.dtype == np.uint8 else 1
    return np.asarray(values / scale, np.float32)
