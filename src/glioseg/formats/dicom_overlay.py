"""The contour burnt into copies of the slices: a secondary-capture series that every viewer shows."""

from pathlib import Path

import numpy as np
from highdicom.sc import SCImage
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from scipy import ndimage

from glioseg.atomic import atomic_folder
from glioseg.display import PREDICTION_COLOUR, intensity_window, to_grey
from glioseg.formats.dicom_geometry import DicomSlice
from glioseg.formats.dicom_origin import (
    MANUFACTURER,
    SOFTWARE,
    Algorithm,
    check_fits,
    equipment,
    new_uid,
    result_series_number,
    save,
    source_headers,
    valid_source,
)
from glioseg.formats.dicom_repair import decimals
from glioseg.formats.dicom_series import DicomSeries
from glioseg.scan import Scan
from glioseg.volume import Mask

DESCRIPTION = "glioseg overlay - not for diagnosis"


def write_overlay(folder: Path, scan: Scan, mask: Mask, series: DicomSeries, algorithm: Algorithm) -> None:
    """Write the slices in grey with the mask's contour in orange, as a new series of the same study.

    Each image repeats the place of its slice, so that viewers scroll it beside the source.

    Args:
        folder: Where the files are written, ``0001.dcm`` and on, one for each slice; they appear together.
        scan: What was read of the series, for the grey.
        mask: The tumour on the same grid.
        series: The source.
        algorithm: What made the mask.

    Raises:
        GliosegError: If the mask does not fit the series, or the source's header does not allow it.
    """
    check_fits(mask, series)
    headers = source_headers(series)
    series_uid, window = new_uid(), intensity_window(scan.voxels)
    with atomic_folder(folder, ours="*.dcm") as unfinished:
        for index, (one, voxels, inside) in enumerate(zip(series.slices, scan.voxels, mask.voxels, strict=True)):
            header = headers[0 if series.is_multiframe else index]
            with valid_source(series):
                dataset = _capture(outlined(voxels, inside, window), header, one, series, algorithm, series_uid, index)
            save(dataset, unfinished / f"{index + 1:04d}.dcm", series)


def outlined(voxels: NDArray[np.float32], inside: NDArray[np.bool_], window: tuple[float, float]) -> NDArray[np.uint8]:
    """A slice in grey, the mask's innermost pixels along its edge in orange; shape (row, column, 3), uint8.

    Args:
        voxels: Intensities, shape (row, column).
        inside: The mask, shape (row, column).
        window: Intensities shown as black and as white.
    """
    image = np.repeat(to_grey(voxels, window)[..., np.newaxis], 3, axis=-1)
    image[inside & ~ndimage.binary_erosion(inside)] = PREDICTION_COLOUR
    return image


def _capture(
    image: NDArray[np.uint8],
    header: Dataset,
    one: DicomSlice,
    series: DicomSeries,
    algorithm: Algorithm,
    series_uid: str,
    index: int,
) -> Dataset:
    dataset: Dataset = SCImage.from_ref_dataset(
        ref_dataset=header,
        pixel_array=image,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        series_instance_uid=series_uid,
        series_number=result_series_number(series, 2),
        sop_instance_uid=new_uid(),
        instance_number=index + 1,
        pixel_spacing=tuple(float(value) for value in one.pixel_spacing_mm),
        patient_orientation=(_letters(one.directions[0]), _letters(one.directions[1])),
        transfer_syntax_uid=ExplicitVRLittleEndian,
        series_description=DESCRIPTION,
        **equipment(algorithm),
    )
    dataset.ConversionType = "WSD"
    dataset.SecondaryCaptureDeviceManufacturer = MANUFACTURER
    dataset.SecondaryCaptureDeviceSoftwareVersions = SOFTWARE
    dataset.BodyPartExamined = "BRAIN"
    dataset.BurnedInAnnotation = "NO"
    dataset.DerivationDescription = f"Contour of the mask of {algorithm.name} {algorithm.version}"[:1024]
    dataset.ImageComments = "Not for diagnosis. The contour was drawn by a neural network."
    dataset.SourceImageSequence = [_reference(header, one, series)]
    _place_in_space(dataset, header, one)
    return dataset


def _reference(header: Dataset, one: DicomSlice, series: DicomSeries) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = header.SOPClassUID
    item.ReferencedSOPInstanceUID = header.SOPInstanceUID
    if series.is_multiframe:
        item.ReferencedFrameNumber = one.frame + 1
    return item


def _place_in_space(dataset: Dataset, header: Dataset, one: DicomSlice) -> None:
    """The frame of reference and image plane modules, an extension that secondary capture allows (PS3.2, 3.11.2)."""
    dataset.FrameOfReferenceUID = header.FrameOfReferenceUID
    dataset.PositionReferenceIndicator = header.get("PositionReferenceIndicator") or ""
    dataset.ImagePositionPatient = decimals(one.corner_mm)
    dataset.ImageOrientationPatient = decimals(one.directions)


def _letters(direction: NDArray[np.float64]) -> str:
    """Where a direction points, by its largest component: L, P, H or the opposite R, A, F."""
    axes = sorted(zip(direction, ("LR", "PA", "HF"), strict=True), key=lambda pair: -abs(pair[0]))
    return axes[0][1][0 if axes[0][0] > 0 else 1]
