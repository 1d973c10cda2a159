"""Where a practice patient's voxels lie in a standard head, and the smooth noise that makes heads differ.

All lengths are millimetres in a standard head of 156 x 194 x 150 mm; a patient's own size, proportions, tilt and
position only change how the pixel grid is laid over it. x runs to the right of the image, y to the back of the
head (down the image), z from the base of the skull to the vertex.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.floating]
"""One number per voxel, shape (slice, row, column), or an array that broadcasts to it."""

HALF_WIDTH_MM = 78.0
HALF_LENGTH_MM = 97.0
HEIGHT_MM = 150.0
FIELD_OF_VIEW_MM = 220.0


@dataclass(frozen=True)
class Space:
    """Where the voxels of a patient lie in the standard head.

    Attributes:
        x_mm: To the right of the image, shape (1, row, column).
        y_mm: To the back of the head, shape (1, row, column).
        z_mm: Towards the vertex, shape (slice, 1, 1).
    """

    x_mm: Field
    y_mm: Field
    z_mm: Field

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of slices, rows and columns."""
        return (len(self.z_mm), self.x_mm.shape[1], self.x_mm.shape[2])


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int, int], spacing_mm: float) -> Field:
    """Noise of mean 0 and standard deviation about 1 whose blobs are about `spacing_mm` wide, shape as given.

    A cubic B-spline through random coefficients. Plain sums instead of matrix products, whose rounding
    depends on the number of threads, keep a seed's patient the same everywhere.
    """
    extents_mm = (HEIGHT_MM, FIELD_OF_VIEW_MM, FIELD_OF_VIEW_MM)
    knots = [int(np.ceil(extent / spacing_mm)) + 4 for extent in extents_mm]
    grid = rng.standard_normal(knots, dtype=np.float32)
    for axis in (2, 1, 0):
        grid = _spline(grid, axis, shape[axis], (knots[axis] - 4) / shape[axis])
    return grid * np.float32(3.0)


def _spline(grid: Field, axis: int, samples: int, step: float) -> Field:
    """Cubic B-spline interpolation along one axis, sample by sample to stay within the processor's cache."""
    moved = np.moveaxis(grid, axis, 0)
    fine = np.empty((samples, *moved.shape[1:]), np.float32)
    place = (np.arange(samples) + 0.5) * step
    first = place.astype(int)
    t = place - first
    weights = np.stack(((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)) / 6
    for i, (w0, w1, w2, w3) in enumerate(weights.T.astype(np.float32)):
        k = first[i]
        fine[i] = w0 * moved[k] + w1 * moved[k + 1] + w2 * moved[k + 2] + w3 * moved[k + 3]
    return np.moveaxis(fine, 0, axis)


def place_head(rng: np.random.Generator, size: int, slices: int) -> Space:
    """Lays the pixel grid over the standard head: 201 to 256 of 256 pixels long, 0.74 to 0.9 as wide as long."""
    length = rng.uniform(0.8, 0.97)
    width = length * rng.uniform(0.74, 0.9)
    tilt = np.radians(rng.normal(0, 4))
    right, down = rng.uniform(-0.02, 0.02, 2)
    line = (np.arange(size) + 0.5) / size - 0.5
    row, column = line[:, None] - down, line[None, :] - right
    x = (column * np.cos(tilt) + row * np.sin(tilt)) * 2 * HALF_WIDTH_MM / width
    y = (row * np.cos(tilt) - column * np.sin(tilt)) * 2 * HALF_LENGTH_MM / length
    z = np.linspace(rng.uniform(-5, 12), HEIGHT_MM - rng.uniform(2, 14), slices)
    return Space(x.astype(np.float32)[None], y.astype(np.float32)[None], z.astype(np.float32)[:, None, None])


def ball(x: Field, y: Field, z: Field, centre_mm: tuple[float, float, float], radii_mm: tuple[float, ...]) -> Field:
    """Squared distance from the centre of an ellipsoid in units of its radii: below 1 inside it."""
    parts = ((axis - c) / r for axis, c, r in zip((x, y, z), centre_mm, radii_mm, strict=True))
    first, second, third = (np.square(part, dtype=np.float32) for part in parts)
    return np.asarray(first + second + third, dtype=np.float32)


def bell(value: Field, centre: float, width: float) -> Field:
    """1 at the centre, falling off like a Gaussian: 1/e at one width from it."""
    return np.exp(-np.square((value - np.float32(centre)) / np.float32(width)))


def step(value: Field) -> Field:
    """A soft step from 0 to 1 around the value 0."""
    return 1 / (1 + np.exp(-np.clip(value, -30, 30)))
