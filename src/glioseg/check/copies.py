"""Whether two patients are one: the same images under other names."""

import numpy as np
from numpy.typing import NDArray

from glioseg.check.against_set import MOST_SLICES
from glioseg.check.content import well_filled
from glioseg.check.duplicates import find_pairs, hash_slices
from glioseg.check.measures import measure_slices
from glioseg.check.scan import CheckedScan
from glioseg.check.summary import COMPARED
from glioseg.volume import Volume


def head_hashes(volume: Volume) -> NDArray[np.uint64]:
    """A perceptual hash of each slice that shows much of the head, shape (slice, 4).

    Args:
        volume: In the dataset's form: axial slices, uint8.
    """
    count = len(volume.voxels)
    none = np.zeros(volume.voxels.shape[:3], np.bool_)
    images, labelled = volume.voxels.astype(np.uint8), np.zeros(count, np.bool_)
    scan = CheckedScan(volume.patient, tuple(range(count)), images, none, labelled, volume.channels)
    measures = measure_slices(scan)
    return hash_slices(measures.tiny[well_filled(measures, COMPARED)])


def are_one_patient(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> bool:
    """Whether most slices of the shorter of two scans are images of the other; hashes as :func:`head_hashes`."""
    if not len(first) or not len(second):
        return False
    owners = np.repeat([0, 1], [len(first), len(second)])
    pairs = find_pairs(np.concatenate([first, second]), owners)
    shorter = min(len(first), len(second))
    found = [{getattr(pair, which) for pair in pairs} for which in ("first", "second")]
    return min(map(len, found)) >= MOST_SLICES * shorter
