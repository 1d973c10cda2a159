"""Which series of an examination are segmented."""

from collections.abc import Mapping, Sequence

import numpy as np

from glioseg.errors import GliosegError
from glioseg.formats.dicom_series import DicomSeries
from glioseg.volume import CHANNELS


def choose_series(found: Sequence[DicomSeries], named: Mapping[str, str] | None = None) -> dict[str, DicomSeries]:
    """Choose a series for each sequence; the FLAIR must be unmistakable, the others are optional.

    Among several of another sequence the one is taken that lies most nearly along the FLAIR's slices, and of those the
    one with most slices, from the FLAIR's own examination.

    Args:
        found: As :func:`glioseg.formats.dicom_series.find_series` lists them.
        named: Series by sequence, as the user names them: a SeriesInstanceUID, a series number or a description.

    Returns:
        Series by sequence, ``flair`` always among them.

    Raises:
        GliosegError: If there is no FLAIR that can be read, or more than one and none is named; the message lists
            what is there.
    """
    named = dict(named or {})
    chosen = {sequence: _named(found, sequence, text) for sequence, text in named.items()}
    if "flair" not in chosen:
        chosen["flair"] = _only_flair([one for one in found if one not in chosen.values()], found)
    flair = chosen["flair"]
    for sequence in CHANNELS:
        if sequence not in chosen:
            others = [one for one in found if _is_usable(one, sequence) and one.study_uid == flair.study_uid]
            if others := [one for one in others if one not in chosen.values()]:
                chosen[sequence] = max(others, key=lambda one: (round(_parallel(one, flair), 2), len(one.slices)))
    return chosen


def _only_flair(candidates: Sequence[DicomSeries], found: Sequence[DicomSeries]) -> DicomSeries:
    flairs = [one for one in candidates if _is_usable(one, "flair")]
    if len(flairs) == 1:
        return flairs[0]
    refused = [one for one in candidates if one.sequence == "flair" and one.refusal is not None]
    if not flairs and len(refused) == 1 and refused[0].refusal is not None:
        raise refused[0].refusal
    raise GliosegError(
        f"{found[0].source} holds {'no FLAIR' if not flairs else 'several FLAIR series'}",
        expected="one",
        found=_listing(flairs or found),
        remedy="Name the series to segment by its number or UID",
    )


def _named(found: Sequence[DicomSeries], sequence: str, text: str) -> DicomSeries:
    matches = [one for one in found if text in (one.series_uid, str(one.number), one.description)]
    if len(matches) != 1:
        raise GliosegError(
            f"{text!r}, given for {sequence}, names {'no series' if not matches else f'{len(matches)} series'}",
            expected="the SeriesInstanceUID, number or description of one series",
            found=_listing(matches or found),
        )
    if matches[0].refusal is not None:
        raise matches[0].refusal
    return matches[0]


def _is_usable(one: DicomSeries, sequence: str) -> bool:
    return one.sequence == sequence and one.refusal is None


def _parallel(one: DicomSeries, other: DicomSeries) -> float:
    """The cosine between the slice directions of two readable series."""
    directions = [
        affine[:3, 0] / np.linalg.norm(affine[:3, 0]) for affine in (one.affine, other.affine) if affine is not None
    ]
    return float(abs(directions[0] @ directions[1]))


def _listing(series: Sequence[DicomSeries]) -> str:
    return "; ".join(one.summary.rstrip(".") for one in series)
