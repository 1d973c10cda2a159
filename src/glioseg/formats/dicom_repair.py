"""Source headers as results need them: where a header breaks the standard and has one right reading, by that reading.

Real archives hold values that pydicom reads and no object may be written with: dates of zeros, a first character set
left empty, as is usual in Japan, Korea and China, attributes left out by anonymisation.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from copy import copy

import numpy as np
from highdicom import SpecificCharacterSetValues
from numpy.typing import NDArray
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import MRImageStorage
from pydicom.valuerep import DA, DT, TM, PersonName

from glioseg.formats.dicom_geometry import DicomSlice
from glioseg.formats.dicom_headers import CONVERSION_ERRORS, frame_value, quiet_parser

# Type 2 attributes: they may be empty but must be there, and exports leave them out all the same.
_MAY_BE_EMPTY = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)
_TIMES = {"DA": DA, "TM": TM, "DT": DT}
_ESCAPE = re.compile(r"\x1b[ -/]+[0-~]")
_UTF8 = SpecificCharacterSetValues.UNICODE_IN_UTF8.value
_SINGLE_SETS = {one.value for one in SpecificCharacterSetValues if not one.value.startswith("ISO 2022")}


def repaired(header: Dataset, frame_of_reference_uid: str) -> Dataset:
    """A header without private elements and without what cannot be converted, which no result could carry on.

    Dates and times that are none are left blank. Text in several character sets, or in one that the standard does not
    define, is written again as UTF-8. The frame of reference is the one given.
    """
    with quiet_parser():
        complete = Dataset()
        for tag in header.keys():  # noqa: SIM118 - a Dataset iterates over elements
            with suppress(*CONVERSION_ERRORS):
                if not tag.is_private:
                    complete[tag] = copy(header[tag])
        for element in [element for element in complete if element.VR in _TIMES]:
            if not _are_times(element.value, _TIMES[element.VR]):
                complete[element.tag] = DataElement(element.tag, element.VR, "")
        for keyword in _MAY_BE_EMPTY:
            complete.setdefault(keyword, "")
        if complete.PatientSex not in ("M", "F", "O"):
            complete.PatientSex = ""
        if str(complete.get("SpecificCharacterSet", _UTF8)) not in _SINGLE_SETS:
            _decode_names(complete)
            complete.SpecificCharacterSet = _UTF8
        complete.FrameOfReferenceUID = frame_of_reference_uid
        return complete


def flattened(header: Dataset, one: DicomSlice) -> Dataset:
    """An enhanced file of one frame as a classic one, which highdicom takes a file a slice; references must be mended.

    Args:
        header: As :func:`repaired` gives it.
        one: Its only frame.
    """
    classic = _copied(header)
    for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "NumberOfFrames"):
        classic.pop(keyword, None)
    classic.SOPClassUID = MRImageStorage
    classic.ImagePositionPatient = decimals(one.corner_mm)
    classic.PixelSpacing = decimals(one.pixel_spacing_mm)
    classic.SliceThickness = frame_value(header, one.frame, "PixelMeasuresSequence", "SliceThickness")
    return classic


def share_geometry(header: Dataset, directions: list[str]) -> None:
    """Put what all frames of a file have in common where highdicom looks for it, with these exact directions."""

    def turn(item: Dataset) -> None:
        item.ImageOrientationPatient = directions

    _share(header, "PlaneOrientationSequence", turn)
    _share(header, "PixelMeasuresSequence", lambda item: None)


def decimals(values: NDArray[np.float64]) -> list[str]:
    """Numbers as decimal strings, which hold 16 characters at most."""
    return [f"{value:.12f}"[:16] for value in values.flat]


def _copied(dataset: Dataset) -> Dataset:
    """With elements of its own, whose values may be set; the values themselves are shared."""
    twin = Dataset()
    for element in dataset:
        twin[element.tag] = copy(element)
    return twin


def _decode_names(header: Dataset) -> None:
    """A name keeps the bytes that were read, and escape sequences that were not understood."""
    for element in header:
        if element.VR == "PN" and isinstance(element.value, PersonName):
            header[element.tag] = DataElement(element.tag, "PN", _ESCAPE.sub("", str(element.value)))


def _are_times(value: object, kind: type[DA] | type[TM] | type[DT]) -> bool:
    values = value if isinstance(value, MultiValue) else [value]
    try:
        return all(not one or kind(str(one)) for one in values)
    except CONVERSION_ERRORS:
        return False


def _share(header: Dataset, group: str, change: Callable[[Dataset], None]) -> None:
    item = _copied(header.SharedFunctionalGroupsSequence[0])
    if group not in item:
        first = header.PerFrameFunctionalGroupsSequence[0]
        item[group] = copy(first[group])
    group_item = _copied(item[group].value[0])
    change(group_item)
    setattr(item, group, [group_item])
    header.SharedFunctionalGroupsSequence = [item]
