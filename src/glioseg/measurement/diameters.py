"""Diameters of a tumour, edge to edge as callipers are set.

A voxel ends half a step from its centre. The ends of a diameter are centres of voxel faces (in the plane: of pixel
edges), the vertices of a marching-squares contour, as PyRadiomics takes them for its Maximum2DDiameter and
Maximum3DDiameter (van Griethuysen et al., Cancer Research 2017). So n pixels in a row along an axis measure n steps,
one pixel one step. Of a round tumour the grid favours some directions, and the longest diameter comes out about half
a pixel long; between centres a row of pixels would be one step short, and one pixel nothing.

The longest diameter and the longest one at right angles to it on the same slice are those of RANO (Wen et al.,
J Clin Oncol 2010; van den Bent et al., Lancet Oncol 2011 for low-grade glioma on FLAIR). Both are chords of the convex
hull of one connected region of one axial slice: a diameter may cross a notch of the tumour, never a gap between two.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glioseg.space.axial import axial_view

Point = tuple[float, float, float]

BLOCK_POINTS = 1024
"""Points whose distances to all others are held at once."""

_EQUAL = 1e-9
"""Relative difference below which two lengths are equal, so that rounding does not decide between symmetric ones."""


@dataclass(frozen=True)
class Line:
    """A straight line across a tumour.

    Attributes:
        ends: Voxel indices (slice, row, column) of its two ends; fractional, as ends lie on voxel edges.
        length_px: In steps of the grid.
        length_mm: In millimetres, or None where the spacing is unknown.
    """

    ends: tuple[Point, Point]
    length_px: float
    length_mm: float | None

    def moved(self, origin: tuple[int, int, int]) -> "Line":
        """The same line on a grid whose voxel ``origin`` is the first of this one."""
        first, second = (as_point(np.add(end, origin)) for end in self.ends)
        return replace(self, ends=(first, second))


@dataclass(frozen=True)
class Bidirectional:
    """The two diameters of a tumour.

    Attributes:
        longest: The longest diameter within any axial slice.
        perpendicular: The longest diameter at right angles to it within the same region of the same slice.
        axial_slice: The index of that slice along the grid's axial axis, from 0.
    """

    longest: Line
    perpendicular: Line
    axial_slice: int

    def moved(self, origin: tuple[int, int, int], axial_axis: int) -> "Bidirectional":
        """The same diameters on a grid whose voxel ``origin`` is the first of this one."""
        return Bidirectional(
            self.longest.moved(origin), self.perpendicular.moved(origin), self.axial_slice + origin[axial_axis]
        )


@dataclass(frozen=True)
class _PlaneLines:
    """Both lines of one region: ends in plane indices, shape (2 ends, 2 axes), and lengths in the frame's unit."""

    longest: NDArray[np.float64]
    perpendicular: NDArray[np.float64]
    lengths: tuple[float, float]


def bidirectional(voxels: NDArray[np.bool_], affine: NDArray[np.float64] | None) -> Bidirectional | None:
    """The largest axial diameters, or None where there is no tumour.

    Of equally long diameters the one with the longer perpendicular is taken, then the one on the first slice. Without
    an affine, slices are taken to be axial and pixels to be square.

    Args:
        voxels: Shape (slice, row, column), on a grid whose nearest axial plane is measured.
        affine: Voxel indices to RAS+ millimetres, or None.

    Example:
        >>> voxels = np.zeros((3, 20, 20), bool)
        >>> voxels[1, 5:8, 5:9] = True
        >>> found = bidirectional(voxels, np.diag([5.0, 1.0, 1.0, 1.0])[[2, 1, 0, 3]])  # axial slices of 5 mm
        >>> round(found.longest.length_mm, 2), round(found.perpendicular.length_mm, 2)
        (4.47, 3.35)
    """
    axis = axial_view(affine).axes[0]
    frame = _plane_frame(affine, axis)
    best: tuple[_PlaneLines, int] | None = None
    slices = np.moveaxis(voxels, axis, 0)
    for index in np.flatnonzero(slices.any(axis=(1, 2))):
        for region in _regions(slices[index]):
            found = _plane_lines(region, frame)
            if best is None or _is_larger(found, best[0]):
                best = found, int(index)
    return None if best is None else _in_space(*best, axis, affine)


def maximum_extent(voxels: NDArray[np.bool_], affine: NDArray[np.float64] | None) -> Line | None:
    """The longest straight line between any two places of the mask, in 3-D, or None where there is no tumour.

    Args:
        voxels: Shape (slice, row, column).
        affine: Voxel indices to RAS+ millimetres; without it the line is the longest in steps of the grid.
    """
    if not voxels.any():
        return None
    corners = _hull(_face_centres(voxels))
    placed = corners if affine is None else corners @ affine[:3, :3].T
    first, second = _farthest_pair(placed)
    return _line(np.stack([corners[first], corners[second]]), affine)


def _plane_frame(affine: NDArray[np.float64] | None, axis: int) -> NDArray[np.float64]:
    """Plane indices to millimetres within the plane, shape (2, 2), whatever angle its two axes make."""
    if affine is None:
        return np.eye(2)
    return np.asarray(np.linalg.qr(np.delete(affine[:3, :3], axis, axis=1)).R)


def _regions(flags: NDArray[np.bool_]) -> Iterator[NDArray[np.bool_]]:
    """The connected regions (8 neighbours) of a slice, each on the slice's own grid."""
    labels, count = ndimage.label(flags, structure=np.ones((3, 3)))
    for label in range(1, count + 1):
        yield labels == label


def _plane_lines(region: NDArray[np.bool_], frame: NDArray[np.float64]) -> _PlaneLines:
    corners = _hull(_face_centres(region))
    placed = corners @ frame.T
    distances = _distances(placed, placed)
    longest = distances.max()
    pairs = np.argwhere(np.triu(distances >= longest * (1 - _EQUAL)))
    candidates = []
    for first, second in pairs:
        direction = (placed[second] - placed[first]) / longest
        across = _longest_chord(placed, direction)
        ends = np.asarray(np.linalg.solve(frame, across.T).T, np.float64)
        length = float(np.linalg.norm(across[1] - across[0]))
        candidates.append(_PlaneLines(corners[[first, second]], ends, (float(longest), length)))
    return max(candidates, key=lambda lines: round(lines.lengths[1], 6))


def _longest_chord(polygon: NDArray[np.float64], direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """The ends, shape (2, 2), of the longest chord of a convex polygon at right angles to a direction.

    How long the chord is changes linearly between vertices, so the longest one runs through a vertex; between parallel
    sides, where many are equally long, the middle one is taken.
    """
    normal = np.array([-direction[1], direction[0]])
    along, across = polygon @ direction, polygon @ normal
    turned = np.roll(np.arange(len(polygon)), -int(along.argmin()))
    middle = int(along[turned].argmax())
    one_side, other_side = turned[: middle + 1], np.append(turned[middle:], turned[0])[::-1]
    sides = [(along[side], across[side]) for side in (one_side, other_side)]
    lengths = np.abs(np.interp(along, *sides[0]) - np.interp(along, *sides[1]))
    longest = along[lengths >= lengths.max() * (1 - _EQUAL)]
    at = (longest.min() + longest.max()) / 2
    return at * direction + np.array([[np.interp(at, *side)] for side in sides]) * normal


def _is_larger(found: _PlaneLines, best: _PlaneLines) -> bool:
    return tuple(round(length, 6) for length in found.lengths) > tuple(round(length, 6) for length in best.lengths)


def _in_space(lines: _PlaneLines, index: int, axis: int, affine: NDArray[np.float64] | None) -> Bidirectional:
    longest, perpendicular = (
        _line(np.insert(ends, axis, float(index), axis=1), affine) for ends in (lines.longest, lines.perpendicular)
    )
    return Bidirectional(longest, perpendicular, index)


def _line(ends: NDArray[np.float64], affine: NDArray[np.float64] | None) -> Line:
    step = ends[1] - ends[0]
    length_mm = None if affine is None else float(np.linalg.norm(affine[:3, :3] @ step))
    return Line((as_point(ends[0]), as_point(ends[1])), float(np.linalg.norm(step)), length_mm)


def as_point(values: NDArray[np.float64]) -> Point:
    """An array of three numbers as a point."""
    return float(values[0]), float(values[1]), float(values[2])


def _face_centres(flags: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The centres of the faces of all voxels at the border, as indices, shape (point, axis)."""
    border = np.argwhere(flags & ~ndimage.binary_erosion(flags))
    half_steps = np.concatenate([np.eye(flags.ndim), -np.eye(flags.ndim)]) / 2
    return np.asarray((border[:, np.newaxis] + half_steps).reshape(-1, flags.ndim))


def _hull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The corners of the convex hull, in order around it where it is plane. One voxel's faces already span it."""
    # As long to import as scipy.ndimage, for nothing where there is no tumour.
    from scipy.spatial import ConvexHull

    return np.asarray(points[ConvexHull(points).vertices])


def _distances(some: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Between every two points, shape (some, others)."""
    from scipy.spatial.distance import cdist

    return np.asarray(cdist(some, others))


def _farthest_pair(points: NDArray[np.float64]) -> tuple[int, int]:
    """Indices of the two points farthest apart; in blocks, as all distances at once may not fit into memory."""
    best, pair = -1.0, (0, 0)
    for start in range(0, len(points), BLOCK_POINTS):
        distances = _distances(points[start : start + BLOCK_POINTS], points)
        place = int(distances.argmax())
        if distances.flat[place] > best * (1 + _EQUAL):
            best = float(distances.flat[place])
            row, column = divmod(place, len(points))
            pair = start + row, column
    return pair
