"""The set at a glance, in numbers: what later scans are compared with to tell whether they are of its kind."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glioseg.check.summary import PatientSummary

FORMAT = 1
PERCENTILES = (1, 5, 25, 50, 75, 95, 99)


def set_statistics(summaries: Sequence[PatientSummary]) -> dict[str, Any]:
    """Sizes, intensities, tumours, sites and missing sequences as plain values.

    Intensities are those of the head in images of 128 x 128 area means, from 0 to 255. For each sequence, ``pooled``
    are the percentiles of all patients' voxels together, ``patients`` the percentiles over patients of each patient's
    own mean, median and 95th percentile. Copies of another sequence are left out. Volumes are in voxels: the dataset's
    files carry no spacing.
    """
    sequences = dict.fromkeys(sequence for summary in summaries for sequence in summary.channels)
    return {
        "format": FORMAT,
        "patients": len(summaries),
        "slices": sum(summary.slices for summary in summaries),
        "tumour_slices": sum(summary.tumour_slices for summary in summaries),
        "slices_by_patient": _percentiles([summary.slices for summary in summaries]),
        "sizes": _counted(" x ".join(map(str, summary.size)) for summary in summaries),
        "sites": _counted(summary.site for summary in summaries),
        "missing_sequences": _counted(missing_in_words(summary) for summary in summaries),
        "tumour_voxels": _percentiles([summary.tumour_voxels for summary in summaries if summary.tumour_voxels]),
        "patients_without_tumour": sum(not summary.tumour_voxels for summary in summaries),
        "intensities": {sequence: _intensities(summaries, sequence) for sequence in sequences},
    }


def missing_in_words(summary: PatientSummary) -> str:
    """Which sequences are copies or were not given, as ``pre post``, or ``none``."""
    return " ".join(sequence for sequence in summary.channels if sequence in summary.copied) or "none"


def _intensities(summaries: Sequence[PatientSummary], sequence: str) -> dict[str, Any]:
    own = [
        summary.histograms[summary.channels.index(sequence)]
        for summary in summaries
        if sequence in summary.channels and sequence not in summary.copied
    ]
    if not own:
        return {"patients_with_it": 0}
    pooled = np.sum(own, axis=0)
    each = np.array([[_mean(one), *histogram_percentiles(one, (50, 95))] for one in own])
    names = ("mean", "median", "p95")
    return {
        "patients_with_it": len(own),
        "pooled": {
            str(p): value for p, value in zip(PERCENTILES, histogram_percentiles(pooled, PERCENTILES), strict=True)
        },
        "patients": {name: _percentiles(each[:, column]) for column, name in enumerate(names)},
    }


def histogram_percentiles(histogram: NDArray[np.int64], percentiles: Sequence[float]) -> list[float]:
    """Percentiles of what a histogram (256,) counts."""
    shares = np.cumsum(histogram) / max(int(histogram.sum()), 1)
    return [float(np.searchsorted(shares, percentile / 100)) for percentile in percentiles]


def _mean(histogram: NDArray[np.int64]) -> float:
    return float(histogram @ np.arange(len(histogram)) / max(int(histogram.sum()), 1))


def _percentiles(values: Sequence[float] | NDArray[Any]) -> dict[str, float]:
    """Minimum, quartiles and maximum with a few percentiles; empty without values."""
    if len(values) == 0:
        return {}
    points = (0, *PERCENTILES, 100)
    return {
        str(point): round(float(value), 3) for point, value in zip(points, np.percentile(values, points), strict=True)
    }


def _counted(words: Any) -> dict[str, int]:
    return dict(sorted(Counter(words).items(), key=lambda entry: (-entry[1], entry[0])))
