"""Slices that stand at a wrong place of their scan: they resemble their neighbours less than slices elsewhere."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEWEST_SLICES = 6
NEARER_BY = 0.4
"""How many usual steps between neighbours the way through all slices must become shorter."""


@dataclass(frozen=True)
class Misplaced:
    """A slice that would stand better elsewhere.

    Attributes:
        place: Where it stands, counted from 0.
        better: The place of the slice after which it would stand better, -1 for before the first.
        gain: By how many usual steps between neighbours the way through all slices becomes shorter.
    """

    place: int
    better: int
    gain: float


def unlikeness(tiny: NDArray[np.float32]) -> NDArray[np.float64]:
    """One minus the correlation of every two slices, shape (slice, slice)."""
    flat = tiny.reshape(len(tiny), tiny.shape[1] * tiny.shape[2]).astype(np.float64)
    flat = flat - flat.mean(axis=1, keepdims=True)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)
    return np.asarray(1 - flat @ flat.T)


def find_misplaced(distances: NDArray[np.float64]) -> list[Misplaced]:
    """Slices whose removal to another place shortens the way through all slices, one at a time, the worst first.

    The way is the sum of the unlikeness of neighbours. A slice that was put elsewhere makes it long at three joints.

    Args:
        distances: As :func:`unlikeness` gives it, for slices in the order of their numbers.
    """
    order = list(range(len(distances)))
    found: list[Misplaced] = []
    # More moves than this are no slips but another order altogether.
    while len(order) >= FEWEST_SLICES and len(found) <= len(order) // 4:
        gains, targets = _gains(distances[np.ix_(order, order)])
        place = int(np.argmax(gains))
        if gains[place] < NEARER_BY:
            break
        after = int(targets[place])
        found.append(Misplaced(order[place], order[after] if after >= 0 else -1, float(gains[place])))
        order.pop(place)
    return found


def _gains(distances: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """For each slice the gain of its best move in usual steps, and after which slice it would go (-1: to the front)."""
    count = len(distances)
    steps = np.diagonal(distances, 1)
    usual = max(float(np.median(steps)), 1e-6)
    # Taking slice i out closes the joint of its neighbours; the first and the last close none.
    closed = np.concatenate([[0], np.diagonal(distances, 2), [0]])
    saved = np.concatenate([[0], steps]) + np.concatenate([steps, [0]]) - closed
    # Putting slice i before the first, between j and j + 1, or after the last.
    cost = np.hstack([distances[:, :1], distances[:, :-1] + distances[:, 1:] - steps, distances[:, -1:]])
    own = np.arange(count)
    cost[own, own] = cost[own, own + 1] = np.inf
    targets = cost.argmin(axis=1)
    return (saved - cost.min(axis=1)) / usual, targets - 1
