"""A patient of DICOM series: results are DICOM objects that name their source images."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from glioseg.errors import BadOptionError
from glioseg.files import readable
from glioseg.formats.assemble import assemble
from glioseg.formats.dicom_choice import choose_series
from glioseg.formats.dicom_origin import algorithm_of
from glioseg.formats.dicom_reading import write_dicom_reading
from glioseg.formats.dicom_report import ReportedMeasurements
from glioseg.formats.dicom_results import write_dicom_results
from glioseg.formats.dicom_seg import read_segmentation
from glioseg.formats.dicom_series import DicomSeries, file_name_of, find_series, read_series
from glioseg.formats.nifti import write_nifti_mask, write_nifti_probability
from glioseg.inference.presence import Presence
from glioseg.measurement.measure import Measurement
from glioseg.outputs import Outputs
from glioseg.patients.examination import Examination
from glioseg.patients.source import Beside, OutputOptions, Reader, ReadPatient, Result, beside_mask
from glioseg.scan import Scan
from glioseg.volume import Mask


@dataclass(frozen=True)
class DicomPatient:
    """An examination's files; headers are read with the pixels, so that many patients take no memory.

    Attributes:
        path: The folder or zip.
        files: The DICOM files of the folder, or the zip or single file itself.
        patient_id: The headers' PatientID.
        person: PatientID, or PatientName where there is none.
        studies: StudyInstanceUID of each examination among them, most often one.
        date: The examination's, as 20240229; empty where it is not told or there are several.
        named: Series by sequence, as the user named them.
        name: Of the results; the PatientID unless another is given.
    """

    path: Path
    files: tuple[Path, ...] = field(repr=False)
    patient_id: str
    person: str = ""
    studies: tuple[str, ...] = ()
    date: str = ""
    named: Mapping[str, str] = field(default_factory=dict)
    is_dataset: bool = False
    name: str = ""

    @property
    def patient(self) -> str:
        """The header's PatientID, fit for a file name, unless another name was given."""
        return self.name or file_name_of(self.patient_id)

    @property
    def examination(self) -> Examination:
        """Told apart by person, study, and the series that the user named, wherever the files lie."""
        place = self.path.resolve()
        key = " ".join(
            [f"dicom {self.person}", *self.studies, *(f"{sequence}={text}" for sequence, text in self.named.items())]
        )
        folder = place.stem if place.is_file() else place.name
        return Examination(
            file_name_of(self.patient_id),
            readable(key),
            readable(str(place)),
            file_name_of(readable(folder)),
            self.date,
            # Nobody's name is shared by all who have none.
            self.person or key,
        )

    def called(self, name: str) -> Self:
        """The same with another name."""
        return replace(self, name=name)

    def name_of(self, output: Beside) -> str:
        """The name of a file beside the mask, as ``<patient>_sheet.png``."""
        return beside_mask(self.patient, output)

    def read(self) -> ReadPatient:
        """Read the chosen series and bring them onto the FLAIR's grid."""
        chosen = self._chosen()
        scans = {sequence: read_series(series) for sequence, series in chosen.items()}
        assembly = assemble(self.patient, scans)
        used = ", ".join(f"{sequence}: {series.name}" for sequence, series in chosen.items())
        return ReadPatient(assembly.volume, assembly.remarks, chosen["flair"], (f"Read {used}.",))

    def check_output(self, out: Path) -> None:
        """Refuse to write among the source files, which would be read as one of them next time."""
        if out.resolve() == self.path.resolve() or self.path.resolve() in out.resolve().parents:
            raise BadOptionError(
                f"--out {out} lies within the scans of {self.patient}", remedy="Name another folder for the results"
            )

    def write(self, result: Result, outputs: Outputs, options: OutputOptions) -> None:
        """Write segmentation, report and overlay; NIfTI where wished, and where the segmentation cannot be written."""
        volume = result.volume
        scan = Scan(self.patient, volume.channel("flair").astype("float32"), affine=volume.affine)
        algorithm = algorithm_of(result.model, result.model_version, result.settings)
        measurements = _reported(result.measurement, result.presence)
        write_dicom_results(
            outputs,
            self.patient,
            scan,
            result.prediction.mask,
            result.origin,
            algorithm,
            measurements,
            overlay=options.overlay,
        )
        mask, probability = f"{self.patient}_mask.nii.gz", self.name_of("probability")
        if options.nifti or "segmentation" in outputs.failures:
            outputs.attempt("NIfTI", lambda: write_nifti_mask(outputs.folder / mask, result.prediction.mask), mask)
        if options.probabilities:
            path, affine = outputs.folder / probability, result.prediction.mask.affine
            outputs.attempt(
                "probability",
                lambda: write_nifti_probability(path, result.prediction.probabilities, affine),
                probability,
            )
        if mask not in outputs.files and "segmentation" in outputs.failures:
            raise outputs.failures["segmentation"]

    def read_mask(self, out: Path) -> Mask:
        """Read ``<patient>_seg.dcm`` on the FLAIR's grid."""
        return read_segmentation(out / self._mask_name, self._chosen()["flair"])

    def write_mask(self, mask: Mask, out: Path, reader: Reader, measurement: Measurement) -> list[str]:
        """Write segmentation and report, which refer to the algorithm's where there is one."""
        earlier = reader.earlier / self._mask_name
        paths = write_dicom_reading(
            out,
            self.patient,
            mask,
            self._chosen()["flair"],
            reader.name,
            _reported(measurement),
            corrected=reader.corrected,
            earlier=earlier if earlier.is_file() else None,
        )
        return [str(path.relative_to(out)) for path in paths]

    def remove_mask(self, out: Path) -> None:
        """Remove segmentation and report."""
        for name in (self._mask_name, f"{self.patient}_report.dcm"):
            (out / name).unlink(missing_ok=True)

    @property
    def _mask_name(self) -> str:
        return f"{self.patient}_seg.dcm"

    def _chosen(self) -> dict[str, DicomSeries]:
        found = find_series(self.path, self.files)
        # A zip may hold other examinations of the same person.
        return choose_series([one for one in found if one.study_uid in self.studies], self.named)


def _reported(measurement: Measurement, presence: Presence | None = None) -> ReportedMeasurements | None:
    whole = measurement.whole
    if whole.volume_ml is None:
        return None
    return ReportedMeasurements(
        whole.volume_ml,
        long_axis_mm=whole.longest_diameter_mm,
        short_axis_mm=whole.perpendicular_diameter_mm,
        presence=presence,
    )
