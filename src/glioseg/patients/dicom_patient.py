"""A patient of DICOM series: results are DICOM objects that name their source pictures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from glioseg.errors import BadOptionError
from glioseg.formats.assemble import assemble
from glioseg.formats.dicom_choice import choose_series
from glioseg.formats.dicom_origin import algorithm_of
from glioseg.formats.dicom_reading import write_dicom_reading
from glioseg.formats.dicom_report import ReportedMeasurements
from glioseg.formats.dicom_results import write_dicom_results
from glioseg.formats.dicom_seg import read_segmentation
from glioseg.formats.dicom_series import DicomSeries, file_name_of, find_series, read_series
from glioseg.formats.nifti import write_nifti_mask, write_nifti_probability
from glioseg.measurement.measure import Measurement
from glioseg.patients.source import OutputOptions, Reader, ReadPatient, Result
from glioseg.scan import Scan
from glioseg.volume import Mask


@dataclass(frozen=True)
class DicomPatient:
    """An examination's files; headers are read with the pixels, so that many patients take no memory.

    Attributes:
        path: The folder or zip.
        files: The DICOM files of the folder, or the zip or single file itself.
        patient_id: The headers' PatientID.
        named: Series by role, as the user named them.
    """

    path: Path
    files: tuple[Path, ...] = field(repr=False)
    patient_id: str
    named: Mapping[str, str] = field(default_factory=dict)
    is_dataset: bool = False

    @property
    def patient(self) -> str:
        """The header's PatientID, fit for a file name."""
        return file_name_of(self.patient_id)

    def read(self) -> ReadPatient:
        """Read the chosen series and bring them onto the FLAIR's grid."""
        chosen = self._chosen()
        scans = {role: read_series(series) for role, series in chosen.items()}
        assembly = assemble(self.patient, scans)
        used = ", ".join(f"{role}: {series.name}" for role, series in chosen.items())
        return ReadPatient(assembly.volume, (f"Read {used}.", *assembly.remarks), chosen["flair"])

    def check_output(self, out: Path) -> None:
        """Refuse to write among the source files, which would be read as one of them next time."""
        if out.resolve() == self.path.resolve() or self.path.resolve() in out.resolve().parents:
            raise BadOptionError(
                f"--out {out} lies within the scans of {self.patient}", remedy="Name another folder for the results"
            )

    def write(self, result: Result, out: Path, options: OutputOptions) -> list[str]:
        """Write segmentation, report and overlay, and NIfTI where wished."""
        volume = result.volume
        scan = Scan(self.patient, volume.channel("flair").astype("float32"), affine=volume.affine)
        algorithm = algorithm_of(result.model, result.model_version, result.settings)
        paths = write_dicom_results(
            out,
            scan,
            result.mask,
            result.origin,
            algorithm,
            _reported(result.measurement),
            overlay=options.overlay,
        )
        if options.nifti:
            paths.append(out / f"{self.patient}_mask.nii.gz")
            write_nifti_mask(paths[-1], result.mask)
        if options.probabilities:
            paths.append(out / f"{self.patient}_probability.nii.gz")
            write_nifti_probability(paths[-1], result.probabilities, result.mask.affine)
        return [str(path.relative_to(out)) for path in paths]

    def read_mask(self, out: Path) -> Mask:
        """Read ``<patient>_seg.dcm``."""
        return read_segmentation(out / self._mask_name, self._chosen()["flair"])

    def write_mask(self, mask: Mask, out: Path, reader: Reader, measurement: Measurement) -> list[str]:
        """Write segmentation and report, which refer to the algorithm's where there is one."""
        earlier = reader.earlier / self._mask_name
        paths = write_dicom_reading(
            out,
            mask,
            self._chosen()["flair"],
            reader.name,
            _reported(measurement),
            corrected=reader.corrected,
            earlier=earlier if earlier.is_file() else None,
        )
        return [str(path.relative_to(out)) for path in paths]

    @property
    def _mask_name(self) -> str:
        return f"{self.patient}_seg.dcm"

    def _chosen(self) -> dict[str, DicomSeries]:
        return choose_series(find_series(self.path, self.files), self.named)


def _reported(measurement: Measurement) -> ReportedMeasurements | None:
    whole = measurement.whole
    if whole.volume_ml is None:
        return None
    return ReportedMeasurements(
        whole.volume_ml, long_axis_mm=whole.longest_diameter_mm, short_axis_mm=whole.perpendicular_diameter_mm
    )
