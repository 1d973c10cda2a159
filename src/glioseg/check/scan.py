"""One patient as the checks see it: whatever could be read, on one grid."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from glioseg.check.finding import Finding
from glioseg.volume import CHANNELS


@dataclass(frozen=True)
class CheckedScan:
    """The slices of a patient that could be read and fit each other.

    Attributes:
        patient: The patient's identifier.
        numbers: The slices' numbers, rising.
        images: Shape (slice, row, column, channel), uint8; intensities of other ranges are scaled to it.
        masks: Shape (slice, row, column), bool; False where there is no usable mask.
        labelled: Which slices have a usable mask, shape (slice,).
        channels: The sequence of each channel.
        original_range: Whether the images hold the file's own intensities, so that 255 means saturation.
        axes: Towards which side of the patient the axes (slice, row, column) run, such as ``SAR``, or None where the
            source does not tell.
    """

    patient: str
    numbers: tuple[int, ...]
    images: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    labelled: NDArray[np.bool_]
    channels: tuple[str, ...] = CHANNELS
    original_range: bool = True
    axes: str | None = None

    def channel(self, sequence: str) -> NDArray[np.uint8]:
        """The intensities of one sequence, shape (slice, row, column)."""
        return self.images[..., self.channels.index(sequence)]

    @property
    def main_channel(self) -> str:
        """The sequence that shows the tumour best, or the first where it was not taken."""
        return "flair" if "flair" in self.channels else self.channels[0]


@dataclass(frozen=True)
class Reading:
    """What came of reading one patient.

    Attributes:
        scan: What could be read, or None where nothing could.
        findings: What is wrong with the files.
        files: Every file of the patient, relative to the data folder.
    """

    scan: CheckedScan | None
    findings: tuple[Finding, ...]
    files: tuple[str, ...] = field(default=())
