"""The patients a study shows: the same slices with the truth and every network's mask side by side."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glioseg.display import intensity_window, to_grey
from glioseg.errors import GliosegError
from glioseg.report.overlay import head_box, informative_slices
from glioseg.study.analysis import StudyAnalysis
from glioseg.study.plan import ModelConfiguration
from glioseg.volume import Mask, Volume

SLICES_SHOWN = 3


@dataclass(frozen=True)
class StudyCase:
    """One patient to look at.

    Attributes:
        label: Why the patient is shown.
        patient: The patient's identifier.
        volume: The scan.
        truth: The tumour as the annotators drew it.
        predicted: The tumour as each network drew it.
        dice: The 3-D Dice of each network's mask as shown, None where undefined.

    Raises:
        GliosegError: If scan and masks are not of one grid.
    """

    label: str
    patient: str
    volume: Volume
    truth: Mask
    predicted: Mapping[ModelConfiguration, Mask]
    dice: Mapping[ModelConfiguration, float | None]

    def __post_init__(self) -> None:
        grid = self.volume.voxels.shape[:3]
        for mask in (self.truth, *self.predicted.values()):
            if mask.voxels.shape != grid:
                raise GliosegError(
                    f"patient {self.patient}: a mask does not fit the scan",
                    expected=str(grid),
                    found=str(mask.voxels.shape),
                )


@dataclass(frozen=True)
class StudyTile:
    """One slice of a case, cropped to the head; every array is (row, column).

    Attributes:
        slice_index: Its place in the scan, from 0.
        reason: Why this slice is shown; empty for one that fills the tumour's extent.
        grey: The windowed FLAIR, uint8.
        truth: The true mask in this slice, bool.
        predicted: Each network's mask in this slice, bool.
    """

    slice_index: int
    reason: str
    grey: NDArray[np.uint8]
    truth: NDArray[np.bool_]
    predicted: Mapping[ModelConfiguration, NDArray[np.bool_]]


def choose_patients(analysis: StudyAnalysis) -> dict[str, str]:
    """Whom to show and why: best, median and worst by mean Dice over the networks, then the widest range of Dice.

    Returns:
        The reason by patient, in the order of showing; fewer where there are fewer patients.
    """
    scores = {facts.patient: _scores(analysis, facts.patient) for facts in analysis.patients}
    defined = {name: values for name, values in scores.items() if values}
    ranked = sorted(defined, key=lambda name: (np.mean(defined[name]), name))
    if not ranked:
        return {}
    chosen: dict[str, str] = {}
    for label, name in (("best", ranked[-1]), ("median", ranked[len(ranked) // 2]), ("worst", ranked[0])):
        chosen.setdefault(name, label)
    ranges = {name: max(values) - min(values) for name, values in defined.items()}
    widest = max(ranked, key=lambda name: ranges[name])
    if ranges[widest] > 0:
        chosen[widest] = f"{chosen[widest]}, widest disagreement" if widest in chosen else "widest disagreement"
    return chosen


def study_tiles(case: StudyCase, slices: int = SLICES_SHOWN) -> list[StudyTile]:
    """The slices worth showing, all cropped to the same box around the head.

    The slice with the largest tumour, the one in which the networks differ most, then others along the tumour.
    """
    truth, masks = case.truth.voxels, [mask.voxels for mask in case.predicted.values()]
    union = np.logical_or.reduce(masks)
    # The difference from the truth to this mask is exactly where the networks differ from each other.
    contested = truth ^ (union & ~np.logical_and.reduce(masks))
    flair = case.volume.channel("flair")
    window = intensity_window(flair)
    box = head_box(to_grey(flair, window).max(axis=0) > 16, (truth | union).max(axis=0))
    return [
        StudyTile(
            slice_index=index,
            reason=reason,
            grey=to_grey(flair[index], window)[box],
            truth=truth[index][box],
            predicted={configuration: mask.voxels[index][box] for configuration, mask in case.predicted.items()},
        )
        for index, reason in informative_slices(truth, contested, slices).items()
    ]


def _scores(analysis: StudyAnalysis, patient: str) -> list[float]:
    values = (analysis.values[configuration].get(patient) for configuration in analysis.configurations)
    return [value for value in values if value is not None]
