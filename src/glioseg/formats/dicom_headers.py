"""What a DICOM header says: read without the pixels, checked for size before anything is allocated."""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.filereader import read_partial
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, MediaStorageDirectoryStorage
from pydicom.valuerep import DA

from glioseg.errors import GliosegError
from glioseg.formats.dicom_encapsulation import LOOKED_AT_BYTES, encapsulated_syntax
from glioseg.formats.dicom_files import DicomFile

LARGEST_SERIES_VOXELS = 2**29
LARGEST_COMPRESSION = 10_000
"""Claimed bytes for each stored one; an empty slice of JPEG-LS comes to some thousands."""

CONVERSION_ERRORS = (
    TypeError,
    ValueError,
    AttributeError,
    KeyError,
    IndexError,
    OverflowError,
    NotImplementedError,
    struct.error,
    # Of a sequence within a sequence that is cut short.
    OSError,
    EOFError,
    BytesLengthException,
)
"""What pydicom raises where a value is not of its type or cut, which it notices only when the value is asked for."""

_DEFLATED = b"1.2.840.10008.1.2.1.99"
_DOCUMENTS = "1.2.840.10008.5.1.4.1.1.104."
_NUMBERS = ("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated")
_USED = (
    "Modality",
    "PhotometricInterpretation",
    "FrameOfReferenceUID",
    "PatientID",
    "PatientName",
    "SeriesDescription",
    "ProtocolName",
    "PerFrameFunctionalGroupsSequence",
    "SharedFunctionalGroupsSequence",
)
_LAST_OF_IDENTITY = 0x0020000D
_IDENTIFIERS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


@dataclass(frozen=True, eq=False)
class DicomHeader:
    """One file's header.

    Attributes:
        file: Where it lies.
        dataset: All elements before the pixels.
        pixel_bytes: What the file holds behind the header: the pixels, as they are stored.
        is_compressed: Whether they are stored compressed.
    """

    file: DicomFile
    dataset: Dataset
    pixel_bytes: int
    is_compressed: bool

    @property
    def frames(self) -> int:
        """How many images the file claims to hold."""
        return int(self.dataset.get("NumberOfFrames") or 1)

    @property
    def is_multiframe(self) -> bool:
        """Whether geometry stands in functional groups, as in enhanced MR, rather than beside the pixels."""
        return "PerFrameFunctionalGroupsSequence" in self.dataset or self.frames > 1


@dataclass(frozen=True)
class Identity:
    """Whose file it is, by the first part of its header.

    Attributes:
        patient_id: PatientID; may be empty.
        person: PatientID, or PatientName where that is empty: what tells people apart.
        study_uid: Of the examination.
        date: Of the examination, as 20240229; empty where no header tells.
        is_directory: Whether it is a DICOMDIR, the index of a medium, and holds no image.
    """

    patient_id: str
    person: str
    study_uid: str
    date: str
    is_directory: bool


def read_identity(stream: IO[bytes]) -> Identity | None:
    """Whose file it is, reading no further than that; None where the header is damaged."""
    try:
        with quiet_parser():
            dataset = read_partial(stream, stop_when=lambda tag, vr, length: tag > _LAST_OF_IDENTITY, force=True)
            patient, study = str(dataset.get("PatientID") or ""), str(dataset.get("StudyInstanceUID") or "")
            person = patient or str(dataset.get("PatientName") or "")
            date = date_of(dataset, "StudyDate", "SeriesDate", "AcquisitionDate")
            is_directory = dataset.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage
    # pydicom reports damage by whichever error its parser meets first.
    except Exception:
        return None
    return Identity(patient, person, study, date, is_directory) if study or is_directory else None


def date_of(header: Dataset, *keywords: str) -> str:
    """The first of some attributes that holds a date, as 20240229; empty where none does."""
    for keyword in keywords:
        with suppress(*CONVERSION_ERRORS):
            if date := DA(str(header.get(keyword) or "")):
                return f"{date:%Y%m%d}"
    return ""


@contextmanager
def quiet_parser() -> Iterator[None]:
    """Keep pydicom's remarks on slightly wrong headers off the terminal: what matters is checked here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def parse_header(file: DicomFile, content: bytes) -> DicomHeader | None:
    """The header of a DICOM file, or None for a DICOMDIR.

    Raises:
        GliosegError: If the header is damaged or cut short.
    """
    if _DEFLATED in content[:1024]:
        # Inflating it would need an unknown amount of memory; no scanner writes it.
        raise GliosegError(f"{file} is deflated as a whole, which is not read", remedy="Rewrite it with dcmconv +te")
    stream = BytesIO(content)
    try:
        with quiet_parser():
            dataset = read_dataset(stream, stop_before_pixels=True)
            if dataset.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
                return None
            missing = [name for name in ("TransferSyntaxUID",) if name not in dataset.file_meta]
            missing += [name for name in _IDENTIFIERS if not dataset.get(name)]
            for name in _NUMBERS:
                int(dataset.get(name) or 0)
            for name in _USED:
                dataset.get(name)
            is_compressed = not missing and dataset.file_meta.TransferSyntaxUID.is_compressed
    # pydicom reports damage by whichever error its parser meets first.
    except Exception as error:
        raise _damaged(file, " ".join(str(error).split()) or type(error).__name__) from error
    if missing:
        raise _damaged(file, f"no {missing[0]}")
    # The dataset would keep the whole file in memory by it.
    dataset.buffer = None
    return DicomHeader(file, dataset, len(content) - stream.tell(), is_compressed)


def read_dataset(stream: IO[bytes], *, stop_before_pixels: bool = False) -> Dataset:
    """Read a file; one without preamble and file meta information is taken in the encoding that it shows.

    Raises:
        Exception: Whatever pydicom raises on a damaged file.
    """
    is_bare = stream.read(132)[128:] != b"DICM"
    stream.seek(0)
    dataset = pydicom.dcmread(stream, stop_before_pixels=stop_before_pixels or is_bare, force=is_bare)
    if not is_bare:
        return dataset
    syntax = dataset.file_meta.get("TransferSyntaxUID") or _shown_syntax(dataset, stream)
    if not stop_before_pixels:
        stream.seek(0)
        dataset = pydicom.dcmread(stream, force=True)
    dataset.file_meta.TransferSyntaxUID = syntax
    return dataset


def _shown_syntax(dataset: Dataset, stream: IO[bytes]) -> UID:
    """The transfer syntax of a file that does not name it: by its elements, and the pixels before which it was left."""
    place = stream.tell()
    compressed = encapsulated_syntax(stream.read(LOOKED_AT_BYTES))
    stream.seek(place)
    implicit, _ = dataset.original_encoding
    return compressed or (ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian)


def check_image(header: DicomHeader) -> None:
    """See that a file holds grey MR images and as many bytes as it claims, before anything is allocated for them.

    Raises:
        GliosegError: If it holds a document, another modality, colours, no pixels, or fewer bytes than its claims need.
    """
    dataset, file = header.dataset, header.file
    if str(dataset.SOPClassUID).startswith(_DOCUMENTS):
        raise GliosegError(f"{file} holds a document", expected="MR images", found=dataset.SOPClassUID.name)
    if dataset.get("Modality") != "MR":
        raise GliosegError(
            f"{file} is no MR image", expected="modality MR", found=str(dataset.get("Modality") or "none")
        )
    if not (dataset.get("Rows") and dataset.get("Columns") and header.pixel_bytes):
        raise GliosegError(
            f"{file} holds no pixel data",
            expected="rows, columns and pixels",
            remedy="It may be cut short, or a header exported alone: export the series again",
        )
    photometric = dataset.get("PhotometricInterpretation")
    if dataset.get("SamplesPerPixel", 1) != 1 or photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise GliosegError(
            f"{file} holds colours", expected="grey levels", found=str(photometric), remedy="Give the series as scanned"
        )
    _check_claims(header)


def _check_claims(header: DicomHeader) -> None:
    dataset = header.dataset
    bits = dataset.get("BitsAllocated")
    if bits not in (8, 16, 32):
        raise GliosegError(f"{header.file} has an unknown pixel size", expected="8, 16 or 32 bits", found=str(bits))
    voxels = header.frames * int(dataset.Rows) * int(dataset.Columns)
    claimed, packing = voxels * int(bits) // 8, LARGEST_COMPRESSION if header.is_compressed else 1
    if header.frames < 1 or voxels > LARGEST_SERIES_VOXELS or claimed > header.pixel_bytes * packing:
        raise GliosegError(
            f"{header.file} claims {header.frames} x {dataset.Rows} x {dataset.Columns} pixels, more than it can hold",
            expected=f"{claimed:,} bytes",
            found=f"{header.pixel_bytes:,} bytes",
            remedy="The file is damaged or cut short: fetch it again",
        )


def frame_value(dataset: Dataset, frame: int, group: str, keyword: str) -> Any:
    """An attribute of one frame: from its functional group, the shared one, or the header itself; None if nowhere."""
    for sequence, index in (("PerFrameFunctionalGroupsSequence", frame), ("SharedFunctionalGroupsSequence", 0)):
        items = dataset.get(sequence)
        groups = items[index].get(group) if group and items and index < len(items) else None
        value = groups[0].get(keyword) if groups else None
        if value is not None:
            return value
    return dataset.get(keyword)


def frame_numbers(dataset: Dataset, frame: int, group: str, keyword: str, count: int) -> NDArray[np.float64] | None:
    """An attribute of one frame as finite numbers, shape (count,), or None where it is missing or something else."""
    try:
        value = frame_value(dataset, frame, group, keyword)
        numbers = np.array([value] if count == 1 else value, dtype=np.float64)
    except CONVERSION_ERRORS:
        return None
    return numbers if numbers.shape == (count,) and np.isfinite(numbers).all() else None


def _damaged(file: DicomFile, cause: str) -> GliosegError:
    return GliosegError(f"{file} is damaged or cut short: {cause}", remedy="Fetch it again or take it away")
