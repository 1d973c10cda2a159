"""Masks as DICOM segmentations (PS3.3, A.51), on the slices of their source."""

from pathlib import Path

import numpy as np
import pydicom
from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import SegmentAlgorithmTypeValues, SegmentationTypeValues, SegmentDescription
from highdicom.seg import Segmentation as HighdicomSegmentation
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import SegmentationStorage

from glioseg.display import PREDICTION_COLOUR
from glioseg.errors import BadFileError, GliosegError
from glioseg.formats.dicom_files import DicomFile, find_dicom_files
from glioseg.formats.dicom_geometry import is_same_grid, locate, place_in
from glioseg.formats.dicom_headers import LARGEST_SERIES_VOXELS, frame_value, quiet_parser
from glioseg.formats.dicom_origin import (
    ARTIFICIAL_INTELLIGENCE,
    BRAIN,
    MANUFACTURER,
    MORPHOLOGIC,
    NEOPLASM,
    Algorithm,
    check_fits,
    equipment,
    new_uid,
    result_series_number,
    save,
    source_headers,
    valid_source,
)
from glioseg.formats.dicom_series import DicomSeries
from glioseg.volume import Mask

LABEL = "Tumour"
DESCRIPTION = "glioseg tumour - not for diagnosis"


def write_segmentation(path: Path, mask: Mask, series: DicomSeries, algorithm: Algorithm) -> Dataset:
    """Write a mask as a BINARY segmentation of its source series, whole or not at all.

    Only slices with tumour become frames. An empty mask becomes a segmentation of all slices, each empty, since a
    segmentation without frames is invalid: it says that the scan was looked at and nothing was found.

    Args:
        path: The file to write.
        mask: The tumour on the grid of the series, as :func:`glioseg.formats.dicom_series.read_series` gives it.
        series: The source.
        algorithm: What made the mask.

    Returns:
        What was written, for a report to refer to.

    Raises:
        GliosegError: If the mask does not fit the series, or the source's header does not allow a segmentation.
    """
    dataset = build_segmentation(mask, series, describe_segment(algorithm), algorithm)
    save(dataset, path, series)
    return dataset


def build_segmentation(
    mask: Mask, series: DicomSeries, segment: SegmentDescription, algorithm: Algorithm, creator: str | None = None
) -> Dataset:
    """A segmentation of one segment, not written yet; arguments and errors as :func:`write_segmentation`.

    Args:
        mask: The tumour.
        series: The source.
        segment: What the segment is and who drew it.
        algorithm: Named as the equipment.
        creator: The person who answers for it, where there is one.
    """
    check_fits(mask, series)
    headers = source_headers(series)
    by = "contoured by a neural network" if creator is None else "accepted or corrected by a reader"
    with valid_source(series):
        dataset: Dataset = HighdicomSegmentation(
            source_images=headers,
            pixel_array=_in_source_order(mask, series),
            segmentation_type=SegmentationTypeValues.BINARY,
            segment_descriptions=[segment],
            series_instance_uid=new_uid(),
            series_number=result_series_number(series, 1),
            sop_instance_uid=new_uid(),
            instance_number=1,
            series_description=DESCRIPTION,
            content_label="TUMOUR",
            content_description=f"Tumour {by}, not for diagnosis",
            content_creator_name=creator,
            omit_empty_frames=bool(mask.voxels.any()),
            **equipment(algorithm),
        )
    return dataset


def read_segmentation(path: Path, series: DicomSeries, segment: int | None = None) -> Mask:
    """Read a segmentation back onto the grid of the series it was made for.

    Frames are laid on the slices by their place in space; slices without a frame are empty.

    Args:
        path: A BINARY DICOM segmentation, of this program or another.
        series: The series that gives the grid.
        segment: The number of the segment; needed only where there are several.

    Raises:
        GliosegError: If the file is something else or lies on another grid, or the segment is not one of its own.
    """
    dataset = read_segmentation_dataset(path)
    number = _segment_number(path, dataset, segment)
    if series.affine is None:
        raise series.refusal or GliosegError(f"{series.name} has no geometry")
    if str(dataset.get("FrameOfReferenceUID") or "") != series.frame_of_reference_uid:
        raise _other_grid(path, series, "another frame of reference")
    first = series.slices[0].dataset
    inside = np.zeros((len(series.slices), first.Rows, first.Columns), np.bool_)
    for frame, pixels in enumerate(_frames(path, dataset)):
        if frame_value(dataset, frame, "SegmentIdentificationSequence", "ReferencedSegmentNumber") == number:
            inside[_place(path, dataset, frame, series)] |= pixels
    return Mask(series.patient, inside, affine=series.affine)


def _in_source_order(mask: Mask, series: DicomSeries) -> NDArray[np.uint8]:
    """The mask's slices as highdicom wants them: for a multi-frame source, in the order of its frames."""
    if not series.is_multiframe:
        return mask.voxels.astype(np.uint8)
    frames = np.zeros(mask.voxels.shape, np.uint8)
    for one, inside in zip(series.slices, mask.voxels, strict=True):
        frames[one.frame] = inside
    return frames


def describe_segment(algorithm: Algorithm, *, by_hand: bool = False, tracking_uid: str = "") -> SegmentDescription:
    """The tumour as a segment.

    Args:
        algorithm: What made it.
        by_hand: Whether a person changed it.
        tracking_uid: Of the same tumour in another segmentation; a new one where it is empty.
    """
    kind = SegmentAlgorithmTypeValues.SEMIAUTOMATIC if by_hand else SegmentAlgorithmTypeValues.AUTOMATIC
    return SegmentDescription(
        segment_number=1,
        segment_label=LABEL,
        segmented_property_category=MORPHOLOGIC,
        segmented_property_type=NEOPLASM,
        algorithm_type=kind,
        algorithm_identification=AlgorithmIdentificationSequence(
            name=algorithm.name,
            family=ARTIFICIAL_INTELLIGENCE,
            version=algorithm.version,
            source=MANUFACTURER,
            parameters=dict(algorithm.parameters) or None,
        ),
        tracking_id=LABEL,
        tracking_uid=tracking_uid or new_uid(),
        anatomic_regions=[BRAIN],
        display_color=CIELabColor.from_rgb(*PREDICTION_COLOUR),
    )


def read_segmentation_dataset(path: Path) -> Dataset:
    """What a BINARY DICOM segmentation says, pixels included.

    Raises:
        GliosegError: If the file is damaged or something else.
    """
    if not path.is_file():
        raise BadFileError(path, "is no file", expected="a DICOM segmentation")
    if not list(find_dicom_files(path)):
        raise BadFileError(path, "is no DICOM file", expected="a DICOM segmentation")
    try:
        with quiet_parser():
            dataset = pydicom.dcmread(path)
    # pydicom reports damage by whichever error its parser meets first.
    except Exception as error:
        raise BadFileError(path, f"is damaged: {' '.join(str(error).split())}") from error
    if dataset.get("SOPClassUID") != SegmentationStorage or dataset.get("SegmentationType") != "BINARY":
        found = dataset.get("SegmentationType") or getattr(dataset.get("SOPClassUID"), "name", "no class")
        raise BadFileError(path, "cannot be read as a mask", expected="a BINARY DICOM segmentation", found=str(found))
    return dataset


def _segment_number(path: Path, dataset: Dataset, wanted: int | None) -> int:
    segments = {int(item.SegmentNumber): str(item.get("SegmentLabel") or "") for item in dataset.SegmentSequence}
    if wanted is None and len(segments) == 1:
        return next(iter(segments))
    if wanted is None or wanted not in segments:
        raise GliosegError(
            f"{path} holds {len(segments)} segments" if wanted is None else f"{path} has no segment {wanted}",
            expected=", ".join(f"{number} {label}" for number, label in segments.items()),
            remedy="Name one of them by its number",
        )
    return wanted


def _frames(path: Path, dataset: Dataset) -> NDArray[np.bool_]:
    count, rows, columns = (int(dataset.get(name) or 0) for name in ("NumberOfFrames", "Rows", "Columns"))
    stored = len(dataset.get("PixelData") or b"")
    described = len(dataset.get("PerFrameFunctionalGroupsSequence") or ())
    voxels = count * rows * columns
    if not voxels or voxels > min(LARGEST_SERIES_VOXELS, stored * 8) or described != count:
        raise BadFileError(
            path,
            "is damaged or cut short",
            expected=f"{count} x {rows} x {columns} pixels of one bit",
            found=f"{stored:,} bytes, {described} frames described",
        )
    return dataset.pixel_array.reshape(count, rows, columns) != 0


def _place(path: Path, dataset: Dataset, frame: int, series: DicomSeries) -> int:
    one = locate(DicomFile(path), dataset, frame)
    place = place_in(series.slices, one) if is_same_grid(one, series.slices[0]) else None
    if place is None:
        raise _other_grid(path, series, f"frame {frame + 1} on no slice of it")
    return place


def _other_grid(path: Path, series: DicomSeries, found: str) -> GliosegError:
    return BadFileError(
        path,
        f"was not made on {series.name}",
        expected="frames on its slices",
        found=found,
        remedy="Name the series that the segmentation refers to",
    )
