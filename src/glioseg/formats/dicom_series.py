"""DICOM series of a folder or zip: listed by their headers, then read as scans.

The only modules of the project that know DICOM's LPS axes are this one's neighbours in name; a Scan is RAS+.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from unicodedata import normalize
from uuid import NAMESPACE_OID, uuid5

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from glioseg.errors import BadFileError, GliosegError
from glioseg.formats.dicom_files import DicomFile, find_dicom_files, read_dicom_files
from glioseg.formats.dicom_geometry import REMARKED_MM, DicomSlice, affine_of, locate, order, unevenness_mm
from glioseg.formats.dicom_headers import (
    CONVERSION_ERRORS,
    LARGEST_SERIES_VOXELS,
    DicomHeader,
    check_image,
    date_of,
    frame_numbers,
    parse_header,
    quiet_parser,
)
from glioseg.formats.dicom_pixels import read_intensities
from glioseg.formats.dicom_sequence import recognise_sequence
from glioseg.scan import Scan


@dataclass(frozen=True, eq=False)
class DicomSeries:
    """A series as its headers describe it; nothing of its pixels is read yet.

    Attributes:
        source: The folder or zip it was found in.
        patient_id: As in the header; may be empty.
        study_uid: Of the examination.
        series_uid: Of the series.
        frame_of_reference_uid: Of the coordinates; one made from the series' UID where the header has none.
        date: When it was taken, or of the examination, as 20240229; empty where no header tells.
        number: SeriesNumber, or None.
        description: SeriesDescription, or ProtocolName where it has none.
        modality: ``MR`` for those that can be read.
        sequence: ``pre``, ``flair`` or ``post``, or None if not recognised.
        images: How many images it holds, readable or not.
        slices: The images by their position along the normal; empty where the series is refused.
        affine: Voxel indices (slice, row, column) to RAS+ millimetres, or None where the series is refused.
        remarks: What a user should know, a sentence each.
        refusal: Why it cannot be read, or None.
    """

    source: str
    patient_id: str
    study_uid: str
    series_uid: str
    frame_of_reference_uid: str
    date: str
    number: int | None
    description: str
    modality: str
    sequence: str | None
    images: int
    slices: tuple[DicomSlice, ...] = ()
    affine: NDArray[np.float64] | None = None
    remarks: tuple[str, ...] = ()
    refusal: GliosegError | None = None

    @property
    def name(self) -> str:
        """What the series is called in messages."""
        return " ".join(["series", *([str(self.number)] if self.number is not None else []), f'"{self.description}"'])

    @property
    def patient(self) -> str:
        """The patient's identifier as it may name a file."""
        return file_name_of(self.patient_id)

    @property
    def spacing_mm(self) -> tuple[float, float, float] | None:
        """Distance from one slice, row and column to the next, in millimetres."""
        if self.affine is None:
            return None
        slices, rows, columns = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(slices), float(rows), float(columns)

    @property
    def datasets(self) -> tuple[Dataset, ...]:
        """The source headers in the order of the slices; a single one for an enhanced, multi-frame file."""
        return tuple(one.dataset for one in self.slices[: 1 if self.is_multiframe else None])

    @property
    def is_multiframe(self) -> bool:
        """Whether the slices are frames of one file."""
        return len(self.slices) > 1 and len({one.file for one in self.slices}) == 1

    @property
    def summary(self) -> str:
        """A line of a listing."""
        sequence = self.sequence or "no sequence recognised"
        name = f"{self.name} of {in_words(self.date)}" if self.date else self.name
        if self.refusal is not None:
            return f"{name} [{self.modality or 'no modality'}]: cannot be used: {self.refusal}"
        spacing = " x ".join(f"{value:.2f}" for value in self.spacing_mm or ())
        return f"{name} [{sequence}]: {len(self.slices)} slices, {spacing} mm, {self.series_uid}"


def find_series(path: Path, files: Sequence[Path] | None = None) -> list[DicomSeries]:
    """List the series of one patient: of a folder with its subfolders, of a zip, or of a single file.

    A series that cannot be read as MR slices, such as a report, a localiser or one with slices missing, is listed
    with its refusal. A DICOMDIR, and whatever is not DICOM, is passed over.

    Args:
        path: Where they lie.
        files: Only these of the folder's files; all, unless told.

    Returns:
        Series by study and number.

    Raises:
        GliosegError: If there is no DICOM file, one is damaged, there are two patients, or the zip is unsafe.
    """
    found: dict[str, list[DicomHeader]] = defaultdict(list)
    known: dict[str, DicomFile] = {}
    for file, content in chain.from_iterable(map(find_dicom_files, files or [path])):
        header = parse_header(file, content)
        if header is not None and not _is_copy(header, content, known):
            found[str(header.dataset.SeriesInstanceUID)].append(header)
    if not found:
        raise BadFileError(path, "holds no DICOM file", expected="files with the prefix DICM, in a folder or a zip")
    with quiet_parser():
        series = [_series(path, headers) for headers in found.values()]
        _check_one_patient(path, [header for headers in found.values() for header in headers])
    return sorted(series, key=lambda one: (one.study_uid, one.number is None, one.number or 0, one.series_uid))


def read_series(series: DicomSeries) -> Scan:
    """Read the pixels of a series.

    Returns:
        Intensities after rescaling, (slice, row, column), slices by position, with their place in RAS+ millimetres.

    Raises:
        GliosegError: If the series is refused or its pixels cannot be decoded.
    """
    if series.refusal is not None:
        raise series.refusal
    return Scan(
        patient=series.patient,
        voxels=read_intensities(series.slices),
        affine=series.affine,
        sequence=series.sequence,
        source=f"{series.name} of {series.source}",
        remarks=series.remarks,
    )


def file_name_of(patient_id: str) -> str:
    """A PatientID as it may name a file: letters and digits of any script, points and hyphens."""
    return re.sub(r"[^\w.-]+", "_", normalize("NFC", patient_id)).strip("._") or "unnamed"


def in_words(date: str) -> str:
    """A DICOM date, ``20240229``, as people read it: ``2024-02-29``."""
    return f"{date[:4]}-{date[4:6]}-{date[6:]}"


def _is_copy(header: DicomHeader, content: bytes, known: dict[str, DicomFile]) -> bool:
    """Whether a file is byte for byte one that is known by its SOPInstanceUID; a new one becomes known."""
    uid = str(header.dataset.SOPInstanceUID)
    first = known.setdefault(uid, header.file)
    return first != header.file and next(read_dicom_files([first])) == content


def _made_uid(series_uid: str) -> str:
    """A frame of reference for a series without one, the same each time."""
    return f"2.25.{uuid5(NAMESPACE_OID, series_uid).int}"


def _series(path: Path, headers: Sequence[DicomHeader]) -> DicomSeries:
    first = headers[0].dataset
    slices: list[DicomSlice] = []
    affine, refusal, remarks = None, None, []
    try:
        slices = _slices(headers)
        affine = affine_of(slices, _thickness_mm(slices[0]))
        remarks = _remarks(slices)
    except GliosegError as error:
        slices, refusal = [], error
    return DicomSeries(
        source=str(path),
        patient_id=str(first.get("PatientID") or ""),
        study_uid=str(first.StudyInstanceUID),
        series_uid=str(first.SeriesInstanceUID),
        frame_of_reference_uid=str(first.get("FrameOfReferenceUID") or _made_uid(str(first.SeriesInstanceUID))),
        date=date_of(first, "AcquisitionDate", "SeriesDate", "StudyDate"),
        number=_number(first),
        description=str(first.get("SeriesDescription") or first.get("ProtocolName") or "").strip(),
        modality=str(first.get("Modality") or ""),
        sequence=_sequence(first),
        images=len(slices) or len(headers),
        slices=tuple(slices),
        affine=affine,
        remarks=tuple(remarks),
        refusal=refusal,
    )


def _slices(headers: Sequence[DicomHeader]) -> list[DicomSlice]:
    """The images of a series in order, once they are seen to be of one kind."""
    for header in headers:
        check_image(header)
    if len(headers) > 1 and any(header.frames > 1 for header in headers):
        raise GliosegError(
            f"{headers[0].file} and {len(headers) - 1} others are one series of multi-frame files",
            expected="one file of all frames, or a file for each slice",
            remedy="Export the series as classic slices",
        )
    voxels = sum(header.frames * int(header.dataset.Rows) * int(header.dataset.Columns) for header in headers)
    if voxels > LARGEST_SERIES_VOXELS:
        raise GliosegError(
            f"the series of {headers[0].file} is too large",
            expected=f"up to {LARGEST_SERIES_VOXELS:,} voxels",
            found=f"{voxels:,}",
        )
    _check_alike(headers)
    slices = order([locate(header.file, header.dataset, frame) for header in headers for frame in range(header.frames)])
    _check_identifiers(headers)
    return slices


def _check_alike(headers: Sequence[DicomHeader]) -> None:
    for keyword in ("FrameOfReferenceUID", "PhotometricInterpretation", "StudyInstanceUID"):
        values = sorted({str(header.dataset.get(keyword) or "none") for header in headers})
        if len(values) > 1:
            raise GliosegError(
                f"the files beside {headers[0].file} are of one series but differ in {keyword}",
                expected=values[0],
                found=values[1],
                remedy="Export the series again",
            )
    for header in headers:
        groups = header.dataset.get("PerFrameFunctionalGroupsSequence")
        if groups is not None and len(groups) != header.frames:
            raise GliosegError(
                f"{header.file} does not describe each of its frames",
                expected=f"{header.frames} frames",
                found=f"{len(groups)} descriptions",
            )


def _check_identifiers(headers: Sequence[DicomHeader]) -> None:
    by_uid: dict[str, DicomHeader] = {}
    for header in headers:
        first = by_uid.setdefault(str(header.dataset.SOPInstanceUID), header)
        if first is not header:
            raise GliosegError(
                f"{first.file} and {header.file} are different images with one SOPInstanceUID",
                expected="a SOPInstanceUID of its own for each image, by which results name it",
                found=str(header.dataset.SOPInstanceUID),
                remedy="Export the series again; a program that makes it anonymous must give each image its own",
            )


def _check_one_patient(path: Path, headers: Sequence[DicomHeader]) -> None:
    patients = {str(header.dataset.get("PatientID") or header.dataset.get("PatientName") or "") for header in headers}
    if len(patients) > 1:
        raise BadFileError(
            path,
            f"holds {len(patients)} patients",
            expected="one patient",
            found=", ".join(sorted(patients)[:3]) + (", ..." if len(patients) > 3 else ""),
            remedy="Give each patient a folder of their own",
        )


def _thickness_mm(one: DicomSlice) -> float | None:
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        value = frame_numbers(one.dataset, one.frame, "PixelMeasuresSequence", keyword, 1)
        if value is not None and value[0] > 0:
            return float(value[0])
    return None


def _remarks(slices: Sequence[DicomSlice]) -> list[str]:
    if len(slices) == 1:
        return ["The series has one slice; its thickness stands for the distance to a next."]
    off = unevenness_mm(slices)
    return [f"Slices lie up to {off:.3f} mm off even spacing."] if off > REMARKED_MM else []


def _sequence(dataset: Dataset) -> str | None:
    try:
        return recognise_sequence(dataset)
    except CONVERSION_ERRORS:
        # The pixels may be sound all the same; the user can name the series.
        return None


def _number(dataset: Dataset) -> int | None:
    try:
        return int(dataset.SeriesNumber)
    except CONVERSION_ERRORS:
        return None
