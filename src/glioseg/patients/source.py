"""What every source of a patient's scan can do: be read, and take a result in its own format."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

from glioseg.inference.presence import Presence
from glioseg.measurement.measure import Measurement, measure_mask
from glioseg.outputs import Outputs
from glioseg.patients.examination import Examination
from glioseg.volume import Mask, Volume

if TYPE_CHECKING:
    from glioseg.inference.model import Prediction

Beside = Literal["candidate", "sheet", "probability"]
"""A file beside a mask that a patient of any format may have."""


@dataclass(frozen=True)
class ReadPatient:
    """A patient as read.

    Attributes:
        volume: On the FLAIR's own grid.
        remarks: What a user should know of the files, a sentence each.
        origin: What writing into the source's own format needs besides; the source knows what it is.
        preparation: What was read, where the files alone do not tell, a sentence each; no reason to look twice.
    """

    volume: Volume
    remarks: tuple[str, ...] = ()
    origin: Any = field(default=None, repr=False)
    preparation: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """What is written for a patient: what a model found, and what a format tells besides.

    Attributes:
        prediction: Of the scan that was read.
        model: The network in words, for formats that name it.
        model_version: The hash of its weights.
        settings: What else decides the mask, by name.
        origin: As reading gave it.
    """

    prediction: "Prediction"
    model: str
    model_version: str
    settings: Mapping[str, str] = field(default_factory=dict)
    origin: Any = field(default=None, repr=False)

    @cached_property
    def measurement(self) -> Measurement:
        """Of the mask, when first asked for."""
        return measure_mask(self.prediction.mask, self.prediction.volume)

    @property
    def volume(self) -> Volume:
        """What was read."""
        return self.prediction.volume

    @property
    def presence(self) -> Presence | None:
        """Whether there is a tumour at all; None where nobody told."""
        return None if self.prediction.finding is None else self.prediction.finding.presence

    @property
    def has_candidate(self) -> bool:
        """Whether what the mask would have been is written beside it."""
        return self.prediction.candidate is not None


@dataclass(frozen=True)
class OutputOptions:
    """What is written beside the mask.

    Attributes:
        probabilities: The probabilities as NIfTI.
        nifti: For DICOM, the mask as NIfTI too.
        overlay: For DICOM, copies of the slices with the contour.
    """

    probabilities: bool = False
    nifti: bool = False
    overlay: bool = True


@dataclass(frozen=True)
class Reader:
    """Who accepted or corrected a mask.

    Attributes:
        name: As the reader gave it.
        corrected: Whether voxels were changed by hand; else the mask is the algorithm's.
        earlier: The folder that holds the algorithm's result, for formats that refer to it.
    """

    name: str
    corrected: bool
    earlier: Path


def beside_mask(patient: str, output: Beside) -> str:
    """What a file beside a mask is called, where the format has no rule of its own: ``<patient>_sheet.png``."""
    return f"{patient}_{output}.{'png' if output == 'sheet' else 'nii.gz'}"


class PatientSource(Protocol):
    """One patient of an input."""

    @property
    def patient(self) -> str:
        """The identifier that names results."""

    @property
    def is_dataset(self) -> bool:
        """Whether the slices are the dataset's own kind of image, to be predicted as they are."""

    @property
    def examination(self) -> Examination:
        """What tells the scan from every other, whatever its results are called."""

    def called(self, name: str) -> Self:
        """The same patient with another name for results."""

    def name_of(self, output: Beside) -> str:
        """Where a file beside the mask goes, relative to the output folder."""

    def read(self) -> ReadPatient:
        """Read the scan; raises GliosegError where a file is unusable."""

    def check_output(self, out: Path) -> None:
        """Refuse a folder in which writing would replace what is not ours; raises GliosegError."""

    def write(self, result: Result, outputs: Outputs, options: OutputOptions) -> None:
        """Write the result, each output by itself; raises GliosegError where not even the mask can be written."""

    def read_mask(self, out: Path) -> Mask:
        """Read back the mask that :meth:`write` wrote below a folder, on the scan's grid; raises GliosegError."""

    def write_mask(self, mask: Mask, out: Path, reader: Reader, measurement: Measurement) -> list[str]:
        """Write a mask that a reader answers for, as :meth:`write` does, and name the files relative to the folder."""

    def remove_mask(self, out: Path) -> None:
        """Remove what :meth:`write_mask` wrote below a folder, if anything."""
