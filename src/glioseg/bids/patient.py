"""A FLAIR of a BIDS data set: its results are BIDS derivatives, each with the JSON that tells what it is."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from glioseg import __version__
from glioseg.atomic import write_text_atomically
from glioseg.bids.layout import BidsDataset
from glioseg.formats.readers import without_suffix
from glioseg.measurement.measure import Measurement
from glioseg.outputs import Outputs
from glioseg.patients.examination import Examination
from glioseg.patients.file_patient import FilePatient
from glioseg.patients.source import Beside, OutputOptions, Reader, Result
from glioseg.volume import Mask

MASK, PROBABILITY, CANDIDATE = "label-tumor_mask", "label-tumor_probseg", "label-tumor_desc-candidate_mask"
FIGURES = "figures"
_MEANINGS = {
    MASK: "The tumour as glioseg contours it on the FLAIR: 1 inside, 0 outside. It is empty where there is none.",
    PROBABILITY: "The probability of tumour at each voxel of the FLAIR, 0 to 1, of which the mask is cut.",
    CANDIDATE: "What the mask would have been: glioseg takes it for no tumour. 1 inside, 0 outside.",
}
_READ = "The tumour on the FLAIR as a reader {}: 1 inside, 0 outside. It is empty where there is none."


@dataclass(frozen=True)
class BidsPatient(FilePatient):
    """A FLAIR and the T1 that go with it.

    Attributes:
        dataset: The data set that they lie in.
    """

    dataset: BidsDataset = field(kw_only=True)

    @property
    def examination(self) -> Examination:
        """Told apart by its name, which stays when the data set is moved or mounted elsewhere."""
        place = self.case.files["flair"].relative_to(self.dataset.root).as_posix()
        return Examination(self.patient, f"bids {self.patient}", place)

    @property
    def mask_name(self) -> str:
        """The mask's path within the derivatives, named by BIDS's rule for derived images."""
        return self._derived(MASK)

    def name_of(self, output: Beside) -> str:
        """Likewise; sheets lie in the subject's folder ``figures``."""
        if output == "sheet":
            return f"{self._folder.parts[0]}/{FIGURES}/{self.patient}_sheet.png"
        return self._derived(PROBABILITY if output == "probability" else CANDIDATE)

    def write(self, result: Result, outputs: Outputs, options: OutputOptions) -> None:
        """Write mask and probability, and for each of them the JSON."""
        super().write(result, outputs, options)
        self._describe(MASK, outputs, {"Type": "Lesion", **self._facts(result), **_decision(result)})
        if self.name_of("probability") in outputs.files:
            self._describe(PROBABILITY, outputs, self._facts(result))
        if result.has_candidate:
            self._describe(CANDIDATE, outputs, {"Type": "Lesion", **self._facts(result), **_decision(result)})
        else:
            for path in (self.name_of("candidate"), _sidecar(self.name_of("candidate"))):
                (outputs.folder / path).unlink(missing_ok=True)

    def write_mask(self, mask: Mask, out: Path, reader: Reader, measurement: Measurement) -> list[str]:
        """Write the mask under the name of the algorithm's, and the JSON that tells whose it is."""
        facts = {
            "Description": _READ.format("corrected it" if reader.corrected else "accepted it"),
            "Type": "Lesion",
            "Manual": reader.corrected,
            "Reader": reader.name,
            **self._scans(self.case.files),
            "GliosegVersion": __version__,
        }
        write_text_atomically(out / _sidecar(self.mask_name), _as_text(facts))
        return [*super().write_mask(mask, out, reader, measurement), _sidecar(self.mask_name)]

    def remove_mask(self, out: Path) -> None:
        """Remove mask and JSON."""
        super().remove_mask(out)
        (out / _sidecar(self.mask_name)).unlink(missing_ok=True)

    @property
    def _folder(self) -> Path:
        return self.case.files["flair"].relative_to(self.dataset.root).parent

    def _derived(self, what: str) -> str:
        return (self._folder / f"{self.patient}_{what}.nii.gz").as_posix()

    def _describe(self, what: str, outputs: Outputs, facts: Mapping[str, Any]) -> None:
        name = _sidecar(self._derived(what))
        text = _as_text({"Description": _MEANINGS[what], **facts})
        outputs.attempt("description", partial(write_text_atomically, outputs.folder / name, text), name)

    def _facts(self, result: Result) -> dict[str, Any]:
        return {
            **self._scans(sequence for sequence in self.case.files if sequence not in result.volume.missing),
            "Manual": False,
            "Model": result.model,
            "ModelSHA256": result.model_version,
            "GliosegVersion": __version__,
        }

    def _scans(self, sequences: Iterable[str]) -> dict[str, Any]:
        """What a mask was made from, and on whose grid."""
        return {
            "Sources": [self.dataset.address(self.case.files[sequence]) for sequence in sequences],
            "SpatialReference": self.dataset.address(self.case.files["flair"]),
        }


def _decision(result: Result) -> dict[str, Any]:
    """How the mask was cut from the probabilities."""
    return {
        "Threshold": float(result.settings["threshold"]),
        "Temperature": float(result.settings["temperature"]),
        "Components": result.settings["components"],
        "MinimumShare": float(result.settings["minimum_share"]),
        "Presence": result.presence or "n/a",
    }


def _sidecar(image: str) -> str:
    return f"{without_suffix(image)}.json"


def _as_text(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
