"""What is measured in every slice of a patient, from which the checks judge."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glioseg.check.head import head_masks, longest_runs, shrink
from glioseg.check.scan import CheckedScan

SMALL, TINY = 128, 64
SATURATED = 255
TISSUE_AT_BORDER = 0.35
BLACK_BELOW = 0.01
"""A slice whose head fills less of the frame than this shows nothing."""


@dataclass(frozen=True)
class SliceMeasures:
    """Numbers for each slice of one patient.

    Attributes:
        head: The head, shape (slice, 128, 128).
        small: Every sequence in small, shape (slice, 128, 128, channel), float32.
        tiny: The main sequence in 64 x 64 pixels, shape (slice, row, column), float32.
        head_share: Share of the frame that the head fills, shape (slice,).
        brightness: Mean intensity in the head, shape (slice, channel).
        saturated: Share of all pixels at 255, shape (slice, channel).
        roughness: Mean absolute Laplacian over the head's share of the mean intensity, shape (slice, channel).
        ghosts: Mean intensity outside of the head over that inside, shape (slice, channel).
        cut: The longest run of head along the top, bottom, left and right border of the frame, as a share of that
            border, shape (slice, 4).
    """

    head: NDArray[np.bool_]
    small: NDArray[np.float32]
    tiny: NDArray[np.float32]
    head_share: NDArray[np.float64]
    brightness: NDArray[np.float64]
    saturated: NDArray[np.float64]
    roughness: NDArray[np.float64]
    ghosts: NDArray[np.float64]
    cut: NDArray[np.float64]

    @property
    def shows_head(self) -> NDArray[np.bool_]:
        """Slices that are not black, shape (slice,)."""
        return self.head_share >= BLACK_BELOW


def measure_slices(scan: CheckedScan) -> SliceMeasures:
    """Measure every slice of one patient."""
    channels = range(scan.images.shape[-1])
    small = np.stack([shrink(scan.images[..., channel], SMALL) for channel in channels], axis=-1)
    main = small[..., scan.channels.index(scan.main_channel)]
    head = head_masks(main)
    steady = _agreed_by_neighbours(head)
    inside, outside = _mean_over(small, head), _mean_over(small, ~_dilated(steady))
    head_share = head.mean(axis=(1, 2))
    # One grey level keeps the ratios of black slices finite.
    floor = np.maximum(inside, 1)
    roughness = np.stack([_roughness(scan.images[..., channel]) for channel in channels], axis=-1)
    return SliceMeasures(
        head=head,
        small=small,
        tiny=shrink(main, TINY),
        head_share=head_share,
        brightness=inside,
        saturated=(scan.images == SATURATED).mean(axis=(1, 2)) if scan.original_range else np.zeros_like(inside),
        roughness=roughness / floor / np.maximum(head_share, BLACK_BELOW)[:, None],
        ghosts=outside / floor,
        cut=_cut(steady, main),
    )


def _mean_over(small: NDArray[np.float32], where: NDArray[np.bool_]) -> NDArray[np.float64]:
    counts = np.maximum(where.sum(axis=(1, 2)), 1)
    sums = np.einsum("srcx,src->sx", small, where.astype(np.float32))
    return np.asarray(sums / counts[:, None], np.float64)


def _agreed_by_neighbours(head: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where at least two of a slice and the two next to it show the head: ghosts of a single slice are left out."""
    padded = np.concatenate([head[:1], head, head[-1:]]).astype(np.uint8)
    return np.asarray(padded[:-2] + padded[1:-1] + padded[2:] >= 2)


def _dilated(head: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(ndimage.maximum_filter(head, (0, 7, 7)))


def _roughness(images: NDArray[np.uint8]) -> NDArray[Any]:
    """Mean absolute Laplacian of each slice: blur lowers it, noise and stripes raise it."""
    signed = images.astype(np.int16)
    laplacian = 4 * signed[:, 1:-1, 1:-1]
    for rows, columns in ((slice(2, None), slice(1, -1)), (slice(-2), slice(1, -1))):
        laplacian -= signed[:, rows, columns]
        laplacian -= signed[:, columns, rows]
    return np.asarray(np.abs(laplacian).mean(axis=(1, 2)))


def _cut(head: NDArray[np.bool_], main: NDArray[np.float32]) -> NDArray[np.float64]:
    """Where the head meets the border it is nearly as bright as within; a bright background is not."""
    runs = longest_runs(_borders(head)) / head.shape[1]
    edge, on_edge = _borders(main), _borders(head)
    level = (edge * on_edge).sum(axis=2) / np.maximum(on_edge.sum(axis=2), 1)
    bright = [np.percentile(one[inside], 90) if inside.any() else 0 for one, inside in zip(main, head, strict=True)]
    return np.asarray(runs * (level >= TISSUE_AT_BORDER * np.array(bright)[:, None]))


def _borders(stack: NDArray[Any]) -> NDArray[Any]:
    """The top, bottom, left and right lines of each slice: (slice, row, column) to (slice, 4, place)."""
    return np.stack([stack[:, 0], stack[:, -1], stack[:, :, 0], stack[:, :, -1]], axis=1)
