"""The metrics of one patient, in 3-D, from the predicted and the true mask.

The unit of every result is the patient; slice figures stand beside it. A metric that the masks do not define is
None with its reason, never 0 or 1 inside a mean (Reinke et al., "Understanding metric-related pitfalls in image
analysis validation", Nature Methods 2024). :mod:`glioseg.evaluation.definitions` holds each metric's definition.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glioseg.errors import GliosegError
from glioseg.evaluation.definitions import METRICS, NSD_TOLERANCE, Metric, measures, metric_table
from glioseg.evaluation.mask_overlap import MaskOverlap

__all__ = ["METRICS", "NSD_TOLERANCE", "Metric", "PatientMetrics", "dice", "metric_table", "patient_metrics"]

BOTH_EMPTY = "prediction and truth are empty"
PREDICTION_EMPTY = "the prediction is empty"
TRUTH_EMPTY = "the truth is empty"
NO_TUMOUR_FREE_SLICE = "every slice holds true tumour"
NOT_DEFINED = "these masks do not define it"


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

    Example:
        >>> truth = np.zeros((1, 2, 2), bool)
        >>> truth[0, 0] = True
        >>> dice(np.ones((1, 2, 2), bool), truth)
        0.6666666666666666
    """
    _check_masks(predicted, truth)
    return MaskOverlap(predicted, truth).dice()


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

    Example:
        >>> truth, predicted = np.zeros((2, 5, 10, 10), bool)
        >>> truth[1:4, 2:6, 2:6] = True
        >>> predicted[1:4, 2:6, 2:8] = True
        >>> found = patient_metrics(predicted, truth, spacing_mm=(5.0, 1.0, 1.0))
        >>> found.values["dice"], found.values["hd95_mm"]
        (0.8, 2.0)
        >>> patient_metrics(truth & False, truth).undefined["hd95_px"]
        'the prediction is empty'
    """
    _check_masks(predicted, truth)
    _check_distances(spacing_mm, nsd_tolerance)
    overlap = MaskOverlap(predicted, truth, spacing_mm, nsd_tolerance)
    of = measures("px" if spacing_mm is None else "mm")
    values = {name: measure(overlap) for name, measure in of.items()}
    missing = (name for name, value in values.items() if value is None)
    return PatientMetrics(values, {name: _reason(name, overlap) for name in missing})


def _reason(name: str, overlap: MaskOverlap) -> str:
    if name == "false_positive_slice_rate":
        return NO_TUMOUR_FREE_SLICE
    if overlap.predicted and overlap.true:
        return NOT_DEFINED
    if not (overlap.predicted or overlap.true):
        return BOTH_EMPTY
    return TRUTH_EMPTY if overlap.predicted else PREDICTION_EMPTY


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
