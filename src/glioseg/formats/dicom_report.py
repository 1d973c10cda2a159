"""Measurements as a structured report after template TID 1500 (PS3.16), which archives can search."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    ComprehensiveSR,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    Measurement,
    MeasurementReport,
    ObservationContext,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
    QualitativeEvaluation,
    ReferencedSegment,
    SourceSeriesForSegmentation,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from glioseg.errors import GliosegError
from glioseg.formats.dicom_origin import (
    ARTIFICIAL_INTELLIGENCE,
    BRAIN,
    MANUFACTURER,
    MORPHOLOGIC,
    NEOPLASM,
    SOFTWARE,
    Algorithm,
    equipment,
    new_uid,
    result_series_number,
    save,
    source_headers,
    valid_source,
)
from glioseg.formats.dicom_series import DicomSeries

DESCRIPTION = "glioseg measurements - not for diagnosis"

MR_BRAIN = Code("24590-2", "LN", "MR Brain")
DEVICE = Code("121007", "DCM", "Device")
PERSON = Code("121006", "DCM", "Person")
VOLUME = Code("118565006", "SCT", "Volume")
LONG_AXIS = Code("103339001", "SCT", "Long Axis")
SHORT_AXIS = Code("103340004", "SCT", "Short Axis")
CUBIC_MILLIMETRE = Code("mm3", "UCUM", "cubic millimeter")
MILLIMETRE = Code("mm", "UCUM", "millimeter")
PRESENCE = Code("705057003", "SCT", "Presence")
PRESENCES = {
    "present": Code("52101004", "SCT", "Present"),
    "doubtful": Code("42425007", "SCT", "Equivocal"),
    "none": Code("2667000", "SCT", "Absent"),
}


@dataclass(frozen=True)
class ReportedMeasurements:
    """What a report says of a tumour; None is left out of it.

    Attributes:
        volume_ml: Its volume.
        long_axis_mm: Its longest diameter in an axial slice.
        short_axis_mm: The longest at right angles to that one, in the same slice.
        presence: Whether there is a tumour at all, as ``present``, ``doubtful`` or ``none``.
    """

    volume_ml: float
    long_axis_mm: float | None = None
    short_axis_mm: float | None = None
    presence: Literal["present", "doubtful", "none"] | None = None


def write_report(
    path: Path,
    measurements: ReportedMeasurements,
    segmentation: Dataset,
    series: DicomSeries,
    algorithm: Algorithm,
    person: str | None = None,
) -> Dataset:
    """Write a TID 1500 report that refers to a segmentation; the volume stands in cubic millimetres, as is usual.

    The report is complete but preliminary and unverified: nobody has signed it.

    Args:
        path: The file to write.
        measurements: The numbers.
        segmentation: What :func:`glioseg.formats.dicom_seg.write_segmentation` returned.
        series: The source of the segmentation.
        algorithm: What made it.
        person: The reader who accepted or corrected it, as a DICOM name; None where no person has seen it.

    Returns:
        What was written.

    Raises:
        GliosegError: If a number is negative or not finite, or the source's header does not allow a report.
    """
    measured = _measured(measurements)
    with valid_source(series):
        dataset: Dataset = ComprehensiveSR(
            evidence=[segmentation, *source_headers(series)],
            content=_content(measured, measurements.presence, segmentation, series, algorithm, person),
            series_instance_uid=new_uid(),
            series_number=result_series_number(series, 3),
            sop_instance_uid=new_uid(),
            instance_number=1,
            is_complete=True,
            series_description=DESCRIPTION,
            **equipment(algorithm),
        )
    if person is not None and not person.isascii():
        dataset.SpecificCharacterSet = "ISO_IR 192"
    save(dataset, path, series)
    return dataset


def _measured(measurements: ReportedMeasurements) -> list[tuple[Code, float, Code]]:
    """Name, value and unit of each measurement that is known."""
    rows = [
        (VOLUME, measurements.volume_ml * 1000, CUBIC_MILLIMETRE),
        (LONG_AXIS, measurements.long_axis_mm, MILLIMETRE),
        (SHORT_AXIS, measurements.short_axis_mm, MILLIMETRE),
    ]
    known = [(name, value, unit) for name, value, unit in rows if value is not None]
    for name, value, unit in known:
        if not 0 <= value < float("inf"):
            raise GliosegError(
                f"{name.meaning} cannot be reported", expected="0 or more", found=f"{value} {unit.value}"
            )
    return known


def _content(
    measured: list[tuple[Code, float, Code]],
    presence: str | None,
    segmentation: Dataset,
    series: DicomSeries,
    algorithm: Algorithm,
    person: str | None,
) -> MeasurementReport:
    segment = segmentation.SegmentSequence[0]
    tumour = VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=str(segment.TrackingUID), identifier=str(segment.TrackingID)),
        referenced_segment=ReferencedSegment(
            sop_class_uid=segmentation.SOPClassUID,
            sop_instance_uid=segmentation.SOPInstanceUID,
            segment_number=int(segment.SegmentNumber),
            source_series=SourceSeriesForSegmentation(series.series_uid),
        ),
        finding_category=MORPHOLOGIC,
        finding_type=NEOPLASM,
        finding_sites=[FindingSite(anatomic_location=BRAIN)],
        algorithm_id=AlgorithmIdentification(
            name=algorithm.name,
            version=algorithm.version,
            parameters=[f"{name}={value}" for name, value in algorithm.parameters.items()] or None,
            family=ARTIFICIAL_INTELLIGENCE,
            manufacturer=MANUFACTURER,
        ),
        measurements=[Measurement(name=name, value=round(value, 3), unit=unit) for name, value, unit in measured],
        qualitative_evaluations=[QualitativeEvaluation(PRESENCE, PRESENCES[presence])] if presence else None,
    )
    return MeasurementReport(
        observation_context=ObservationContext(
            observer_person_context=None if person is None else _person(person),
            observer_device_context=_observer(algorithm),
        ),
        procedure_reported=MR_BRAIN,
        imaging_measurements=[tumour],
    )


def _person(name: str) -> ObserverContext:
    return ObserverContext(
        observer_type=CodedConcept(*PERSON[:3]),
        observer_identifying_attributes=PersonObserverIdentifyingAttributes(name=name),
    )


def _observer(algorithm: Algorithm) -> ObserverContext:
    return ObserverContext(
        observer_type=CodedConcept(*DEVICE[:3]),
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=new_uid(), name=SOFTWARE, manufacturer_name=MANUFACTURER, model_name=algorithm.name
        ),
    )
