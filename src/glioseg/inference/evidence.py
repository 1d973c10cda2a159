"""What speaks for a tumour and what against it, in a few numbers for each patient.

A network marks something in nearly every head. What it marks where there is no tumour is small, thin, found on both
sides or in one slice alone, and less sure. All is measured in the scan as the networks see it, so that scans of any
size compare with those of training.
"""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glioseg.head import FOREGROUND_THRESHOLD
from glioseg.head.depth import head_depth_px
from glioseg.inference.postprocessing import expected_dice
from glioseg.machine import side_by_side
from glioseg.volume import Volume, box_of

PIXEL_MM = 0.92
"""A brain of 175 mm on the 190 rows that it has in training."""
HEAD_MM = 150.0
"""What the slices of a head cover together, where nobody knows how thick they are."""
NEIGHBOUR_MM = 5.0
"""From one slice to the next of those that are compared."""


@dataclass(frozen=True)
class Evidence:
    """What a model found, as far as it tells whether it is a tumour; all 0 where it found nothing.

    Attributes:
        expected_dice: The Dice that the model expects of its mask.
        volume_ml: Of the mask, by the usual size of a brain.
        components: How many, by 26 neighbours.
        peak: The probability that a twentieth of the mask exceeds.
        mean: The mean probability inside the mask.
        agreement: Dice of the mask's sections with those 5 mm beside them.
        symmetry: Share of the mask that lies opposite of other mask.
        depth_px: Mean distance from the head's edge.
        radius_px: Of the largest circle that fits into a section.
    """

    expected_dice: float = 0.0
    volume_ml: float = 0.0
    components: int = 0
    peak: float = 0.0
    mean: float = 0.0
    agreement: float = 0.0
    symmetry: float = 0.0
    depth_px: float = 0.0
    radius_px: float = 0.0

    def as_json(self) -> dict[str, float]:
        """Every value by name, rounded to four decimals."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


def find_evidence(
    volume: Volume, probabilities: NDArray[np.float32], mask: NDArray[np.bool_], step_mm: float | None = None
) -> Evidence:
    """Measure what was found.

    Args:
        volume: The scan as the networks see it, axial.
        probabilities: Calibrated, shape (slice, row, column).
        mask: Cut out of them.
        step_mm: From one slice to the next; None where nobody knows.
    """
    expected = expected_dice(probabilities, mask)
    if expected is None:
        return Evidence()
    head = volume.channel("flair") > FOREGROUND_THRESHOLD
    step_mm = step_mm or HEAD_MM / max(1, int(head.any(axis=(1, 2)).sum()))
    inside = probabilities[mask]
    marked = np.flatnonzero(mask.any(axis=(1, 2)))
    sections = mask[marked]
    few = Volume(volume.patient, volume.channel("flair")[marked][..., None], channels=("flair",))
    return Evidence(
        expected_dice=expected,
        volume_ml=float(mask.sum()) * PIXEL_MM**2 * step_mm / 1000,
        components=int(ndimage.label(mask[box_of(mask)], np.ones((3, 3, 3)))[1]),
        peak=float(np.percentile(inside, 95)),
        mean=float(inside.mean()),
        agreement=_agreement(mask, max(1, round(NEIGHBOUR_MM / step_mm))),
        symmetry=_symmetry(sections, head),
        depth_px=float(head_depth_px(few)[sections].mean()),
        radius_px=max(side_by_side(_radius_px, sections)),
    )


def _radius_px(section: NDArray[np.bool_]) -> float:
    """Distances are to the nearest pixel outside, which lies no further than one beyond the box around the mask."""
    (rows, columns) = (slice(max(0, part.start - 1), part.stop + 1) for part in box_of(section))
    return float(ndimage.distance_transform_edt(section[rows, columns]).max())


def _agreement(mask: NDArray[np.bool_], stride: int) -> float:
    """Of all pairs of neighbours; beyond the ends of the scan there is nothing to agree with."""
    both = int(np.count_nonzero(mask[stride:] & mask[:-stride]))
    size = int(np.count_nonzero(mask[stride:])) + int(np.count_nonzero(mask[:-stride]))
    return 2 * both / size if size else 0.0


def _symmetry(sections: NDArray[np.bool_], head: NDArray[np.bool_]) -> float:
    columns = np.flatnonzero(head.sum(axis=(0, 1)) > 0)
    middle = float(columns[0] + columns[-1]) if columns.size else float(head.shape[2] - 1)
    slices, rows, at = np.nonzero(sections)
    opposite = (middle - at).astype(int)
    within = (opposite >= 0) & (opposite < sections.shape[2])
    return float(sections[slices[within], rows[within], opposite[within]].sum() / slices.size)
