"""Patients who lie otherwise than the rest of the set: turned, upside down, or with their slices in reverse.

Heads differ from front to back (face against occiput) and from base to vertex, and this shows in averages. Left and
right are too alike: whether they are exchanged cannot be known from images. Only files that carry geometry tell.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from glioseg.check.head import shrink
from glioseg.check.measures import SliceMeasures

LEVELS, SIZE = 6, 20
FEWEST_PATIENTS = 8
SHARE_OF_CONTRAST = 0.4
"""A patient who is turned fits by as much better when turned back as the average fits worse when it is turned."""


Thumbnail = NDArray[np.uint8]
"""A patient's head in very small, shape (level from first to last slice, row, column)."""

Turn = Callable[[NDArray[np.float64]], NDArray[np.float64]]

TURNS: dict[str, Turn] = {
    "as it is": lambda thumbnail: thumbnail,
    "flipped up-down": lambda thumbnail: thumbnail[:, ::-1],
    "turned by 90 degrees": lambda thumbnail: np.rot90(thumbnail, 1, axes=(1, 2)),
    "turned by 270 degrees": lambda thumbnail: np.rot90(thumbnail, 3, axes=(1, 2)),
}
"""Each stands for itself and its left-right mirror image."""


@dataclass(frozen=True)
class Orientation:
    """How a patient fits the set's average best.

    Attributes:
        turn: One of :data:`TURNS`.
        reversed_slices: Whether its slices run from the other end.
        fit: The correlation with the average then.
        fit_as_is: The correlation as the patient is.
        contrast: By how much the average itself fits worse when it is turned so.
    """

    turn: str
    reversed_slices: bool
    fit: float
    fit_as_is: float
    contrast: float

    @property
    def differs(self) -> bool:
        """Whether another orientation fits much better than the given one."""
        return self.fit - self.fit_as_is > max(SHARE_OF_CONTRAST * self.contrast, 0)


def thumbnail(measures: SliceMeasures) -> Thumbnail | None:
    """The head in very small, from the first to the last slice that shows it; None where none does."""
    shown = measures.tiny[measures.shows_head]
    if not len(shown):
        return None
    small = shrink(shown, SIZE)
    ends = np.linspace(0, len(small), LEVELS + 1)
    levels = [small[int(low) : max(int(np.ceil(high)), int(low) + 1)].mean(axis=0) for low, high in pairwise(ends)]
    stack = np.stack(levels)
    return np.asarray(np.clip(stack * (255 / max(float(stack.max()), 1.0)), 0, 255), np.uint8)


def find_orientations(thumbnails: Sequence[Thumbnail | None]) -> list[Orientation | None]:
    """How each patient fits the average of all; None without a portrait, or where they are too few to compare.

    The average is made twice: first of all patients, then of those that it fits as they are.
    """
    known = [place for place, thumbnail in enumerate(thumbnails) if thumbnail is not None]
    orientations: list[Orientation | None] = [None] * len(thumbnails)
    if len(known) < FEWEST_PATIENTS:
        return orientations
    stack = np.stack([_normalised(thumbnails[place].astype(np.float64)) for place in known])  # type: ignore[union-attr]
    kept = np.ones(len(stack), bool)
    for _ in range(2):
        average = stack[kept].sum(axis=0)
        found = [_best_fit(one, average - one * keep) for one, keep in zip(stack, kept, strict=True)]
        kept = np.array([not orientation.differs for orientation in found])
        if kept.sum() < FEWEST_PATIENTS // 2:
            break
    for place, orientation in zip(known, found, strict=True):
        orientations[place] = orientation
    return orientations


def _best_fit(one: NDArray[np.float64], average: NDArray[np.float64]) -> Orientation:
    target = _normalised(average + average[:, :, ::-1])
    fits = {
        (name, backwards): float((_turned(one, turn, backwards) * target).sum())
        for name, turn in TURNS.items()
        for backwards in (False, True)
    }
    (name, backwards), fit = max(fits.items(), key=lambda entry: entry[1])
    contrast = 1 - float((_turned(target, TURNS[name], backwards) * target).sum())
    return Orientation(name, backwards, fit, fits["as it is", False], contrast)


def _turned(one: NDArray[np.float64], turn: Turn, backwards: bool) -> NDArray[np.float64]:
    turned = turn(one)
    # The average with its mirror image: whether left and right are exchanged is not asked.
    turned = _normalised(turned + turned[:, :, ::-1])
    return turned[::-1] if backwards else turned


def _normalised(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = levels - levels.mean()
    return np.asarray(centred / max(float(np.linalg.norm(centred)), 1e-9))
