"""A patient of NIfTI or NRRD files: the mask comes back as NIfTI on the FLAIR's grid."""

from dataclasses import dataclass
from pathlib import Path

from glioseg.errors import BadOptionError
from glioseg.formats.assemble import assemble
from glioseg.formats.cases import Case, read_case
from glioseg.formats.masks import read_mask
from glioseg.formats.nifti import write_nifti_mask, write_nifti_probability
from glioseg.formats.readers import detect
from glioseg.measurement.measure import Measurement
from glioseg.patients.source import OutputOptions, Reader, ReadPatient, Result
from glioseg.volume import Mask


@dataclass(frozen=True)
class FilePatient:
    """A patient's files by sequence."""

    case: Case
    is_dataset: bool = False

    @property
    def patient(self) -> str:
        """By the names of folder and files."""
        return self.case.patient

    def read(self) -> ReadPatient:
        """Read the sequences and bring them onto the FLAIR's grid."""
        assembly = assemble(self.patient, read_case(self.case))
        return ReadPatient(assembly.volume, (*self.case.remarks, *assembly.remarks))

    def check_output(self, out: Path) -> None:
        """Refuse a folder of scans: a mask that someone drew may lie there under the name of ours."""
        if any(path.resolve().parent == out.resolve() for path in self.case.files.values()):
            raise BadOptionError(
                f"--out {out} holds the scans of {self.patient}, beside which a mask could be overwritten",
                remedy="Name another folder for the results",
            )

    def write(self, result: Result, out: Path, options: OutputOptions) -> list[str]:
        """Write ``<patient>_mask.nii.gz``, and ``<patient>_probability.nii.gz`` where wished."""
        names = [self._mask_name]
        write_nifti_mask(out / names[0], result.mask, like=self._like())
        if options.probabilities:
            names.append(f"{self.patient}_probability.nii.gz")
            write_nifti_probability(out / names[1], result.probabilities, result.mask.affine, like=self._like())
        return names

    def read_mask(self, out: Path) -> Mask:
        """Read ``<patient>_mask.nii.gz``."""
        return read_mask(out / self._mask_name)

    def write_mask(self, mask: Mask, out: Path, reader: Reader, measurement: Measurement) -> list[str]:
        """Write ``<patient>_mask.nii.gz``."""
        write_nifti_mask(out / self._mask_name, mask, like=self._like())
        return [self._mask_name]

    @property
    def _mask_name(self) -> str:
        return f"{self.patient}_mask.nii.gz"

    def _like(self) -> Path | None:
        """The file whose header a NIfTI result copies."""
        flair = self.case.files["flair"]
        return flair if detect(flair) == "nifti" else None
