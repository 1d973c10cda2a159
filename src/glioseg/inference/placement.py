"""A scan from elsewhere, brought to what the networks were trained on, and what they find brought back.

The training pictures are 256 x 256 axial slices with the nose at the top, of unknown spacing, in which a brain is
about 190 pixels high, and the slices 5 to 6 mm thick. So a foreign scan is turned to the axial view, thin slices are
averaged to slabs, and they are scaled until the brain has that height. What already fits is left as it is, pixel for
pixel.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glioseg.head.extent import HeadExtent, head_extent
from glioseg.space.affine import spacing_mm
from glioseg.space.axial import AxialView, axial_affine, axial_view, from_axial, to_axial
from glioseg.space.slabs import Slabs, slabs_of
from glioseg.volume import Volume

BRAIN_HEIGHT_PX = 190.0
"""Rows that a brain fills in the dataset: the median over its patients."""
FITTING_PX = (177.0, 203.0)
"""A brain between is left as it is; another is brought to the height above, though the dataset's own lie between 150
and 245: of ten masks of small brains from elsewhere two were better by 0.01 and 0.03 then, and none was worse by more
than 0.003."""
FRAME_PX = 256
"""Rows and columns of a placed slice. Larger slices are cut to it around the brain, which always fits."""
SQUARE = 0.03
"""Pixels whose sides differ by a smaller share count as square."""


@dataclass(frozen=True)
class Placement:
    """How a scan lies in the picture that the network sees.

    Attributes:
        view: The turn to the axial view.
        scale: Pixels of the placed slice for each row and each column of the axial slice; (1, 1) with no ``frame``
            where the scan is left as it is.
        centre: Row and column of the axial slice that come to the middle.
        frame: Rows and columns of the placed slice; None where the scan is left as it is.
        extent: What was measured of the head.
        slabs: How thin slices were averaged; None where slices are seen as they are.
        step_mm: From one placed slice to the next; None where nobody knows.
    """

    view: AxialView
    scale: tuple[float, float]
    centre: tuple[float, float]
    frame: tuple[int, int] | None
    extent: HeadExtent
    slabs: Slabs | None = None
    step_mm: float | None = None

    @property
    def is_resampled(self) -> bool:
        """Whether pixels were interpolated; otherwise the scan was turned at most."""
        return self.frame is not None

    def place(self, volume: Volume) -> Volume:
        """The scan as the network sees it: axial, shape (slice, row, column, channel)."""
        voxels = to_axial(volume.voxels, self.view)
        if self.slabs is not None:
            voxels = self.slabs.averaged(voxels)
        if self.frame is not None:
            voxels = self._resample(voxels)
        return replace(volume, voxels=np.ascontiguousarray(voxels), slice_names=(), affine=None)

    def restore(self, probabilities: NDArray[np.float32], shape: tuple[int, int, int]) -> NDArray[np.float32]:
        """Probabilities of the placed scan, brought to the source's grid.

        Args:
            probabilities: Shape (slice, row, column) of the placed scan.
            shape: Slices, rows and columns of the source.

        Returns:
            That shape, 0 where the network saw nothing.
        """
        if self.frame is not None:
            axial = [shape[axis] for axis in self.view.axes]
            probabilities = self._restore(probabilities, (axial[1], axial[2]))
        if self.slabs is not None:
            probabilities = self.slabs.interpolated(probabilities)
        return from_axial(probabilities, self.view)

    def _resample(self, voxels: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
        assert self.frame is not None
        step = (1 / self.scale[0], 1 / self.scale[1])
        start = [c - (n - 1) / 2 * s for c, n, s in zip(self.centre, self.frame, step, strict=True)]
        # Below half the resolution a linear interpolation would skip pixels.
        blur = [max(0.0, (s - 1) / 2) for s in step]
        placed = np.empty((len(voxels), *self.frame, voxels.shape[-1]), np.float32)
        for index, channel in np.ndindex(len(voxels), voxels.shape[-1]):
            blurred = ndimage.gaussian_filter(voxels[index, ..., channel].astype(np.float32), blur)
            out = placed[index, ..., channel]
            ndimage.affine_transform(blurred, step, start, output_shape=self.frame, output=out, order=1)
        return placed

    def _restore(self, slices: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
        assert self.frame is not None
        start = [(n - 1) / 2 - c * s for c, n, s in zip(self.centre, self.frame, self.scale, strict=True)]
        restored = np.empty((len(slices), *size), np.float32)
        for out, picture in zip(restored, slices, strict=True):
            ndimage.affine_transform(picture, self.scale, start, output_shape=size, output=out, order=1)
        return restored


def find_placement(volume: Volume) -> Placement:
    """Choose how a scan is brought to the network.

    Args:
        volume: On its source's grid; without an affine it is taken as axial already, its pixels as square.

    Raises:
        GliosegError: If the FLAIR shows no head.
    """
    view = axial_view(volume.affine)
    axial = replace(volume, voxels=to_axial(volume.voxels, view), slice_names=(), affine=None)
    slices, rows, columns = axial.voxels.shape[:3]
    slices_mm, ratio = _slice_distance_mm(volume, view), _row_to_column(volume, view)
    extent = head_extent(axial, ratio)
    slabs = None if slices_mm is None else slabs_of(slices, slices_mm)
    step_mm = slices_mm if slabs is None else slabs.step_mm
    fits = FITTING_PX[0] <= extent.brain_rows <= FITTING_PX[1] and max(rows, columns) <= FRAME_PX
    if fits and abs(ratio - 1) < SQUARE:
        return Placement(view, (1.0, 1.0), ((rows - 1) / 2, (columns - 1) / 2), None, extent, slabs, step_mm)
    scale = BRAIN_HEIGHT_PX / extent.brain_rows
    scales = (scale, scale / ratio)
    return Placement(view, scales, extent.centre, (FRAME_PX, FRAME_PX), extent, slabs, step_mm)


def _slice_distance_mm(volume: Volume, view: AxialView) -> float | None:
    """The distance between slices in the axial view."""
    return None if volume.affine is None else spacing_mm(volume.affine)[view.axes[0]]


def _row_to_column(volume: Volume, view: AxialView) -> float:
    """The distance between rows over that between columns, in the axial view."""
    if volume.affine is None:
        return 1.0
    _, rows_mm, columns_mm = spacing_mm(axial_affine(volume.affine, volume.voxels.shape, view))
    return float(rows_mm / columns_mm)
