"""What an affine says of a grid: spacing, directions, and whether two grids are one.

An affine maps voxel indices (slice, row, column) to RAS+ millimetres: coordinates that increase towards the patient's
right, anterior and superior side. Its first three columns are the steps from one slice, row and column to the next.
"""

import itertools
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from glioseg.scan import Scan
from glioseg.volume import Mask, Volume

SAME_PLACE_MM = 0.1
"""Positions nearer to each other than this are one: formats round their affines, and no scanner resolves less."""


@dataclass(frozen=True)
class Grid:
    """Where the voxels of an image lie.

    Attributes:
        shape: Slices, rows and columns.
        affine: Voxel indices (slice, row, column) to RAS+ millimetres, shape (4, 4), or None where it is not known.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64] | None = field(default=None, compare=False)


def grid_of(image: Scan | Volume | Mask) -> Grid:
    """The grid of an image; channels do not count."""
    slices, rows, columns = image.voxels.shape[:3]
    return Grid((slices, rows, columns), image.affine)


def spacing_mm(affine: NDArray[np.float64]) -> tuple[float, float, float]:
    """Distance from one slice, row and column to the next, in millimetres.

    Example:
        >>> spacing_mm(np.diag([5.0, 1.0, 0.5, 1.0]))
        (5.0, 1.0, 0.5)
    """
    slices, rows, columns = np.linalg.norm(affine[:3, :3], axis=0)
    return float(slices), float(rows), float(columns)


def direction_cosines(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vectors along the slice, row and column axis as the columns of a (3, 3) matrix, in RAS+."""
    return affine[:3, :3] / np.array(spacing_mm(affine))


def nearest_axes(affine: NDArray[np.float64]) -> tuple[int, int, int]:
    """Which array axis runs nearest to right-left, to anterior-posterior and to superior-inferior.

    Of the six ways to pair them, the one with the largest sum of cosines: axis by axis, an oblique grid could claim
    one direction twice.

    Example:
        >>> nearest_axes(np.array([[0, 0, -1, 0], [0, -1, 0, 0], [5, 0, 0, 0], [0, 0, 0, 1.0]]))  # slices run upwards
        (2, 1, 0)
    """
    cosines = np.abs(direction_cosines(affine))
    right, anterior, superior = max(
        itertools.permutations(range(3)), key=lambda axes: float(cosines[[0, 1, 2], list(axes)].sum())
    )
    return right, anterior, superior


def positions_mm(affine: NDArray[np.float64], indices: NDArray[np.float64]) -> NDArray[np.float64]:
    """RAS+ millimetres of voxel indices, shape (..., 3) each; indices may lie between voxels.

    Example:
        >>> positions_mm(np.diag([5.0, 1.0, 1.0, 1.0]), np.array([2, 10, 10]))
        array([10., 10., 10.])
    """
    return indices @ affine[:3, :3].T + affine[:3, 3]


def largest_displacement_mm(a: NDArray[np.float64], b: NDArray[np.float64], shape: tuple[int, ...]) -> float:
    """How far apart two affines of one array place its voxels where they differ most, which is at a corner."""
    corners = np.array(list(itertools.product(*((0, size - 1) for size in shape))), np.float64)
    return float(np.linalg.norm(positions_mm(a, corners) - positions_mm(b, corners), axis=1).max())


def same_grid(a: Grid, b: Grid) -> bool:
    """Whether every voxel of one lies where the same voxel of the other does, to within :data:`SAME_PLACE_MM`.

    Two grids without an affine are one where their shapes are; a grid with an affine and one without never are.

    Example:
        >>> scan = Grid((20, 256, 256), np.diag([5.0, 1.0, 1.0, 1.0]))
        >>> same_grid(scan, Grid((20, 256, 256), np.diag([5.0, 1.0, 1.1, 1.0])))
        False
    """
    if a.shape != b.shape:
        return False
    if a.affine is None or b.affine is None:
        return a.affine is b.affine
    return largest_displacement_mm(a.affine, b.affine, a.shape) < SAME_PLACE_MM
