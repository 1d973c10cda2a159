"""Images from one grid onto another, by what their affines say of the patient.

Intensities are interpolated linearly. A voxel reaches half a step to either side of its centre; what lies outside
every voxel of the source is filled. Where the new grid is more than twice as coarse along an axis of the source,
intensities are smoothed along it first: a thick slice shows the mean of what it covers, and single voxels picked out
of a fine grid would show noise.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glioseg.scan import Scan
from glioseg.space.affine import Grid, grid_of

COARSER_THAN = 2.0
"""From this ratio of steps on, intensities are smoothed before they are resampled."""

_HALF_A_VOXEL = 0.5 + 1e-6


def resample_scan(scan: Scan, onto: Grid) -> Scan:
    """A scan on another grid, linear; outside the scan's field of view lies its lowest intensity.

    Raises:
        ValueError: If either grid has no affine.

    Example:
        >>> scan = Scan("P1", np.ones((10, 8, 8), np.float32), np.diag([5.0, 2.0, 2.0, 1.0]))
        >>> resample_scan(scan, Grid((10, 16, 16), np.diag([5.0, 1.0, 1.0, 1.0]))).voxels.shape
        (10, 16, 16)
    """
    indices = _index_map(grid_of(scan), onto)
    voxels = _smoothed(scan.voxels, indices)
    return replace(scan, voxels=_interpolated(voxels, indices, onto, fill=float(scan.voxels.min())), affine=onto.affine)


def field_of_view(source: Grid, onto: Grid) -> NDArray[np.bool_]:
    """Which voxels of one grid, by their centre, lie within the voxels of another: bool of the shape of ``onto``.

    Raises:
        ValueError: If either grid has no affine.
    """
    return _within(source.shape, _index_map(source, onto), onto.shape)


def _index_map(source: Grid, onto: Grid) -> NDArray[np.float64]:
    """Indices of the new grid to indices of the source, shape (4, 4)."""
    if source.affine is None or onto.affine is None:
        raise ValueError("without an affine nothing is known of where voxels lie")
    # Rounded, so that an exchange of axes is one: a millionth of a voxel is not to blur the image.
    return np.round(np.linalg.solve(source.affine, onto.affine), 9)


def _smoothed(voxels: NDArray[np.float32], indices: NDArray[np.float64]) -> NDArray[np.float32]:
    """Smooth along each axis of the source that the new grid samples coarsely.

    The deviation, (ratio - 1) / 2 voxels, makes the Gaussian about as wide as the new voxel.
    """
    ratios = np.abs(indices[:3, :3]).max(axis=1)
    deviations = np.where(ratios > COARSER_THAN, (ratios - 1) / 2, 0.0)
    if not deviations.any():
        return voxels
    return ndimage.gaussian_filter(voxels, deviations, mode="nearest")


def _interpolated(
    voxels: NDArray[np.float32], indices: NDArray[np.float64], onto: Grid, *, fill: float
) -> NDArray[np.float32]:
    # mode="constant" would also empty the outer half of the outermost voxels, and by rounding whole edge slices.
    found: NDArray[np.float32] = ndimage.affine_transform(
        voxels,
        indices[:3, :3],
        indices[:3, 3],
        output_shape=onto.shape,
        output=np.float32,
        order=1,
        mode="nearest",
        prefilter=False,
    )
    found[~_within(voxels.shape, indices, onto.shape)] = fill
    return found


def _within(
    shape: tuple[int, ...], indices: NDArray[np.float64], onto_shape: tuple[int, int, int]
) -> NDArray[np.bool_]:
    slices, rows, columns = np.ogrid[tuple(slice(size) for size in onto_shape)]
    inside = np.ones(onto_shape, np.bool_)
    for axis, size in enumerate(shape):
        by_slice, by_row, by_column, start = indices[axis]
        index = by_slice * slices + by_row * rows + by_column * columns + start
        inside &= (index >= -_HALF_A_VOXEL) & (index <= size - 1 + _HALF_A_VOXEL)
    return inside
