"""Everything that goes back to an archive for one patient."""

from glioseg.formats.dicom_origin import Algorithm
from glioseg.formats.dicom_overlay import write_overlay
from glioseg.formats.dicom_report import ReportedMeasurements, write_report
from glioseg.formats.dicom_seg import write_segmentation
from glioseg.formats.dicom_series import DicomSeries
from glioseg.outputs import Outputs
from glioseg.scan import Scan
from glioseg.volume import Mask


def write_dicom_results(
    outputs: Outputs,
    name: str,
    scan: Scan,
    mask: Mask,
    series: DicomSeries,
    algorithm: Algorithm,
    measurements: ReportedMeasurements | None = None,
    *,
    overlay: bool = True,
) -> None:
    """Write ``<name>_seg.dcm``, ``<name>_report.dcm`` and ``<name>_overlay/0001.dcm`` and on, each by itself.

    Args:
        outputs: Where they are written; gets ``segmentation``, ``report`` and ``overlay``.
        name: Of the results.
        scan: What was read of the series.
        mask: The tumour on its grid.
        series: The source.
        algorithm: What made the mask.
        measurements: For the report, which refers to the segmentation; without either there is none.
        overlay: Whether the contour is burnt into copies of the slices.
    """
    folder, names = outputs.folder, [f"{name}_seg.dcm", f"{name}_report.dcm"]
    segmentation = outputs.attempt(
        "segmentation", lambda: write_segmentation(folder / names[0], mask, series, algorithm), names[0]
    )
    if segmentation is not None and measurements is not None:
        outputs.attempt(
            "report", lambda: write_report(folder / names[1], measurements, segmentation, series, algorithm), names[1]
        )
    if overlay:
        images = [f"{name}_overlay/{number:04d}.dcm" for number in range(1, len(series.slices) + 1)]
        outputs.attempt(
            "overlay", lambda: write_overlay(folder / f"{name}_overlay", scan, mask, series, algorithm), *images
        )
