"""What every DICOM object of ours carries: its source's patient, study and space, and the algorithm that made it."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import MRImageStorage, generate_uid

from glioseg import __version__
from glioseg.atomic import write_bytes_atomically
from glioseg.errors import GliosegError
from glioseg.formats.dicom_headers import CONVERSION_ERRORS, quiet_parser
from glioseg.formats.dicom_repair import decimals, flattened, repaired, share_geometry
from glioseg.formats.dicom_series import DicomSeries
from glioseg.volume import Mask

# Its remarks on a source's header would reach the terminal; what matters comes as an error.
logging.getLogger("highdicom").addHandler(logging.NullHandler())

MANUFACTURER = "glioseg"
LARGEST_SOURCE_NUMBER = 10_000_000
LONGEST_NAME = 64
SOFTWARE = f"glioseg {__version__}"

MORPHOLOGIC = Code("49755003", "SCT", "Morphologically Altered Structure")
NEOPLASM = Code("86049000", "SCT", "Neoplasm, Primary")
BRAIN = Code("12738006", "SCT", "Brain")
ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")


@dataclass(frozen=True)
class Algorithm:
    """What made a result, as DICOM objects name it.

    Attributes:
        name: At most 64 characters; short and the same for every model, so that an archive can look for it.
        version: At most 64 characters, another one for other weights.
        parameters: The network in words and the settings that decide the result, by name; of any length.

    Raises:
        GliosegError: If name or version are empty or too long for DICOM.
    """

    name: str
    version: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for what, value in (("name", self.name), ("version", self.version)):
            if not 0 < len(value) <= LONGEST_NAME or "\\" in value:
                raise GliosegError(
                    f"the {what} of the algorithm cannot stand in DICOM",
                    expected=f"1 to {LONGEST_NAME} characters without backslash",
                    found=repr(value),
                )


def algorithm_of(model: str, weights_sha256: str, settings: Mapping[str, str]) -> Algorithm:
    """glioseg with one of its models: the name says glioseg alone, since that of an ensemble is too long for DICOM.

    Args:
        model: The network in words.
        weights_sha256: Hash of its weights, of which the version holds the beginning.
        settings: What else decides the mask, by name.
    """
    # The segment's parameters are one text, name=value, joined by commas.
    parameters = {"model": model.replace(",", ";"), "weights_sha256": weights_sha256, **settings}
    return Algorithm(MANUFACTURER, f"{__version__}+{weights_sha256[:12]}", parameters)


def new_uid() -> str:
    """A UID of the form 2.25 (PS3.5, B.2), which needs no registered root."""
    return str(generate_uid(prefix=None))


def equipment(algorithm: Algorithm) -> dict[str, str]:
    """What highdicom asks of every object about its maker."""
    return {
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": algorithm.name,
        "software_versions": SOFTWARE,
        "device_serial_number": algorithm.version,
    }


def result_series_number(series: DicomSeries, place: int) -> int:
    """A series number that follows the source's: 1 for the segmentation, 2 for the overlay, 3 for the report."""
    return max(series.number or 0, 0) % LARGEST_SOURCE_NUMBER * 100 + place


def source_headers(series: DicomSeries) -> list[Dataset]:
    """The headers of the source as highdicom insists on them: mended, and of one orientation exactly."""
    directions = decimals(series.slices[0].directions)
    (spacing, *_) = decimals(np.array(series.spacing_mm))
    headers = []
    for header, one in zip(series.datasets, series.slices, strict=False):
        mended = repaired(header, series.frame_of_reference_uid)
        if series.is_multiframe and "SharedFunctionalGroupsSequence" in mended:
            share_geometry(mended, directions)
        else:
            mended = flattened(mended, one) if "PerFrameFunctionalGroupsSequence" in mended else mended
            mended.ImageOrientationPatient = directions
            # May be empty by the standard, not by highdicom.
            mended.SliceThickness = mended.get("SliceThickness") or spacing
        headers.append(mended)
    return headers


def check_fits(mask: Mask, series: DicomSeries) -> None:
    """See that a mask lies on the grid of a series.

    Raises:
        GliosegError: If shape or place differ.
    """
    if series.affine is None:
        raise series.refusal or GliosegError(f"{series.name} has no geometry")
    shape = (len(series.slices), int(series.slices[0].dataset.Rows), int(series.slices[0].dataset.Columns))
    if mask.voxels.shape != shape:
        raise GliosegError(
            f"patient {mask.patient}: the mask does not fit {series.name}",
            expected=str(shape),
            found=str(mask.voxels.shape),
        )
    if mask.affine is not None and not np.allclose(mask.affine, series.affine, atol=1e-3):
        raise GliosegError(f"patient {mask.patient}: the mask lies elsewhere than {series.name}")


@contextmanager
def valid_source(series: DicomSeries) -> Iterator[None]:
    """Turn what highdicom finds wrong in the source's header into a message of ours."""
    try:
        with quiet_parser():
            yield
    except CONVERSION_ERRORS as error:
        raise GliosegError(
            f"no result can be written for {series.name} of {series.source}: {' '.join(str(error).split())}",
            remedy="The source's header breaks the standard there; mend it, or take the mask as NIfTI",
        ) from error


def save(dataset: Dataset, path: Path, series: DicomSeries) -> None:
    """Write a DICOM file whole or not at all; whatever refers to the source names the source's own class."""
    classes = {str(source.SOPInstanceUID): source.SOPClassUID for source in series.datasets}
    buffer = BytesIO()
    with quiet_parser():
        if set(classes.values()) != {MRImageStorage}:
            dataset.walk(partial(_name_class, classes))
        pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    write_bytes_atomically(path, buffer.getvalue())


def _name_class(classes: Mapping[str, str], dataset: Dataset, element: DataElement) -> None:
    if element.keyword == "ReferencedSOPClassUID":
        element.value = classes.get(str(dataset.get("ReferencedSOPInstanceUID")), element.value)
