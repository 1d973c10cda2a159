"""Whether probabilities mean what they say: reliability, expected calibration error, and the temperature that mends it.

Guo, Pleiss, Sun, Weinberger 2017, "On Calibration of Modern Neural Networks", sections 2 and 4.2.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

BINS = 15
"""Bins of equal width between 0 and 1, as in the paper."""
_LOGITS = np.linspace(-14, 14, 2801)
_TEMPERATURES = (0.2, 5.0)


@dataclass(frozen=True)
class Reliability:
    """How often tumour is found where tumour is expected.

    Attributes:
        expected: Mean probability in each bin, shape (bin,); NaN where no voxel lies.
        found: Share of tumour among the bin's voxels, likewise.
        voxels: How many lie in each bin.
    """

    expected: NDArray[np.float64]
    found: NDArray[np.float64]
    voxels: NDArray[np.int64]

    @property
    def calibration_error(self) -> float | None:
        """Mean distance of the two over all voxels (ECE); None without any."""
        filled = self.voxels > 0
        if not filled.any():
            return None
        return float(np.average(np.abs(self.expected - self.found)[filled], weights=self.voxels[filled]))


@dataclass(frozen=True)
class LogitCounts:
    """How many voxels of each logit are tumour, in fine steps: all that calibration needs of any number of scans.

    Attributes:
        voxels: Shape (2, step): healthy, tumour.
    """

    voxels: NDArray[np.int64]

    @classmethod
    def none(cls) -> Self:
        """No voxel counted, to which the counts of scans are added."""
        return cls(np.zeros((2, _LOGITS.size), np.int64))

    @classmethod
    def of(cls, probabilities: NDArray[np.float32], truth: NDArray[np.bool_], inside: NDArray[np.bool_]) -> Self:
        """Count the voxels of one scan, all shapes (slice, row, column).

        Args:
            probabilities: 0 to 1.
            truth: The true mask.
            inside: Which voxels count: those of the brain, so that the air around does not flatter.
        """
        low, high = expit(_LOGITS[[0, -1]])
        logits = logit(np.clip(probabilities[inside].astype(np.float64), low, high))
        step = np.rint((logits - _LOGITS[0]) / (_LOGITS[1] - _LOGITS[0])).astype(np.int64)
        tumour = truth[inside]
        return cls(np.stack([np.bincount(step[tumour == kind], minlength=_LOGITS.size) for kind in (False, True)]))

    def __add__(self, other: "LogitCounts") -> "LogitCounts":
        return LogitCounts(self.voxels + other.voxels)

    def temperature(self) -> float:
        """The temperature under which the true masks are likeliest; 1 where either kind of voxel is missing."""
        healthy, tumour = self.voxels
        if not (healthy.any() and tumour.any()):
            return 1.0

        def surprise(log_temperature: float) -> float:
            scaled = _LOGITS / np.exp(log_temperature)
            return float(healthy @ np.logaddexp(0, scaled) + tumour @ np.logaddexp(0, -scaled))

        found = minimize_scalar(surprise, bounds=np.log(_TEMPERATURES), method="bounded", options={"xatol": 1e-4})
        return round(float(np.exp(found.x)), 4)

    def reliability(self, temperature: float = 1.0) -> Reliability:
        """Expectation against truth in bins, once logits are divided by a temperature."""
        probabilities = expit(_LOGITS / temperature)
        bins = np.minimum((probabilities * BINS).astype(int), BINS - 1)
        both = self.voxels.sum(axis=0)
        voxels, expected, found = (
            np.bincount(bins, weights, BINS) for weights in (both, both * probabilities, self.voxels[1])
        )
        with np.errstate(invalid="ignore"):
            return Reliability(expected / voxels, found / voxels, voxels.astype(np.int64))
