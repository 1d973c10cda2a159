"""What shows only when patients are compared: copies, leaks, and patients unlike all others."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from glioseg.check.catalogue import Severity
from glioseg.check.duplicates import find_pairs
from glioseg.check.finding import Evidence, Finding
from glioseg.check.orientation import find_orientations
from glioseg.check.summary import PatientSummary
from glioseg.dataset.lgg import case_of

MOST_SLICES = 0.6
"""Two patients are one if this share of the slices of the shorter one are the same images."""

FEWEST_PATIENTS = 8
OUTLIER_Z = 5.0
SPREAD_FLOOR = 4.0
"""Grey levels below which the spread between patients is not taken seriously."""

LEAST_CORRELATION = 0.8

Correlate = Callable[[str, int, str, int, str], float]
"""The correlation of a slice of one patient with a mirror image of a slice of another: patient, slice, patient, slice,
mirror."""


@dataclass(frozen=True, order=True)
class Match:
    """Two slices that are the same image: their numbers, the differing bits of their hashes, the mirror between."""

    number: int
    other: int
    different_bits: int
    mirror: str


def check_set(summaries: Sequence[PatientSummary], parts: Mapping[str, str], correlate: Correlate) -> Iterator[Finding]:
    """Every finding between patients.

    Args:
        summaries: The patients.
        parts: Which part of a split each patient stands in; empty without a split.
        correlate: Looks at the images of two slices whose hashes are alike.
    """
    yield from first_slices(summaries)
    yield from sizes(summaries)
    yield from copies(summaries, parts, correlate)
    yield from shared_masks(summaries)
    yield from intensity_outliers(summaries)
    yield from orientations(summaries)


def first_slices(summaries: Sequence[PatientSummary]) -> Iterator[Finding]:
    """Patients whose numbering begins later than everyone else's: the first slices are missing."""
    begins = Counter(summary.numbers[0] for summary in summaries)
    usual, count = begins.most_common(1)[0] if begins else (0, 0)
    if count < max(3, 0.8 * len(summaries)):
        return
    for summary in summaries:
        for number in range(usual, summary.numbers[0]):
            message = f"the slices begin with {summary.numbers[0]}, those of {count} other patients with {usual}"
            yield Finding("slice_missing", message, summary.patient, number)


def sizes(summaries: Sequence[PatientSummary]) -> Iterator[Finding]:
    """Patients whose slices have another size than most; the dataset's layout, of no place in space, is trained on."""
    counts = Counter(summary.size for summary in summaries)
    usual = counts.most_common(1)[0][0] if counts else (0, 0)
    for summary in summaries:
        if summary.size != usual:
            found, most = (" x ".join(map(str, size)) for size in (summary.size, usual))
            code = "patient_size_untrainable" if summary.axes is None else "patient_size"
            yield Finding(code, f"the slices are {found}, those of most patients {most}", summary.patient)


def copies(summaries: Sequence[PatientSummary], parts: Mapping[str, str], correlate: Correlate) -> Iterator[Finding]:
    """Slices and whole patients that stand in the set twice, above all in two parts of a split."""
    equal = _equal_slices(summaries)
    alike = _alike_slices(summaries)
    for first, second in sorted(equal.keys() | alike.keys()):
        one, other = summaries[first], summaries[second]
        matches = equal.get((first, second), [])
        taken = {match.other for match in matches}
        matches += [match for match in alike.get((first, second), []) if match.other not in taken]
        correlation = _best_correlation(one, other, matches, correlate)
        if correlation >= LEAST_CORRELATION:
            yield _copies_of_two(one, other, sorted(matches), correlation, parts)


def _equal_slices(summaries: Sequence[PatientSummary]) -> dict[tuple[int, int], list[Match]]:
    """By pair of patients, the slices that are equal bit for bit. A slice of many patients links them in a chain."""
    owners: defaultdict[bytes, list[tuple[int, int]]] = defaultdict(list)
    for place, summary in enumerate(summaries):
        for digest, number in zip(summary.digests, summary.numbers, strict=True):
            if digest is not None:
                owners[digest].append((place, number))
    matches: defaultdict[tuple[int, int], list[Match]] = defaultdict(list)
    for same in owners.values():
        for (first, number), (second, other) in pairwise(same):
            if first != second:
                matches[first, second].append(Match(number, other, 0, ""))
    return dict(matches)


def _alike_slices(summaries: Sequence[PatientSummary]) -> dict[tuple[int, int], list[Match]]:
    """By pair of patients, the slices whose hashes are alike; of each second slice the best match."""
    if not summaries:
        return {}
    owners = np.concatenate([np.full(len(one.hashes), place, np.intp) for place, one in enumerate(summaries)])
    numbers = [summary.numbers[place] for summary in summaries for place in summary.compared]
    pairs = find_pairs(np.concatenate([summary.hashes for summary in summaries]), owners)
    matches: defaultdict[tuple[int, int], dict[int, Match]] = defaultdict(dict)
    for pair in sorted(pairs, key=lambda pair: -pair.different_bits):
        match = Match(numbers[pair.first], numbers[pair.second], pair.different_bits, pair.mirror)
        matches[int(owners[pair.first]), int(owners[pair.second])][match.other] = match
    return {patients: list(found.values()) for patients, found in matches.items()}


def _best_correlation(
    one: PatientSummary, other: PatientSummary, matches: Sequence[Match], correlate: Correlate
) -> float:
    """Hashes that are alike by chance do not survive a look at the images."""
    best = min(matches, key=lambda match: match.different_bits)
    return correlate(one.patient, best.number, other.patient, best.other, best.mirror)


def _copies_of_two(
    one: PatientSummary, other: PatientSummary, matches: list[Match], correlation: float, parts: Mapping[str, str]
) -> Finding:
    pairs = tuple((other.patient, match.other) for match in matches)
    share = min(1.0, len({match.number for match in matches}) / max(1, min(len(one.compared), len(other.compared))))
    mirror = Counter(match.mirror for match in matches).most_common(1)[0][0]
    evidence: dict[str, Evidence] = {
        "slices": len(matches),
        "share": round(share, 3),
        "correlation": round(correlation, 3),
        "hash_bits": min(match.different_bits for match in matches),
    }
    evidence |= {"mirror": mirror} if mirror else {}
    slices = f"{len(matches)} slice{'s' if len(matches) > 1 else ''}"
    are = "are the same image" + (f", mirrored {mirror}" if mirror else "")
    where = _parts_of(one.patient, other.patient, parts)
    message = f"{slices} of {one.patient} and {other.patient} {are}{f', in {where}' if where else ''}"
    code = "split_leak" if where else "patient_repeated" if share >= MOST_SLICES else "slice_shared"
    # Two dates of one person may well share images; what matters is that they stay in one part.
    same_person = code == "patient_repeated" and case_of(one.patient) == case_of(other.patient)
    severity: Severity | None = "warning" if same_person else None
    number = matches[0].number
    return Finding(code, message, one.patient, number, evidence=evidence, others=pairs, severity_here=severity)


def _parts_of(one: str, other: str, parts: Mapping[str, str]) -> str:
    """The two parts in words; empty where the patients stand in one, or in none."""
    first, second = parts.get(one), parts.get(other)
    return f"{first} and {second}" if first and second and first != second else ""


def shared_masks(summaries: Sequence[PatientSummary]) -> Iterator[Finding]:
    """Masks of some size that stand in two patients, whose images are not the same."""
    owners: dict[bytes, tuple[PatientSummary, int]] = {}
    for summary in summaries:
        for place, digest in enumerate(summary.mask_digests):
            if digest is None:
                continue
            other, there = owners.setdefault(digest, (summary, place))
            if other is summary or summary.digests[place] == other.digests[there]:
                continue
            message = f"the mask equals that of {other.patient}, slice {other.numbers[there]}"
            others = ((other.patient, other.numbers[there]),)
            yield Finding("mask_repeated", message, summary.patient, summary.numbers[place], others=others)


def intensity_outliers(summaries: Sequence[PatientSummary]) -> Iterator[Finding]:
    """Patients one of whose sequences is much darker or brighter than the others'."""
    sequences = dict.fromkeys(sequence for summary in summaries for sequence in summary.channels)
    for sequence in sequences:
        own = [summary for summary in summaries if sequence in summary.channels and sequence not in summary.copied]
        if len(own) < FEWEST_PATIENTS:
            continue
        levels = np.array([intensity_levels(summary.histograms[summary.channels.index(sequence)]) for summary in own])
        centre = np.median(levels, axis=0)
        spread = np.maximum(1.4826 * np.median(np.abs(levels - centre), axis=0), SPREAD_FLOOR)
        scores = (levels - centre) / spread
        for summary, level, score in zip(own, levels, scores, strict=True):
            worst = int(np.abs(score).argmax())
            if abs(score[worst]) > OUTLIER_Z:
                yield _outlier(summary, sequence, worst, level, centre, score)


def _outlier(
    summary: PatientSummary,
    sequence: str,
    worst: int,
    level: NDArray[np.float64],
    centre: NDArray[np.float64],
    score: NDArray[np.float64],
) -> Finding:
    name = ("median", "95th percentile")[worst]
    message = f"the {name} of {sequence} in the head is {level[worst]:.0f}, of the patients' usual {centre[worst]:.0f}"
    evidence: dict[str, Evidence] = {
        "sequence": sequence,
        "level": round(float(level[worst]), 1),
        "robust_z": round(float(score[worst]), 1),
    }
    middle = summary.numbers[summary.slices // 2]
    return Finding("intensity_outlier", message, summary.patient, middle, evidence=evidence)


def intensity_levels(histogram: NDArray[np.int64]) -> tuple[float, float]:
    """Median and 95th percentile of the intensities that a histogram (256,) counts."""
    shares = np.cumsum(histogram) / max(int(histogram.sum()), 1)
    return float(np.searchsorted(shares, 0.5)), float(np.searchsorted(shares, 0.95))


def orientations(summaries: Sequence[PatientSummary]) -> Iterator[Finding]:
    """Patients who lie otherwise than the others, by their images and by their geometry."""
    found = find_orientations([summary.thumbnail for summary in summaries])
    for summary, orientation in zip(summaries, found, strict=True):
        if orientation is not None and orientation.differs:
            ways = [orientation.turn] if orientation.turn != "as it is" else []
            ways += ["with its slices reversed"] if orientation.reversed_slices else []
            message = f"the head fits the set's average better {' and '.join(ways)}"
            evidence: dict[str, Evidence] = {
                "fit": round(orientation.fit, 3),
                "fit_as_is": round(orientation.fit_as_is, 3),
            }
            middle = summary.numbers[summary.slices // 2]
            yield Finding("orientation_differs", message, summary.patient, middle, evidence=evidence)
    axes = Counter(summary.axes for summary in summaries if summary.axes)
    usual = axes.most_common(1)[0][0] if axes else None
    for summary in summaries:
        if summary.axes and summary.axes != usual:
            message = f"its axes run towards {summary.axes}, those of most patients towards {usual}"
            directions = {"axes": summary.axes, "usual": str(usual)}
            yield Finding("orientation_differs", message, summary.patient, evidence=directions)
