"""A mask that a reader accepted or corrected, as a DICOM segmentation that names the reader and what it came from."""

import re
from pathlib import Path

from pydicom.dataset import Dataset

from glioseg import __version__
from glioseg.formats.dicom_origin import LONGEST_NAME, MANUFACTURER, Algorithm, save
from glioseg.formats.dicom_report import ReportedMeasurements, write_report
from glioseg.formats.dicom_seg import build_segmentation, describe_segment, read_segmentation_dataset
from glioseg.formats.dicom_series import DicomSeries
from glioseg.volume import Mask


def write_dicom_reading(
    folder: Path,
    name: str,
    mask: Mask,
    series: DicomSeries,
    reader: str,
    measurements: ReportedMeasurements | None,
    *,
    corrected: bool,
    earlier: Path | None = None,
) -> list[Path]:
    """Write ``<patient>_seg.dcm`` and ``<patient>_report.dcm``, as :mod:`glioseg.formats.dicom_results` names them.

    The reader is the content creator. The segment has the algorithm's tracking UID, so that an archive knows both for
    one tumour, and refers to the algorithm's segment as what it was defined from.

    Args:
        folder: Where they are written.
        name: The patient, as the files are called.
        mask: On the grid of the series.
        series: The source.
        reader: Who answers for the mask.
        measurements: For the report; without them there is none.
        corrected: Whether voxels were changed by hand.
        earlier: The algorithm's segmentation; without it the mask came from elsewhere.

    Returns:
        The files, the segmentation first.

    Raises:
        GliosegError: As the writers of segmentations and reports, or if ``earlier`` is no segmentation.
    """
    before = None if earlier is None else read_segmentation_dataset(earlier)
    algorithm = Algorithm(MANUFACTURER, __version__) if before is None else algorithm_in(before)
    tracking = "" if before is None else str(before.SegmentSequence[0].get("TrackingUID") or "")
    segment = describe_segment(algorithm, by_hand=corrected, tracking_uid=tracking)
    creator = _person_name(reader)
    dataset = build_segmentation(mask, series, segment, algorithm, creator=creator)
    if not creator.isascii():
        dataset.SpecificCharacterSet = "ISO_IR 192"
    if before is not None:
        _refer(dataset, before)
    paths = [folder / f"{name}_seg.dcm"]
    save(dataset, paths[0], series)
    if measurements is not None:
        paths.append(folder / f"{name}_report.dcm")
        write_report(paths[1], measurements, dataset, series, algorithm, creator)
    return paths


def algorithm_in(segmentation: Dataset) -> Algorithm:
    """The algorithm that a segmentation of ours names."""
    found = segmentation.SegmentSequence[0].get("SegmentationAlgorithmIdentificationSequence")
    if not found:
        return Algorithm(MANUFACTURER, __version__)
    texts = str(found[0].get("AlgorithmParameters") or "").split(",")
    parameters = dict(text.split("=", 1) for text in texts if "=" in text)
    return Algorithm(str(found[0].AlgorithmName), str(found[0].AlgorithmVersion), parameters)


def _person_name(name: str) -> str:
    """Family name first, parts joined by carets (PS3.5, 6.2.1)."""
    words = re.sub(r"[\\^=]", " ", name)[:LONGEST_NAME].split()
    return "^".join([words[-1], *words[:-1]]) if words else ""


def _refer(dataset: Dataset, before: Dataset) -> None:
    """Name the algorithm's segmentation, which has one segment, as what this one was defined from."""
    instance = Dataset()
    instance.ReferencedSOPClassUID, instance.ReferencedSOPInstanceUID = before.SOPClassUID, before.SOPInstanceUID
    dataset.SegmentSequence[0].DefinitionSourceSequence = [instance]
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedInstanceSequence = before.SeriesInstanceUID, [instance]
    dataset.ReferencedSeriesSequence.append(series)
