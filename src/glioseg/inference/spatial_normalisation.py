"""An external scan, brought to what the networks were trained on, and what they find brought back.

The training images are 256 x 256 axial slices with the nose at the top, of unknown spacing, in which a brain is
about 190 pixels high, and the slices 5 to 6 mm thick. So an external scan is turned to the axial view, thin slices are
averaged to slabs, and they are scaled until the brain has that height. What already fits is left as it is, pixel for
pixel.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glioseg.head.bounding_box import MEASURED, HeadBoundingBox, head_bounding_box, stride_of
from glioseg.inference.intensities import Scaling
from glioseg.machine import side_by_side
from glioseg.space.affine import spacing_mm
from glioseg.space.axial import AxialView, axial_affine, axial_view, seen_axially
from glioseg.space.interpolation import Neighbours, interpolated, neighbours
from glioseg.space.slabs import Slabs, slabs_of
from glioseg.volume import Volume, Voxels, filled_by_flair, joined

BRAIN_HEIGHT_PX = 190.0
"""Rows that a brain fills in the dataset: the median over its patients."""
FITTING_PX = (177.0, 203.0)
"""A brain between is left as it is; another is brought to the height above, though the dataset's own lie between 150
and 245: of ten masks of small brains of external scans two were better by 0.01 and 0.03 then, and none was worse by
more than 0.003."""
FIELD_OF_VIEW_PX = 256
"""Rows and columns of a placed slice. Larger slices are cut to it around the brain, which always fits."""
SQUARE = 0.03
"""Pixels whose sides differ by a smaller share count as square."""


@dataclass(frozen=True)
class SpatialNormalisation:
    """How a scan lies in the image that the network sees.

    Attributes:
        view: The turn to the axial view.
        scale: Pixels of the placed slice for each row and each column of the axial slice; (1, 1) with no
            ``field_of_view`` where the scan is left as it is.
        centre: Row and column of the axial slice that come to the middle.
        field_of_view: Rows and columns of the placed slice; None where the scan is left as it is.
        bounding_box: What was measured of the head.
        slabs: How thin slices were averaged; None where slices are seen as they are.
        step_mm: From one placed slice to the next; None where nobody knows.
    """

    view: AxialView
    scale: tuple[float, float]
    centre: tuple[float, float]
    field_of_view: tuple[int, int] | None
    bounding_box: HeadBoundingBox
    slabs: Slabs | None = None
    step_mm: float | None = None

    @property
    def is_resampled(self) -> bool:
        """Whether pixels were interpolated; otherwise the scan was turned at most."""
        return self.field_of_view is not None

    def place(self, volume: Volume, scaling: Mapping[str, Scaling] | None = None) -> Volume:
        """The scan as the network sees it: axial, shape (slice, row, column, channel).

        Args:
            volume: On its source's grid.
            scaling: By sequence, what brings its intensities to the dataset's range; none does if None.
        """
        placed = {
            sequence: self._placed(volume.channel(sequence), _scaling_of(sequence, scaling))
            for sequence in volume.taken
        }
        voxels = joined(filled_by_flair(placed, volume.channels))
        return replace(volume, voxels=voxels, slice_names=(), affine=None)

    def restore(self, probabilities: NDArray[np.float32], shape: tuple[int, int, int]) -> NDArray[np.float32]:
        """Probabilities of the placed scan, brought to the source's grid.

        Args:
            probabilities: Shape (slice, row, column) of the placed scan.
            shape: Slices, rows and columns of the source.

        Returns:
            That shape, 0 where the network saw nothing.
        """
        restored = np.empty(shape, np.float32)
        axial = seen_axially(restored, self.view)
        if self.field_of_view is not None:
            probabilities = self._restore(probabilities, (axial.shape[1], axial.shape[2]))
        if self.slabs is not None:
            self.slabs.interpolated(probabilities, axial)
        else:
            axial[...] = probabilities
        return restored

    def _placed(self, sequence: Voxels, scaling: Scaling) -> Voxels:
        axial: Any = seen_axially(sequence, self.view)
        if self.slabs is None and self.field_of_view is None:
            whole: Any = np.ascontiguousarray(scaling.scaled(axial))
            return whole
        size = self.field_of_view or axial.shape[1:]
        placed = np.empty((len(axial) if self.slabs is None else len(self.slabs.weights), *size), np.float32)

        def place(index: int) -> None:
            covered = slice(index, index + 1) if self.slabs is None else self.slabs.covered(index)
            slices = scaling.scaled(np.ascontiguousarray(axial[covered]))
            image = slices[0] if self.slabs is None else self.slabs.mean(index, slices)
            placed[index] = image if self.field_of_view is None else self._resample(image)

        side_by_side(place, range(len(placed)))
        return placed

    def _resample(self, image: Voxels) -> NDArray[np.float32]:
        assert self.field_of_view is not None
        step = (1 / self.scale[0], 1 / self.scale[1])
        start = [c - (n - 1) / 2 * s for c, n, s in zip(self.centre, self.field_of_view, step, strict=True)]
        # Below half the resolution a linear interpolation would skip pixels.
        blur = [max(0.0, (s - 1) / 2) for s in step]
        if any(blur):
            image = ndimage.gaussian_filter(image.astype(np.float32, copy=False), blur)
        return interpolated(image, *_neighbours(image.shape, self.field_of_view, step, start))

    def _restore(self, slices: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
        assert self.field_of_view is not None
        start = [(n - 1) / 2 - c * s for c, n, s in zip(self.centre, self.field_of_view, self.scale, strict=True)]
        rows, columns = _neighbours(slices.shape[1:], size, self.scale, start)
        restored = np.zeros((len(slices), *size), np.float32)

        def restore(index: int) -> None:
            # Beyond the head nothing was found, and nothing is to be brought back.
            if slices[index].any():
                restored[index] = interpolated(slices[index], rows, columns)

        side_by_side(restore, range(len(slices)))
        return restored


def _neighbours(
    shape: Sequence[int], size: Sequence[int], step: Sequence[float], start: Sequence[float]
) -> list[Neighbours]:
    """Of the rows and the columns of an image of a size, in one of another shape."""
    return [
        neighbours((np.arange(count, dtype=np.float64) + first / by) * by, pixels)
        for pixels, count, by, first in zip(shape, size, step, start, strict=True)
    ]


def find_spatial_normalisation(volume: Volume, scaling: Mapping[str, Scaling] | None = None) -> SpatialNormalisation:
    """Choose how a scan is brought to the network.

    Args:
        volume: On its source's grid; without an affine it is taken as axial already, its pixels as square.
        scaling: As for :meth:`SpatialNormalisation.place`.

    Raises:
        GliosegError: If the FLAIR shows no head.
    """
    view = axial_view(volume.affine)
    slices, rows, columns = seen_axially(volume.voxels, view).shape[:3]
    slices_mm, ratio = _slice_distance_mm(volume, view), _row_to_column(volume, view)
    bounding_box = head_bounding_box(_few_slices(volume, view, scaling), ratio)
    slabs = None if slices_mm is None else slabs_of(slices, slices_mm)
    step_mm = slices_mm if slabs is None else slabs.step_mm
    fits = FITTING_PX[0] <= bounding_box.brain_rows <= FITTING_PX[1] and max(rows, columns) <= FIELD_OF_VIEW_PX
    if fits and abs(ratio - 1) < SQUARE:
        return SpatialNormalisation(
            view, (1.0, 1.0), ((rows - 1) / 2, (columns - 1) / 2), None, bounding_box, slabs, step_mm
        )
    scale = BRAIN_HEIGHT_PX / bounding_box.brain_rows
    scales = (scale, scale / ratio)
    return SpatialNormalisation(
        view, scales, bounding_box.centre, (FIELD_OF_VIEW_PX, FIELD_OF_VIEW_PX), bounding_box, slabs, step_mm
    )


def _few_slices(volume: Volume, view: AxialView, scaling: Mapping[str, Scaling] | None) -> Volume:
    """Of the sequences by which a head is measured, the slices that are looked at."""
    few = slice(None, None, stride_of(volume.voxels.shape[view.axes[0]]))
    own = [sequence for sequence in MEASURED if sequence not in volume.missing]
    seen = {
        sequence: _scaling_of(sequence, scaling).scaled(
            np.ascontiguousarray(seen_axially(volume.channel(sequence), view)[few])
        )
        for sequence in own
    }
    voxels = joined(filled_by_flair(seen, MEASURED))
    return Volume(volume.patient, voxels, channels=MEASURED, missing=volume.missing)


def _scaling_of(sequence: str, scaling: Mapping[str, Scaling] | None) -> Scaling:
    return Scaling() if scaling is None else scaling[sequence]


def _slice_distance_mm(volume: Volume, view: AxialView) -> float | None:
    """The distance between slices in the axial view."""
    return None if volume.affine is None else spacing_mm(volume.affine)[view.axes[0]]


def _row_to_column(volume: Volume, view: AxialView) -> float:
    """The distance between rows over that between columns, in the axial view."""
    if volume.affine is None:
        return 1.0
    _, rows_mm, columns_mm = spacing_mm(axial_affine(volume.affine, volume.voxels.shape, view))
    return float(rows_mm / columns_mm)
