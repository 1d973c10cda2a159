"""A patient of the dataset's layout: a folder of slices in, a folder of mask slices out."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from glioseg.atomic import atomic_folder
from glioseg.dataset.lgg import find_slices, read_patient
from glioseg.errors import BadOptionError
from glioseg.files import entries, readable
from glioseg.formats.masks import read_mask
from glioseg.formats.readers import kind_by_name
from glioseg.formats.tif import write_mask_slice
from glioseg.measurement.measure import Measurement
from glioseg.outputs import Outputs
from glioseg.patients.examination import Examination
from glioseg.patients.source import Beside, OutputOptions, Reader, ReadPatient, Result, beside_mask
from glioseg.volume import Mask


@dataclass(frozen=True)
class TifPatient:
    """A patient's folder; masks in it are not looked at."""

    folder: Path
    is_dataset: bool = True
    name: str = ""

    @property
    def patient(self) -> str:
        """The folder's name, unless another was given."""
        return self.name or readable(self.folder.name)

    @property
    def examination(self) -> Examination:
        """Told apart by the folder's place."""
        place = readable(str(self.folder.resolve()))
        return Examination(readable(self.folder.name), f"slices {place}", place, Path(place).parent.name)

    def called(self, name: str) -> Self:
        """The same with another name."""
        return replace(self, name=name)

    def name_of(self, output: Beside) -> str:
        """The name of a file beside the mask, as ``<patient>_sheet.png``."""
        return beside_mask(self.patient, output)

    def read(self) -> ReadPatient:
        """Read the slices in the order of their numbers."""
        volume, _ = read_patient(find_slices(self.folder, masks=False))
        return ReadPatient(replace(volume, patient=self.patient))

    def check_output(self, out: Path) -> None:
        """Refuse to write masks where images lie: the masks beside them are the truth."""
        folder = out / self.patient
        slices = [path for path in entries(folder) if kind_by_name(path.name) == "tif"] if folder.is_dir() else []
        if any(not path.stem.lower().endswith("_mask") for path in slices):
            raise BadOptionError(
                f"--out {out} holds the images of {self.patient}, whose masks would be overwritten",
                remedy="Name another folder for the results",
            )

    def write(self, result: Result, outputs: Outputs, options: OutputOptions) -> None:
        """Write ``<patient>/<slice>_mask.tif`` for every slice; they appear together."""
        outputs.files += self._write_slices(result.prediction.mask, outputs.folder)
        if options.probabilities:
            # Its library takes a fifth of a second to import, which a run without probabilities is spared.
            from glioseg.formats.nifti import write_nifti_probability

            name = self.name_of("probability")
            outputs.attempt(
                "probability",
                lambda: write_nifti_probability(outputs.folder / name, result.prediction.probabilities, None),
                name,
            )

    def read_mask(self, out: Path) -> Mask:
        """Read the mask of every slice."""
        return read_mask(out / self.patient)

    def write_mask(self, mask: Mask, out: Path, reader: Reader, measurement: Measurement) -> list[str]:
        """Write ``<patient>/<slice>_mask.tif`` for every slice."""
        return self._write_slices(mask, out)

    def remove_mask(self, out: Path) -> None:
        """Remove the mask of every slice."""
        for path in (out / self.patient).glob("*_mask.tif"):
            path.unlink()

    def _write_slices(self, mask: Mask, out: Path) -> list[str]:
        names = [f"{name}_mask.tif" for name in mask.slice_names]
        with atomic_folder(out / self.patient, ours="*_mask.tif") as folder:
            for name, inside in zip(names, mask.voxels, strict=True):
                write_mask_slice(folder / name, inside)
        return [f"{self.patient}/{name}" for name in names]
