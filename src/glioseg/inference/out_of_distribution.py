"""Whether a scan is of the kind that a model was trained on: a few plain numbers, each with the range of training.

A network answers with the same ease whatever it is shown. These numbers tell a user when not to expect much: the wrong
sequence, an inverted or saturated image, another part of the body.
"""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from glioseg.head import FOREGROUND_THRESHOLD
from glioseg.inference.preprocessing import Preprocessing, clip_and_normalise, intensity_statistics
from glioseg.volume import Volume

Range = tuple[float, float]

MARGIN = 0.25
"""Ranges are widened by this share of their width on both sides: a hundred patients do not show every scan."""
MEASURED_SLICES = 12
"""Slices that are looked at, evenly spaced among those that show a head."""

WORDS = {
    "head_share": "how much of its image the head fills",
    "flair_dark": "how dark the FLAIR's dark parts are",
    "flair_middle": "the FLAIR's middle intensity",
    "flair_bright": "how bright the FLAIR's bright parts are",
    "flair_roughness": "how noisy or blurred the FLAIR is",
    "pre_likeness": "how alike FLAIR and T1 before contrast are",
    "post_likeness": "how alike FLAIR and T1 after contrast are",
}


def image_features(volume: Volume, settings: Preprocessing) -> dict[str, float]:
    """The numbers by which scans are compared.

    Args:
        volume: As the network sees it: axial, of the training images' size, intensities between 0 and 255.
        settings: How intensities are normalised.

    Returns:
        By name of :data:`WORDS`; without the likeness of a sequence that is a copy of the FLAIR. Empty for a scan that
        shows no head.
    """
    head = volume.channel("flair") > FOREGROUND_THRESHOLD
    shown = np.flatnonzero(head.any(axis=(1, 2)))
    if not shown.size:
        return {}
    slices = shown[np.unique(np.linspace(0, shown.size - 1, MEASURED_SLICES).round().astype(int))]
    statistics = intensity_statistics(volume, settings)

    def normalised(sequence: str) -> NDArray[np.float32]:
        # One at a time, since those of a large scan count in memory.
        images = volume.channel(sequence)[slices, None].astype(np.float32)
        return clip_and_normalise(images, statistics[volume.channels.index(sequence)][None])[:, 0]

    flair, inside = normalised("flair"), head[slices]
    dark, middle, bright = np.percentile(flair[inside], (10, 50, 90))
    found = {
        "head_share": float(head.mean(axis=(1, 2)).max()),
        "flair_dark": float(dark),
        "flair_middle": float(middle),
        "flair_bright": float(bright),
        "flair_roughness": _roughness(flair, inside),
    }
    for sequence in ("pre", "post"):
        if sequence in volume.taken:
            found[f"{sequence}_likeness"] = _likeness(flair[inside], normalised(sequence)[inside])
    return found


def training_ranges(measured: Iterable[Mapping[str, float]]) -> dict[str, Range]:
    """The range of each feature over training scans, widened by :data:`MARGIN`."""
    by_name: dict[str, list[float]] = {}
    for one in measured:
        for name, value in one.items():
            by_name.setdefault(name, []).append(value)
    ranges = {}
    for name, values in by_name.items():
        low, high = min(values), max(values)
        ranges[name] = (round(low - MARGIN * (high - low), 4), round(high + MARGIN * (high - low), 4))
    return ranges


def check_distribution(measured: Mapping[str, float], ranges: Mapping[str, Range]) -> tuple[str, ...]:
    """What of a scan lies outside the ranges of training, a sentence each."""
    sentences = []
    for name, (low, high) in ranges.items():
        value = measured.get(name)
        if value is not None and not low <= value <= high:
            words = WORDS.get(name, name)
            sentences.append(
                f"Unlike the scans of training in {words} ({value:.2f}, there {low:.2f} to {high:.2f}): trust it less."
            )
    return tuple(sentences)


def _roughness(images: NDArray[np.float32], inside: NDArray[np.bool_]) -> float:
    """Mean absolute difference of neighbouring pixels, where all of them lie inside."""
    across = np.abs(np.diff(images, axis=2))[inside[:, :, 1:] & inside[:, :, :-1]]
    return float(across.mean()) if across.size else 0.0


def _likeness(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Pearson's correlation; 0 where a sequence is the same everywhere."""
    if one.std() == 0 or other.std() == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])
