"""Small images that show a finding: the slice with its mask, and whatever it must be compared with."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glioseg.check.dataset_check import Source
from glioseg.check.finding import Finding
from glioseg.check.head import shrink
from glioseg.check.scan import CheckedScan
from glioseg.display import TRUTH_COLOUR, intensity_window, to_grey

PANEL_PX = 112
WITH_NEIGHBOURS = frozenset(
    {
        "slice_out_of_order",
        "mask_jump",
        "mask_gap",
        "slice_degraded",
        "slice_brightness",
        "slice_black",
        "mask_repeated",
    }
)
WITH_SEQUENCES = frozenset({"sequence_copied", "slices_copied", "sequence_black", "sequence_short"})

NOTHING_TO_SEE = frozenset({"slice_black_at_end"})


@dataclass(frozen=True)
class Panel:
    """One image of a finding.

    Attributes:
        caption: The slice, and the sequence or the patient where it differs.
        pixels: Shape (row, column, 3), uint8 RGB.
    """

    caption: str
    pixels: NDArray[np.uint8]


def panels_of(findings: Iterable[Finding], source: Source) -> dict[int, list[Panel]]:
    """The images of each finding, by its place in the given order; each patient is read once.

    Findings without a readable slice have none.
    """
    wanted: defaultdict[str, list[tuple[int, int, Finding, int, bool]]] = defaultdict(list)
    for place, finding in enumerate(findings):
        if finding.patient not in source.patients or finding.slice_number is None or finding.code in NOTHING_TO_SEE:
            continue
        wanted[finding.patient].append((place, 0, finding, finding.slice_number, False))
        for other, number in finding.others[:1]:
            if number is not None and (other, number) != (finding.patient, finding.slice_number):
                wanted[other].append((place, 1, finding, number, True))
    drawn: defaultdict[int, dict[int, list[Panel]]] = defaultdict(dict)
    for patient, requests in wanted.items():
        scan = source.read(patient).scan
        for place, rank, finding, number, is_other in requests:
            if scan is not None:
                drawn[place][rank] = _panels(finding, scan, number, is_other)
    return {place: [panel for rank in sorted(parts) for panel in parts[rank]] for place, parts in drawn.items()}


def _panels(finding: Finding, scan: CheckedScan, number: int, is_other: bool) -> list[Panel]:
    named = str(finding.evidence.get("sequence", scan.main_channel))
    sequence = named if named in scan.channels else scan.main_channel
    if is_other:
        spots = [(number, sequence)]
    elif finding.code in WITH_NEIGHBOURS:
        spots = [(number + step, sequence) for step in (-1, 0, 1)]
    elif finding.code in WITH_SEQUENCES:
        spots = [(number, sequence) for sequence in scan.channels]
    else:
        spots = [(number, sequence)]
    several = len({sequence for _, sequence in spots}) > 1
    name = f"{scan.patient}, " if is_other and scan.patient != finding.patient else ""
    return [
        Panel(f"{name}{sequence if several else f'slice {number}'}", draw_slice(scan, number, sequence))
        for number, sequence in spots
        if number in scan.numbers
    ]


def draw_slice(scan: CheckedScan, number: int, sequence: str) -> NDArray[np.uint8]:
    """A slice in grey with the contour of its mask, in the size of a thumbnail: (row, column, 3), uint8 RGB."""
    place = scan.numbers.index(number)
    images = scan.channel(sequence)
    grey = to_grey(
        shrink(images[place : place + 1], PANEL_PX)[0], intensity_window(images[:: max(1, len(images) // 8)])
    )
    rgb = np.repeat(grey[..., None], 3, axis=-1)
    mask = shrink(scan.masks[place : place + 1], PANEL_PX)[0] >= 0.5
    if scan.masks[place].any() and not mask.any():
        mask = shrink(scan.masks[place : place + 1], PANEL_PX)[0] > 0
    rgb[ndimage.binary_dilation(mask) & ~mask] = TRUTH_COLOUR
    return rgb
