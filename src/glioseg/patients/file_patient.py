"""A patient of NIfTI or NRRD files: the mask comes back as NIfTI on the FLAIR's grid."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from glioseg.errors import BadOptionError
from glioseg.files import readable
from glioseg.formats.assemble import assemble
from glioseg.formats.cases import Case, read_case
from glioseg.formats.masks import read_mask
from glioseg.formats.nifti import write_nifti_mask, write_nifti_probability
from glioseg.formats.readers import detect
from glioseg.measurement.measure import Measurement
from glioseg.outputs import Outputs
from glioseg.patients.examination import Examination
from glioseg.patients.source import Beside, OutputOptions, Reader, ReadPatient, Result, beside_mask
from glioseg.volume import Mask


@dataclass(frozen=True)
class FilePatient:
    """A patient's files by sequence."""

    case: Case
    is_dataset: bool = False
    name: str = ""

    @property
    def patient(self) -> str:
        """By the names of folder and files, unless another was given."""
        return self.name or self.case.patient

    @property
    def examination(self) -> Examination:
        """Told apart by the place of the FLAIR."""
        place = readable(str(self.case.files["flair"].resolve()))
        folders = (folder.name for folder in Path(place).parents if folder.name != self.case.patient)
        return Examination(self.case.patient, f"file {place}", place, next(folders))

    def called(self, name: str) -> Self:
        """The same with another name."""
        return replace(self, name=name)

    @property
    def mask_name(self) -> str:
        """Where the mask goes, relative to the output folder."""
        return f"{self.patient}_mask.nii.gz"

    def name_of(self, output: Beside) -> str:
        """The name of a file beside the mask, as ``<patient>_sheet.png``."""
        return beside_mask(self.patient, output)

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

    def write(self, result: Result, outputs: Outputs, options: OutputOptions) -> None:
        """Write ``<patient>_mask.nii.gz``, and ``<patient>_probability.nii.gz`` where wished."""
        write_nifti_mask(outputs.folder / self.mask_name, result.prediction.mask, like=self._like())
        outputs.files.append(self.mask_name)
        if options.probabilities:
            name, affine = self.name_of("probability"), result.prediction.mask.affine
            path = outputs.folder / name
            outputs.attempt(
                "probability",
                lambda: write_nifti_probability(path, result.prediction.probabilities, affine, like=self._like()),
                name,
            )

    def read_mask(self, out: Path) -> Mask:
        """Read ``<patient>_mask.nii.gz``, which lies on the FLAIR's grid."""
        return read_mask(out / self.mask_name)

    def write_mask(self, mask: Mask, out: Path, reader: Reader, measurement: Measurement) -> list[str]:
        """Write ``<patient>_mask.nii.gz`` with the FLAIR's header where that is NIfTI; returns the file names."""
        write_nifti_mask(out / self.mask_name, mask, like=self._like())
        return [self.mask_name]

    def remove_mask(self, out: Path) -> None:
        """Remove ``<patient>_mask.nii.gz``."""
        (out / self.mask_name).unlink(missing_ok=True)

    def _like(self) -> Path | None:
        """The file whose header a NIfTI result copies."""
        flair = self.case.files["flair"]
        return flair if detect(flair) == "nifti" else None
