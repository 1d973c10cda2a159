"""A patient's head as it might be without the tumour: what a model must find nothing in.

Slices without tumour stay as they are. In the others the tumour and its surroundings are covered by the mirrored other
side of the brain. Where the tumour reaches across the middle there is nothing to cover it with, and the slice is left
out.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glioseg.head import FOREGROUND_THRESHOLD
from glioseg.volume import Mask, Volume

SURROUNDINGS_PX = 7
"""What lies so near to a tumour is covered too: contours are drawn tightly."""
SEAM_PX = 2.0
"""Deviation of the smooth seam between what is covered and what is not."""
FEWEST_SLICES = 8
"""Fewer slices that show a head say nothing."""
_BLOCK_PX = 8
_LOOKED_AT = 5
_TURNS_DEGREES = range(-12, 13, 2)
_SHIFTS_PX = range(-16, 17, 4)


@dataclass(frozen=True)
class MirrorLine:
    """The line that parts a head into halves, the same in every slice.

    Attributes:
        row: Where the head's middle lies.
        column: Column of the line at this row.
        slope: Columns that it moves for each row.
    """

    row: float
    column: float
    slope: float

    def mirrored(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Images (slice, row, column) seen in the mirror; 0 where nothing lies opposite."""
        where = self._opposite(images.shape[1:])
        return np.array([ndimage.map_coordinates(image, where, order=1) for image in images], np.float32)

    def _opposite(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        rows, columns = np.indices(shape)
        across = np.array([-self.slope, 1.0]) / np.hypot(1.0, self.slope)
        distance = (rows - self.row) * across[0] + (columns - self.column) * across[1]
        return np.stack([rows - 2 * distance * across[0], columns - 2 * distance * across[1]])


def without_tumour(volume: Volume, truth: Mask) -> Volume | None:
    """A scan of the same patient without tumour.

    Args:
        volume: A scan of the dataset, uint8.
        truth: Its mask.

    Returns:
        As many of its slices as can be shown without tumour; None where they are fewer than :data:`FEWEST_SLICES`.
    """
    near = np.array([_surroundings(section) for section in truth.voxels])
    # A slice shows some of what lies in the slices beside it.
    near |= ndimage.binary_dilation(truth.voxels, np.ones((3, 1, 1), np.bool_))
    head = volume.channel("flair") > FOREGROUND_THRESHOLD
    line = mirror_line(volume.channel("flair"), head)
    shown = ~_crosses(near, line)
    if np.count_nonzero(head.any(axis=(1, 2)) & shown) < FEWEST_SLICES:
        return None
    voxels = volume.voxels.copy()
    for index in np.flatnonzero(near.any(axis=(1, 2)) & shown):
        voxels[index] = _covered(volume.voxels[index], near[index], line)
    return replace(volume, voxels=voxels[shown], slice_names=())


def _crosses(near: NDArray[np.bool_], line: MirrorLine) -> NDArray[np.bool_]:
    """In which slices there is tumour opposite of tumour."""
    opposite = [section.any() and (line.mirrored(section[None].astype(np.float32))[0] > 0.5) for section in near]
    return np.array([bool((other & section).any()) for other, section in zip(opposite, near, strict=True)])


def mirror_line(flair: NDArray[np.uint8] | NDArray[np.float32], head: NDArray[np.bool_]) -> MirrorLine:
    """The line across which a head is most like itself.

    Args:
        flair: Shape (slice, row, column), in the axial view.
        head: Where the head lies; somewhere at least.
    """
    areas = head.sum(axis=(1, 2))
    large = np.flatnonzero(areas >= 0.6 * areas.max())
    slices = large[np.unique(np.linspace(0, large.size - 1, _LOOKED_AT).round().astype(int))]
    row, column = (float(np.mean(place)) for place in np.nonzero(head[slices])[1:])
    small = np.array([_blocks(image) for image in flair[slices]])
    lines = [
        MirrorLine(row, column + shift, float(np.tan(np.radians(turn))))
        for turn in _TURNS_DEGREES
        for shift in _SHIFTS_PX
    ]
    return max(lines, key=lambda line: _likeness(small, line))


def _likeness(blocks: NDArray[np.float32], line: MirrorLine) -> float:
    middle = (_BLOCK_PX - 1) / 2
    coarse = MirrorLine((line.row - middle) / _BLOCK_PX, (line.column - middle) / _BLOCK_PX, line.slope)
    return -float(np.abs(blocks - coarse.mirrored(blocks)).sum())


def _blocks(image: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
    smooth = ndimage.uniform_filter(image.astype(np.float32), _BLOCK_PX, origin=-(_BLOCK_PX // 2))
    return np.asarray(smooth[::_BLOCK_PX, ::_BLOCK_PX], np.float32)


def _surroundings(section: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if not section.any():
        return section
    return np.asarray(ndimage.distance_transform_edt(~section) <= SURROUNDINGS_PX)


def _covered(
    image: NDArray[np.uint8] | NDArray[np.float32], near: NDArray[np.bool_], line: MirrorLine
) -> NDArray[np.uint8]:
    """A slice (row, column, channel) with its other half over what lies near to a tumour."""
    channels = np.moveaxis(image, -1, 0).astype(np.float32)
    weight = ndimage.gaussian_filter(near.astype(np.float32), SEAM_PX)
    mixed = channels + weight * (line.mirrored(channels) - channels)
    return np.asarray(np.moveaxis(mixed, 0, -1).clip(0, 255).round(), np.uint8)
