"""How far a model's volumes lie from the truth, measured on patients it was not fitted to."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from glioseg.errors import GliosegError
from glioseg.evaluation.scores import Scores

LEVEL = 0.95
"""Coverage of every interval of a change."""


@dataclass(frozen=True)
class VolumeError:
    """The spread of log(measured volume / true volume) over patients.

    Attributes:
        patients: How many patients it was measured on.
        left_out: Patients without a ratio, as the prediction or the truth is empty. The error does not speak for
            them: a model that misses tumours altogether is worse than it says.
        mean_log_ratio: How much the model over- or underestimates on average; it cancels in a comparison of two scans.
        sd_log_ratio: The standard deviation.
    """

    patients: int
    left_out: int
    mean_log_ratio: float
    sd_log_ratio: float

    def ratio_interval(self, ratio: float) -> tuple[float, float]:
        """The interval of the true ratio of two volumes of one patient when each was measured with this error.

        Both errors are taken to be independent, so that their difference has twice the variance; Student's t
        allows for the number of patients. This is the repeatability coefficient of quantitative imaging (Raunig
        et al., Stat Methods Med Res 2015, section 4) on the logarithm, with the spread between patients in the place
        of the spread between repeated scans: part of the former is the same in both scans of a patient and cancels,
        so the interval is rather too wide than too narrow.
        """
        reach = float(stats.t.ppf((1 + LEVEL) / 2, self.patients - 1)) * math.sqrt(2) * self.sd_log_ratio
        return ratio * math.exp(-reach), ratio * math.exp(reach)


def volume_error(scores: Scores) -> VolumeError:
    """The error of a model's volumes from the scores that ``glioseg evaluate`` writes.

    The patients must be ones the model was neither fitted to nor chosen by; of a scores file that cannot be seen.

    Raises:
        GliosegError: If fewer than two patients have both a predicted and a true tumour.
    """
    return volume_error_of((entry.values["predicted_voxels"], entry.values["true_voxels"]) for entry in scores.patients)


def volume_error_of(volumes: Iterable[tuple[float | None, float | None]]) -> VolumeError:
    """As :func:`volume_error`, from (measured, true) volumes of each patient in any unit that both share."""
    pairs = list(volumes)
    ratios = [math.log(measured / true) for measured, true in pairs if measured and true]
    if len(ratios) < 2:
        raise GliosegError(
            "the error of the volumes cannot be told from these scores",
            expected="two patients or more with both a predicted and a true tumour",
            found=str(len(ratios)),
            remedy="Evaluate the model on more held-out patients",
        )
    return VolumeError(len(ratios), len(pairs) - len(ratios), float(np.mean(ratios)), float(np.std(ratios, ddof=1)))
