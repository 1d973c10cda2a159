"""How far the surfaces of two masks lie apart, digit for digit as MONAI 1.6 measures it, without its imports.

HD95 differs between libraries on the same pair of masks, so one definition is fixed: the surface is every mask voxel
with a face neighbour outside the mask, and the larger of the two directed percentiles counts. The edge of the array
counts as outside.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion
from scipy.spatial import KDTree


def hd95(
    predicted: NDArray[np.bool_], truth: NDArray[np.bool_], spacing_mm: tuple[float, float, float] | None = None
) -> float:
    """Larger of the two directed 95th percentiles of the surface distances.

    Definition: Maier-Hein et al., "Metrics reloaded", Nature Methods 2024, metric card HD95.

    Args:
        predicted: Shape (slice, row, column), at least one voxel True.
        truth: Likewise.
        spacing_mm: Distance between voxels along (slice, row, column); one pixel along each axis if None.

    Returns:
        Millimetres, or pixels where there is no spacing.
    """
    return max(_percentile(distances, 0.95) for distances in surface_distances(predicted, truth, spacing_mm))


def normalised_surface_dice(
    predicted: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    tolerance: float,
    spacing_mm: tuple[float, float, float] | None = None,
) -> float:
    """Share of the surface voxels of both masks that lie within a tolerance of the other surface.

    Definition: Nikolov et al., "Clinically applicable segmentation of head and neck anatomy", JMIR 2021, on surface
    voxels rather than area elements, as MONAI does without ``use_subvoxels``.

    Args:
        predicted: Shape (slice, row, column), at least one voxel True.
        truth: Likewise.
        tolerance: Millimetres, or pixels where there is no spacing.
        spacing_mm: As for :func:`hd95`.
    """
    both = surface_distances(predicted, truth, spacing_mm)
    within = sum(int((distances <= np.float32(tolerance)).sum()) for distances in both)
    return float(np.float32(within) / np.float32(sum(len(distances) for distances in both)))


def surface_distances(
    predicted: NDArray[np.bool_], truth: NDArray[np.bool_], spacing_mm: tuple[float, float, float] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """From each surface voxel of one mask the distance to the nearest of the other; arguments as :func:`hd95`.

    Returns:
        From the predicted surface to the true one, and back; shape (voxel,) each.
    """
    step = np.ones(3) if spacing_mm is None else np.asarray(spacing_mm, np.float64)
    one, other = (_surface(mask) * step for mask in (predicted, truth))
    return _nearest(one, other), _nearest(other, one)


def _surface(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Index of each voxel that has a face neighbour outside the mask, shape (voxel, axis)."""
    box = _bounding_box(mask)
    inside = mask[box]
    corner = np.array([side.start for side in box])
    return np.asarray(np.argwhere(inside & ~binary_erosion(inside)) + corner)


def _nearest(points: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(KDTree(targets, leafsize=32).query(points)[0], np.float32)


def _percentile(values: NDArray[np.float32], share: float) -> float:
    """Linear between the two nearest ranks, in float32 and from the nearer end, as PyTorch's quantile is."""
    ordered = np.sort(values)
    rank = np.float32(share) * np.float32(len(ordered) - 1)
    low = int(rank)
    weight = rank - np.float32(low)
    below, above = ordered[low], ordered[min(low + 1, len(ordered) - 1)]
    if weight < 0.5:
        return float(below + weight * (above - below))
    return float(above - (above - below) * (np.float32(1) - weight))


def _bounding_box(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    """The smallest box around the True voxels, of which there is at least one."""
    axes = range(mask.ndim)
    occupied = (np.flatnonzero(mask.any(axis=tuple(other for other in axes if other != axis))) for axis in axes)
    return tuple(slice(int(indices[0]), int(indices[-1]) + 1) for indices in occupied)
