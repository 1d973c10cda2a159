"""A patient of NIfTI or NRRD files: the mask comes back as NIfTI on the FLAIR's grid."""

from dataclasses import dataclass
from pathlib import Path

from glioseg.errors import GliosegError
from glioseg.formats.assemble import assemble
from glioseg.formats.cases import Case, read_case
from glioseg.formats.detect import detect
from glioseg.formats.nifti import write_nifti_mask, write_nifti_probability
from glioseg.patients.source import OutputOptions, ReadPatient, Result


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
            raise GliosegError(
                f"--out {out} holds the scans of {self.patient}, beside which a mask could be overwritten",
                remedy="Name another folder for the results",
            )

    def write(self, result: Result, out: Path, options: OutputOptions) -> list[str]:
        """Write ``<patient>_mask.nii.gz``, and ``<patient>_probability.nii.gz`` where wished."""
        flair = self.case.files["flair"]
        like = flair if detect(flair) == "nifti" else None
        names = [f"{self.patient}_mask.nii.gz"]
        write_nifti_mask(out / names[0], result.mask, like=like)
        if options.probabilities:
            names.append(f"{self.patient}_probability.nii.gz")
            write_nifti_probability(out / names[1], result.probabilities, result.mask.affine, like=like)
        return names
