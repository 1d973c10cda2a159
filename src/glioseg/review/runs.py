"""Changes of a mask as runs of voxels: what a stroke is, on the wire and in the store.

Runs are pairs (start, length), shape (run, 2), of flat indices in the order (slice, row, column). As a list they are
written one after the other, start, length, start, length.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glioseg.errors import GliosegError

Runs = NDArray[np.int64]


def runs_of(inside: NDArray[np.bool_]) -> Runs:
    """The runs of voxels that are True, in any shape of array."""
    flat = np.concatenate(([False], inside.ravel(), [False]))
    edges = np.flatnonzero(flat[1:] != flat[:-1]).reshape(-1, 2)
    return np.column_stack((edges[:, 0], edges[:, 1] - edges[:, 0]))


def as_list(runs: Runs) -> list[int]:
    """Start, length, start, length, and so on."""
    return runs.ravel().tolist()


def parse_runs(numbers: Any, voxels: int) -> Runs:
    """Runs from a list that somebody sent.

    Args:
        numbers: What should be start, length, start, length.
        voxels: How many the grid has.

    Raises:
        GliosegError: If they are no pairs of whole numbers, leave the grid, touch, overlap or are out of order.
    """
    if not isinstance(numbers, Sequence) or isinstance(numbers, str) or len(numbers) % 2:
        raise _wrong("pairs of start and length", f"{type(numbers).__name__}")
    if not all(type(number) is int and 0 <= number <= voxels for number in numbers):
        raise _wrong(f"whole numbers from 0 to {voxels}", "others")
    runs = np.array(numbers, np.int64).reshape(-1, 2)
    ends = runs.sum(axis=1)
    if len(runs) and (runs[:, 1].min() < 1 or ends[-1] > voxels or np.any(runs[1:, 0] <= ends[:-1])):
        raise _wrong("runs in ascending order that neither touch nor leave the grid", "others")
    return runs


def voxels_in(runs: Runs) -> int:
    """How many voxels the runs hold."""
    return int(runs[:, 1].sum())


def indices(runs: Runs) -> NDArray[np.int64]:
    """The flat index of every voxel in the runs, int64, in their order."""
    lengths = runs[:, 1]
    before = np.cumsum(lengths) - lengths
    return np.repeat(runs[:, 0] - before, lengths) + np.arange(lengths.sum())


def mask_of_runs(runs: Runs, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The mask of the given shape whose runs these are: the inverse of :func:`runs_of`."""
    inside = np.zeros(shape, np.bool_)
    inside.reshape(-1)[indices(runs)] = True
    return inside


def changed(mask: NDArray[np.bool_], added: Runs, removed: Runs) -> NDArray[np.bool_]:
    """The mask after a stroke, as a new array.

    Raises:
        GliosegError: If a voxel to add is there already, or one to remove is not: whoever sent the stroke stands on
            another mask, and its inverse would not lead back.
    """
    result = mask.copy()
    flat, more, less = result.reshape(-1), indices(added), indices(removed)
    if flat[more].any() or not flat[less].all():
        raise GliosegError(
            "the stroke does not fit the mask",
            expected="added voxels outside and removed ones inside of it",
            remedy="Load the case again",
        )
    flat[more], flat[less] = True, False
    return result


def _wrong(expected: str, found: str) -> GliosegError:
    return GliosegError("the runs of a stroke are malformed", expected=expected, found=found)
