"""The view that the networks were trained on, and the way back from it.

Axial slices from the neck up, rows from the face to the back of the head, columns from the patient's right to the left:
a radiologist's image. A grid in any other direction is brought to it by exchanging and reversing axes alone, which
no voxel notices, so that the way back is exact. An oblique grid goes to the nearest axes and stays oblique.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glioseg.space.affine import direction_cosines, nearest_axes

# The signs of right, anterior and superior along columns, rows and slices.
_COLUMNS_TO_LEFT, _ROWS_TO_POSTERIOR, _SLICES_TO_SUPERIOR = -1, -1, 1


@dataclass(frozen=True)
class AxialView:
    """How a grid is turned into the axial view.

    Attributes:
        axes: Which axis of the source becomes slice, row and column.
        reversed_axes: Whether the slices, rows and columns of the view run against the source's axis.
    """

    axes: tuple[int, int, int] = (0, 1, 2)
    reversed_axes: tuple[bool, bool, bool] = (False, False, False)


def axial_view(affine: NDArray[np.float64] | None) -> AxialView:
    """The view of a grid; a grid without affine is taken to be axial already, as the dataset's tif files are.

    Example:
        >>> sagittal = np.array([[-3, 0, 0, 0], [0, 0, -1, 0], [0, -1, 0, 0], [0, 0, 0, 1.0]])  # slices run to the left
        >>> view = axial_view(sagittal)
        >>> to_axial(np.zeros((30, 200, 100)), view).shape
        (200, 100, 30)
        >>> from_axial(to_axial(np.zeros((30, 200, 100)), view), view).shape
        (30, 200, 100)
    """
    if affine is None:
        return AxialView()
    cosines = direction_cosines(affine)
    right, anterior, superior = nearest_axes(affine)
    return AxialView(
        axes=(superior, anterior, right),
        reversed_axes=(
            bool(cosines[2, superior] * _SLICES_TO_SUPERIOR < 0),
            bool(cosines[1, anterior] * _ROWS_TO_POSTERIOR < 0),
            bool(cosines[0, right] * _COLUMNS_TO_LEFT < 0),
        ),
    )


def to_axial(voxels: NDArray[Any], view: AxialView) -> NDArray[Any]:
    """Turn an array (slice, row, column, ...) into the axial view; further axes, as channels, stay where they are."""
    return np.ascontiguousarray(seen_axially(voxels, view))


def seen_axially(voxels: NDArray[Any], view: AxialView) -> NDArray[Any]:
    """As :func:`to_axial`, with the very voxels: what is written to it is written to the array."""
    turned = voxels.transpose(*view.axes, *range(3, voxels.ndim))
    return np.flip(turned, _reversed(view))


def from_axial(voxels: NDArray[Any], view: AxialView) -> NDArray[Any]:
    """Bring an array back from the axial view, the exact inverse of :func:`to_axial`."""
    back = np.flip(voxels, _reversed(view))
    return np.ascontiguousarray(back.transpose(*np.argsort(view.axes), *range(3, voxels.ndim)))


def axial_affine(affine: NDArray[np.float64], shape: tuple[int, ...], view: AxialView) -> NDArray[np.float64]:
    """The affine of the axial view of an array of this shape, so that every voxel keeps its millimetres."""
    indices = np.zeros((4, 4))
    indices[3, 3] = 1
    for axis, (source, reverse) in enumerate(zip(view.axes, view.reversed_axes, strict=True)):
        indices[source, axis] = -1 if reverse else 1
        indices[source, 3] = shape[source] - 1 if reverse else 0
    return affine @ indices


def _reversed(view: AxialView) -> tuple[int, ...]:
    return tuple(axis for axis, reverse in enumerate(view.reversed_axes) if reverse)
