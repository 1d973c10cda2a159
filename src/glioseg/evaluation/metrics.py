"""The metrics of one patient, in 3-D, from the predicted and the true mask.

The unit of every result is the patient; slice figures stand beside it. A metric that the masks do not define is
None with its reason, never 0 or 1 inside a mean (Reinke et al., "Understanding metric-related pitfalls in image
analysis validation", Nature Methods 2024). :mod:`glioseg.evaluation.definitions` holds each metric's definition.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glioseg.errors import GliosegError
from glioseg.evaluation.definitions import METRICS, NSD_TOLERANCE, Metric, metric_table
from glioseg.evaluation.surface_distances import hd95, normalised_surface_dice

__all__ = ["METRICS", "NSD_TOLERANCE", "Metric", "PatientMetrics", "dice", "metric_table", "patient_metrics"]

BOTH_EMPTY = "prediction and truth are empty"
PREDICTION_EMPTY = "the prediction is empty"
TRUTH_EMPTY = "the truth is empty"
NO_TUMOUR_FREE_SLICE = "every slice holds true tumour"


@dataclass(frozen=True)
class PatientMetrics:
    """The metrics of one patient.

    Attributes:
        values: Every metric of the table by name, None where it is undefined.
        undefined: For each metric that is None, the reason.
    """

    values: dict[str, float | None]
    undefined: dict[str, str]


def dice(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float | None:
    """3-D Dice similarity coefficient of two masks (slice, row, column), or None where both are empty.

    Raises:
        GliosegError: If the masks are no three-dimensional bool arrays of one shape.
    """
    _check_masks(predicted, truth)
    return _Overlap.of(predicted, truth).dice()


def patient_metrics(
    predicted: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    *,
    spacing_mm: tuple[float, float, float] | None = None,
    nsd_tolerance: float = NSD_TOLERANCE,
) -> PatientMetrics:
    """All metrics of one patient.

    Four situations of empty masks are told apart. Both present: everything is defined, except the false-positive
    slice rate of a patient without a tumour-free slice. Prediction empty: overlap scores and NSD are 0, HD95 and
    precision undefined. Truth empty: overlap scores and NSD are 0, HD95, recall and the scores over tumour slices
    undefined. Both empty: only the false-positive slice rate and the counts are defined.

    Args:
        predicted: Shape (slice, row, column).
        truth: Likewise.
        spacing_mm: Distance between voxels along (slice, row, column), or None to measure in pixels. It decides
            whether the result holds ``hd95_px`` or ``hd95_mm``.
        nsd_tolerance: Pixels, or millimetres where a spacing is given.

    Raises:
        GliosegError: If the masks do not match, or the spacing or tolerance is impossible.
    """
    _check_masks(predicted, truth)
    _check_distances(spacing_mm, nsd_tolerance)
    overlap = _Overlap.of(predicted, truth)
    values = dict.fromkeys(metric_table(spacing_mm, nsd_tolerance))
    values |= overlap.values() | _slice_values(predicted, truth)
    values |= _surface_values(predicted, truth, overlap, spacing_mm, nsd_tolerance)
    missing = (name for name, value in values.items() if value is None)
    return PatientMetrics(values, {name: _reason(name, overlap) for name in missing})


@dataclass(frozen=True)
class _Overlap:
    """Voxel counts of a patient and the scores that follow from them alone."""

    predicted: int
    true: int
    both: int

    @classmethod
    def of(cls, predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> "_Overlap":
        return cls(*(int(np.count_nonzero(mask)) for mask in (predicted, truth, predicted & truth)))

    def dice(self) -> float | None:
        return _ratio(2 * self.both, self.predicted + self.true)

    def values(self) -> dict[str, float | None]:
        # Taha and Hanbury, "Metrics for evaluating 3D medical image segmentation", BMC Med Imaging 2015, section 2.3:
        # 1 - |P - T| / (P + T), written as one fraction so that an empty mask gives exactly 0.
        similarity = _ratio(2 * min(self.predicted, self.true), self.predicted + self.true)
        return {
            "dice": self.dice(),
            "precision": _ratio(self.both, self.predicted),
            "recall": _ratio(self.both, self.true),
            "volumetric_similarity": similarity,
            "true_voxels": float(self.true),
            "predicted_voxels": float(self.predicted),
            "intersection_voxels": float(self.both),
        }


def _slice_values(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> dict[str, float | None]:
    has_tumour = truth.any(axis=(1, 2))
    is_marked = predicted.any(axis=(1, 2))
    slice_dices = list(_slice_dices(predicted[has_tumour], truth[has_tumour]))
    return {
        "positive_slice_dice": float(np.mean(slice_dices)) if slice_dices else None,
        "slice_detection_sensitivity": _ratio((has_tumour & is_marked).sum(), has_tumour.sum()),
        "false_positive_slice_rate": _ratio((~has_tumour & is_marked).sum(), (~has_tumour).sum()),
    }


def _slice_dices(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> Iterator[float]:
    for predicted_slice, true_slice in zip(predicted, truth, strict=True):
        score = _Overlap.of(predicted_slice, true_slice).dice()
        if score is not None:
            yield score


def _surface_values(
    predicted: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    overlap: _Overlap,
    spacing_mm: tuple[float, float, float] | None,
    nsd_tolerance: float,
) -> dict[str, float | None]:
    name = "hd95_px" if spacing_mm is None else "hd95_mm"
    if not (overlap.predicted and overlap.true):
        return {name: None, "nsd": 0.0 if overlap.predicted or overlap.true else None}
    return {
        name: hd95(predicted, truth, spacing_mm),
        "nsd": normalised_surface_dice(predicted, truth, nsd_tolerance, spacing_mm),
    }


def _reason(name: str, overlap: _Overlap) -> str:
    if name == "false_positive_slice_rate":
        return NO_TUMOUR_FREE_SLICE
    if not (overlap.predicted or overlap.true):
        return BOTH_EMPTY
    return TRUTH_EMPTY if overlap.predicted else PREDICTION_EMPTY


def _ratio(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None


def _check_masks(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> None:
    for word, mask in (("predicted", predicted), ("true", truth)):
        if mask.ndim != 3 or mask.dtype != np.bool_:
            raise GliosegError(
                f"the {word} mask has the wrong form",
                expected="bool (slice, row, column)",
                found=f"{mask.dtype} {mask.shape}",
            )
    if predicted.shape != truth.shape:
        raise GliosegError(
            "the predicted and the true mask have different shapes",
            expected=f"{truth.shape} as in the truth",
            found=str(predicted.shape),
        )


def _check_distances(spacing_mm: tuple[float, float, float] | None, nsd_tolerance: float) -> None:
    if spacing_mm is not None and not (len(spacing_mm) == 3 and all(0 < step < math.inf for step in spacing_mm)):
        raise GliosegError(
            "the spacing is impossible",
            expected="three positive numbers of millimetres (slice, row, column)",
            found=str(spacing_mm),
        )
    if not 0 <= nsd_tolerance < math.inf:
        raise GliosegError(
            "the tolerance of the surface Dice is impossible", expected="a number from 0 up", found=f"{nsd_tolerance}"
        )
