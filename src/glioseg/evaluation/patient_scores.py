"""The scores of one patient, with what is needed to group patients."""

from dataclasses import dataclass

from glioseg.errors import GliosegError
from glioseg.evaluation.metrics import NSD_TOLERANCE, patient_metrics
from glioseg.volume import Mask


@dataclass(frozen=True)
class PatientScores:
    """The scores of one patient.

    Attributes:
        patient: The patient's identifier.
        site: The clinic, as in a TCGA identifier ("CS"), or None where unknown.
        missing_sequences: Sequences that were not taken.
        values: Metrics by name, None where undefined.
        undefined: For each metric that is None, the reason.

    Raises:
        GliosegError: If an undefined metric has no reason, or a defined one has.
    """

    patient: str
    site: str | None
    missing_sequences: tuple[str, ...]
    values: dict[str, float | None]
    undefined: dict[str, str]

    def __post_init__(self) -> None:
        without_value = {name for name, value in self.values.items() if value is None}
        if without_value != self.undefined.keys():
            raise GliosegError(
                f"patient {self.patient}: undefined metrics and their reasons do not match",
                expected=f"reasons for {', '.join(sorted(without_value)) or 'none'}",
                found=f"reasons for {', '.join(sorted(self.undefined)) or 'none'}",
            )


def score_patient(
    predicted: Mask,
    truth: Mask,
    *,
    site: str | None = None,
    missing_sequences: tuple[str, ...] = (),
    spacing_mm: tuple[float, float, float] | None = None,
    nsd_tolerance: float = NSD_TOLERANCE,
) -> PatientScores:
    """Score one patient's mask.

    Args:
        predicted: The mask to judge.
        truth: The mask to judge it by; its patient names the scores.
        site: As in :class:`PatientScores`.
        missing_sequences: Likewise.
        spacing_mm: Distance between voxels along (slice, row, column), or None to measure in pixels.
        nsd_tolerance: Pixels, or millimetres where a spacing is given.

    Raises:
        GliosegError: If the masks have different shapes or belong to different patients.
    """
    if predicted.patient != truth.patient:
        raise GliosegError(f"the prediction of patient {predicted.patient} meets the truth of patient {truth.patient}")
    if predicted.voxels.shape != truth.voxels.shape:
        raise GliosegError(
            f"patient {truth.patient}: the predicted and the true mask have different shapes",
            expected=f"{truth.voxels.shape} as in the truth",
            found=str(predicted.voxels.shape),
        )
    metrics = patient_metrics(predicted.voxels, truth.voxels, spacing_mm=spacing_mm, nsd_tolerance=nsd_tolerance)
    return PatientScores(truth.patient, site, missing_sequences, metrics.values, metrics.undefined)
