"""The brain without skull and scalp, found by arithmetic alone.

Good enough to make images as archives strip them, and to measure how large a brain is; not meant as an atlas-grade
contour. In each slice the brain is what stays together when the dark ring of the skull is cut open; from the largest
section to either end every section lies within the one before, which leaves eyes, nose and neck behind.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glioseg.head.depth import filled
from glioseg.machine import side_by_side
from glioseg.volume import Volume

CORE_DEPTH_PX = 35
"""Deeper than this lies brain, in slices of the dataset's size: its intensity is the measure for the rest."""
RIM_PX = 14
"""Scalp with its fat reaches about so deep."""
SCALP_PX = 7
"""Nearer to the edge than this lies no brain."""
OPENING_PX = 5
"""Bridges narrower than twice this, such as vessels and the optic nerve, are cut."""
GROWTH_PX = 3
"""How far a section may reach beyond the one before."""
DARKEST, DARKEST_KEPT, FAT = 0.5, 0.25, 1.5
"""Brain is brighter than the first share of the core's FLAIR; in holes and rims than the second; and fat, unlike
tumour, is brighter than the third in FLAIR and T1 alike."""
SMALLEST_PART = 0.15
"""Parts of a section below this share of its largest are no brain."""


def brain_mask(volume: Volume, depth_px: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where the brain lies, in a scan with skull and scalp.

    Args:
        volume: The scan, about as large in its slices as the dataset's.
        depth_px: From :func:`glioseg.head.depth.head_depth_px`.

    Returns:
        Shape (slice, row, column); nowhere True where no brain is found.
    """
    flair, pre = _smooth(volume.channel("flair")), _smooth(volume.channel("pre"))
    core = depth_px > CORE_DEPTH_PX
    if not core.any():
        return np.zeros(core.shape, np.bool_)
    level, level_pre = float(np.median(flair[core])), float(np.median(pre[core]))
    # Where T1 was not taken, a tumour is as bright as fat in both; so near its rim alone the head holds fat.
    rim = depth_px <= (RIM_PX if "pre" in volume.missing else CORE_DEPTH_PX)
    fat = (flair > FAT * level) & (pre > FAT * level_pre) & rim
    candidate = (flair > DARKEST * level) & (depth_px > SCALP_PX) & ~fat
    opened = _opened(candidate, core)
    kept = opened & (flair > DARKEST_KEPT * level) & (depth_px > SCALP_PX)
    return _taper(np.array(side_by_side(filled, kept)))


def _smooth(images: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
    smooth: NDArray[np.float32] = ndimage.uniform_filter(images.astype(np.float32), (0, 3, 3), mode="nearest")
    return smooth


def _opened(candidate: NDArray[np.bool_], core: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Shrink each section, keep the one body that holds most of the core, and grow it back."""
    shrunk = np.array(side_by_side(lambda section: ndimage.distance_transform_edt(section) > OPENING_PX, candidate))
    labels, _ = ndimage.label(shrunk)
    sizes = np.bincount(labels[core & shrunk], minlength=2)
    sizes[0] = 0
    body = (labels == sizes.argmax()) & shrunk
    return np.array(side_by_side(lambda section: _within(section, OPENING_PX + 1), body))


def _taper(sections: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """From the largest section to either end, let each reach little beyond the one before."""
    largest = int(sections.sum(axis=(1, 2)).argmax())
    tapered = sections.copy()
    for way in (range(largest - 1, -1, -1), range(largest + 1, len(sections))):
        before = sections[largest]
        for index in way:
            before = tapered[index] = _main_parts(sections[index] & _within(before, GROWTH_PX))
    return tapered


def _within(section: NDArray[np.bool_], distance_px: int) -> NDArray[np.bool_]:
    if not section.any():
        return section
    return np.asarray(ndimage.distance_transform_edt(~section) <= distance_px)


def _main_parts(section: NDArray[np.bool_]) -> NDArray[np.bool_]:
    labels, _ = ndimage.label(section)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.isin(labels, np.flatnonzero(sizes >= max(1.0, SMALLEST_PART * sizes.max()))) & section
