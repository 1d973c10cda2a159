"""What shows only when patients are compared: copies, leaks, and patients unlike all others."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from glioseg.check.duplicates import Pair, find_pairs
from glioseg.check.finding import Finding
from glioseg.check.orientation import find_orientations
from glioseg.check.summary import PatientSummary
from glioseg.dataset.lgg import case_of

MOST_SLICES = 0.6
"""Two patients are one if this share of the slices of the shorter one are the same pictures."""

FEWEST_PATIENTS = 8
OUTLIER_Z = 5.0
SPREAD_FLOOR = 4.0
"""Grey levels below which the spread between patients is not taken seriously."""

Match = tuple[int, int, str, str]
"""A slice of one patient, one of the other, how they are alike, and the mirror between them."""


def check_set(summaries: Sequence[PatientSummary], parts: Mapping[str, str]) -> Iterator[Finding]:
    """Every finding between patients.

    Args:
        summaries: The patients.
        parts: Which part of a split each patient stands in; empty without a split.
    """
    yield from first_slices(summaries)
    yield from sizes(summaries)
    yield from copies(summaries, parts)
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
    """Patients whose slices have another size than most."""
    counts = Counter(summary.size for summary in summaries)
    usual = counts.most_common(1)[0][0] if counts else (0, 0)
    for summary in summaries:
        if summary.size != usual:
            found, most = (" x ".join(map(str, size)) for size in (summary.size, usual))
            yield Finding("patient_size", f"the slices are {found}, those of most patients {most}", summary.patient)


def copies(summaries: Sequence[PatientSummary], parts: Mapping[str, str]) -> Iterator[Finding]:
    """Slices and whole patients that stand in the set twice, above all in two parts of a split."""
    matches = _equal_slices(summaries)
    for first, second, match in _alike_slices(summaries):
        known = matches[first, second]
        if not any(one[1] == match[1] for one in known):
            known.append(match)
    for (first, second), found in sorted(matches.items()):
        yield from _copies_of_two(summaries[first], summaries[second], sorted(found), parts)


def _equal_slices(summaries: Sequence[PatientSummary]) -> defaultdict[tuple[int, int], list[Match]]:
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
                matches[first, second].append((number, other, "equal", ""))
    return matches


def _alike_slices(summaries: Sequence[PatientSummary]) -> Iterator[tuple[int, int, Match]]:
    hashes = [summary.hashes for summary in summaries if len(summary.hashes)]
    if not hashes:
        return
    owners = np.concatenate([np.full(len(summary.hashes), place) for place, summary in enumerate(summaries)])
    numbers = [summary.numbers[place] for summary in summaries for place in summary.compared]
    pair: Pair
    for pair in find_pairs(np.concatenate(hashes), owners.astype(np.intp)):
        how = f"{pair.different_bits} of 256 hash bits differ"
        yield (
            int(owners[pair.first]),
            int(owners[pair.second]),
            (numbers[pair.first], numbers[pair.second], how, pair.mirror),
        )


def _copies_of_two(
    one: PatientSummary, other: PatientSummary, found: list[Match], parts: Mapping[str, str]
) -> Iterator[Finding]:
    pairs = tuple((other.patient, number) for number in dict.fromkeys(match[1] for match in found))
    matched = len({match[0] for match in found})
    share = matched / max(1, min(len(one.compared), len(other.compared)))
    mirror = Counter(match[3] for match in found).most_common(1)[0][0]
    evidence = {"slices": matched, "share": round(min(share, 1.0), 3), "alike": found[0][2]}
    evidence |= {"mirror": mirror} if mirror else {}
    where = _parts_of(one.patient, other.patient, parts)
    slices = f"{matched} slice{'s' if matched > 1 else ''}"
    message = f"{slices} of {one.patient} and {other.patient} are the same picture{f', mirrored {mirror}' if mirror else ''}"
    number = found[0][0]
    if where:
        message = f"{message}, in {where}"
        yield Finding("split_leak", message, one.patient, number, evidence=evidence, others=pairs)
    elif share >= MOST_SLICES:
        severity = "warning" if case_of(one.patient) == case_of(other.patient) else None
        yield Finding(
            "patient_repeated", message, one.patient, number, evidence=evidence, others=pairs, raised_to=severity
        )
    else:
        yield Finding("slice_shared", message, one.patient, number, evidence=evidence, others=pairs)


def _parts_of(one: str, other: str, parts: Mapping[str, str]) -> str:
    """The two parts in words; empty where the patients stand in one, or in none."""
    first, second = parts.get(one), parts.get(other)
    return f"{first} and {second}" if first and second and first != second else ""


def shared_masks(summaries: Sequence[PatientSummary]) -> Iterator[Finding]:
    """Masks of some size that stand in two patients, whose pictures are not the same."""
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
    roles = dict.fromkeys(role for summary in summaries for role in summary.channels)
    for role in roles:
        own = [summary for summary in summaries if role in summary.channels and role not in summary.copied]
        if len(own) < FEWEST_PATIENTS:
            continue
        levels = np.array([intensity_levels(summary.histograms[summary.channels.index(role)]) for summary in own])
        centre = np.median(levels, axis=0)
        spread = np.maximum(1.4826 * np.median(np.abs(levels - centre), axis=0), SPREAD_FLOOR)
        scores = (levels - centre) / spread
        for summary, level, score in zip(own, levels, scores, strict=True):
            worst = int(np.abs(score).argmax())
            if abs(score[worst]) > OUTLIER_Z:
                yield _outlier(summary, role, worst, level, centre, score)


def _outlier(
    summary: PatientSummary,
    role: str,
    worst: int,
    level: NDArray[np.float64],
    centre: NDArray[np.float64],
    score: NDArray[np.float64],
) -> Finding:
    name = ("median", "95th percentile")[worst]
    message = f"the {name} of {role} in the head is {level[worst]:.0f}, of the patients' usual {centre[worst]:.0f}"
    evidence = {"sequence": role, "level": round(float(level[worst]), 1), "robust_z": round(float(score[worst]), 1)}
    middle = summary.numbers[summary.slices // 2]
    return Finding("intensity_outlier", message, summary.patient, middle, evidence=evidence)


def intensity_levels(histogram: NDArray[np.int64]) -> tuple[float, float]:
    """Median and 95th percentile of the intensities that a histogram (256,) counts."""
    shares = np.cumsum(histogram) / max(int(histogram.sum()), 1)
    return float(np.searchsorted(shares, 0.5)), float(np.searchsorted(shares, 0.95))


def orientations(summaries: Sequence[PatientSummary]) -> Iterator[Finding]:
    """Patients who lie otherwise than the others, by their pictures and by their geometry."""
    found = find_orientations([summary.portrait for summary in summaries])
    for summary, orientation in zip(summaries, found, strict=True):
        if orientation is not None and orientation.differs:
            ways = [orientation.turn] if orientation.turn != "as it is" else []
            ways += ["with its slices reversed"] if orientation.reversed_slices else []
            message = f"the head fits the set's average better {' and '.join(ways)}"
            evidence = {"fit": round(orientation.fit, 3), "fit_as_is": round(orientation.fit_as_is, 3)}
            middle = summary.numbers[summary.slices // 2]
            yield Finding("orientation_differs", message, summary.patient, middle, evidence=evidence)
    axes = Counter(summary.axes for summary in summaries if summary.axes)
    usual = axes.most_common(1)[0][0] if axes else None
    for summary in summaries:
        if summary.axes and summary.axes != usual:
            message = f"its axes run towards {summary.axes}, those of most patients towards {usual}"
            evidence = {"axes": summary.axes, "usual": str(usual)}
            yield Finding("orientation_differs", message, summary.patient, evidence=evidence)
