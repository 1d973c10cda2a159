"""Which axes of a grid run along the patient, and how long their steps are."""

from dataclasses import dataclass

import numpy as np
from nibabel.orientations import io_orientation
from numpy.typing import NDArray

from glioseg.errors import GliosegError


@dataclass(frozen=True)
class AxialAxes:
    """The axes of an array by the direction of the patient that each runs closest to.

    Attributes:
        slice: The axis closest to inferior-superior: across it lie the axial slices.
        row: The axis closest to anterior-posterior.
        column: The axis closest to left-right.
        flipped: For slice, row and column, whether the axis runs against an axial picture as radiologists hang it:
            slices from inferior to superior, rows from anterior to posterior, columns from the patient's right to left.
    """

    slice: int = 0
    row: int = 1
    column: int = 2
    flipped: tuple[bool, bool, bool] = (False, False, False)

    def hang(self, voxels: NDArray[np.generic]) -> NDArray[np.generic]:
        """The array as a radiologist sees it, (axial slice, row, column): a view, without a copy."""
        turned = np.transpose(voxels, (self.slice, self.row, self.column))
        return turned[tuple(slice(None, None, -1 if flip else 1) for flip in self.flipped)]

    def hang_index(self, index: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Where :meth:`hang` puts voxel indices of an array of this shape; shape (..., 3), fractions allowed."""
        order = [self.slice, self.row, self.column]
        turned, last = index[..., order], np.array(shape, np.float64)[order] - 1
        return np.where(self.flipped, last - turned, turned)


def axial_axes(affine: NDArray[np.float64] | None) -> AxialAxes:
    """The axes of a grid; without an affine, as in the dataset's tif files, its order is taken to be axial already.

    An oblique grid goes to the nearest assignment of its axes; nothing is resampled.

    Args:
        affine: Voxel indices (slice, row, column) to RAS+ millimetres, shape (4, 4), or None.
    """
    if affine is None:
        return AxialAxes()
    worlds, signs = io_orientation(affine).T
    axis_of = {int(world): axis for axis, world in enumerate(worlds)}
    superior, anterior, right = axis_of[2], axis_of[1], axis_of[0]
    # RAS+ grows towards superior, anterior and right; the picture grows towards superior, posterior and left.
    flipped = (bool(signs[superior] < 0), bool(signs[anterior] > 0), bool(signs[right] > 0))
    return AxialAxes(superior, anterior, right, flipped)


def spacing_mm(affine: NDArray[np.float64]) -> tuple[float, float, float]:
    """Distance between voxel centres along (slice, row, column).

    Raises:
        GliosegError: If the affine places no voxel: it is not invertible or not finite.
    """
    if affine.shape != (4, 4) or not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise GliosegError(
            "the affine of the mask places no voxel",
            expected="an invertible 4 x 4 matrix of finite numbers",
            remedy="Write the mask again with the affine of its scan",
        )
    steps = np.linalg.norm(affine[:3, :3], axis=0)
    return float(steps[0]), float(steps[1]), float(steps[2])


def voxel_volume_ml(affine: NDArray[np.float64]) -> float:
    """The volume of one voxel; exact for sheared grids too."""
    return float(abs(np.linalg.det(affine[:3, :3]))) / 1000
