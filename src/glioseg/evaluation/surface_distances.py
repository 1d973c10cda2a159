"""How far the surfaces of two masks lie apart, as MONAI measures it.

HD95 differs between libraries on the same pair of masks, so one definition is fixed: the surface is every mask voxel
with a face neighbour outside the mask, and the larger of the two directed percentiles counts. The edge of the array
counts as outside. MONAI takes seconds to import, so it is imported by the first call and not by this module.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


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
    from monai.metrics import compute_hausdorff_distance

    masks, spacing = _cropped_batch(predicted, truth), _steps(spacing_mm)
    with _without_monai_deprecations():
        distance = compute_hausdorff_distance(
            *masks, include_background=True, percentile=95, directed=False, spacing=spacing
        )
    return float(distance.item())


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
    from monai.metrics import compute_surface_dice

    masks, spacing = _cropped_batch(predicted, truth), _steps(spacing_mm)
    with _without_monai_deprecations():
        share = compute_surface_dice(*masks, class_thresholds=[tolerance], include_background=True, spacing=spacing)
    return float(share.item())


def _steps(spacing_mm: tuple[float, float, float] | None) -> list[float] | None:
    """The spacing as MONAI takes it: it refuses whole numbers beside fractions."""
    return None if spacing_mm is None else [float(step) for step in spacing_mm]


@contextmanager
def _without_monai_deprecations() -> Iterator[None]:
    """Silence the warnings that MONAI 1.6 raises about its own calls, which no user can act on."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, message="monai")
        yield


def _cropped_batch(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> "tuple[Tensor, Tensor]":
    """Both masks on their common bounding box with an empty margin, as MONAI's (batch, class, slice, row, column)."""
    import torch

    box = _bounding_box(predicted | truth)
    # The margin makes a mask that touches the edge of the array end there, in every version of MONAI.
    crops = [torch.from_numpy(np.pad(mask[box], 1)[None, None]) for mask in (predicted, truth)]
    return crops[0], crops[1]


def _bounding_box(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    """The smallest box around the True voxels, of which there is at least one."""
    axes = range(mask.ndim)
    occupied = (np.flatnonzero(mask.any(axis=tuple(other for other in axes if other != axis))) for axis in axes)
    return tuple(slice(int(indices[0]), int(indices[-1]) + 1) for indices in occupied)
