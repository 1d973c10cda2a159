"""Everything that goes back to an archive for one patient."""

from pathlib import Path

from glioseg.formats.dicom_origin import Algorithm
from glioseg.formats.dicom_overlay import write_overlay
from glioseg.formats.dicom_report import ReportedMeasurements, write_report
from glioseg.formats.dicom_seg import write_segmentation
from glioseg.formats.dicom_series import DicomSeries
from glioseg.scan import Scan
from glioseg.volume import Mask


def write_dicom_results(
    folder: Path,
    scan: Scan,
    mask: Mask,
    series: DicomSeries,
    algorithm: Algorithm,
    measurements: ReportedMeasurements | None = None,
    *,
    overlay: bool = True,
) -> list[Path]:
    """Write ``<patient>_seg.dcm``, ``<patient>_report.dcm`` and ``<patient>_overlay/0001.dcm`` and on.

    Args:
        folder: Where they are written.
        scan: What was read of the series.
        mask: The tumour on its grid.
        series: The source.
        algorithm: What made the mask.
        measurements: For the report; without them there is none.
        overlay: Whether the outline is burnt into copies of the slices.

    Returns:
        The files, the segmentation first.

    Raises:
        GliosegError: As the three writers.
    """
    paths = [folder / f"{series.patient}_seg.dcm"]
    segmentation = write_segmentation(paths[0], mask, series, algorithm)
    if measurements is not None:
        paths.append(folder / f"{series.patient}_report.dcm")
        write_report(paths[-1], measurements, segmentation, series, algorithm)
    if overlay:
        paths += write_overlay(folder / f"{series.patient}_overlay", scan, mask, series, algorithm)
    return paths
