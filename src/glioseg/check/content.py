"""What one patient's images show by themselves."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from glioseg.check.finding import Evidence, Finding
from glioseg.check.measures import SliceMeasures
from glioseg.check.order import find_misplaced, unlikeness
from glioseg.check.scan import CheckedScan

WELL_FILLED = 0.3
"""Slices whose head fills this share of the patient's largest are compared with each other; the vertex is too small."""

BLACK_INTENSITY, SEEN_INTENSITY = 2.0, 8.0
SATURATED_SHARE_OF_HEAD = 0.2
BLUR, NOISE = 0.5, 2.2
"""How many times as rough as the slices next to it a ruined slice is, at most or at least."""

GHOSTS, GHOST_FLOOR = 2.5, 0.05
BRIGHTNESS = 1.6
HEAD_JUMP = 1.25
CUT_SHARE_OF_BORDER, CUT_SLICES = 0.3, 2
NEIGHBOURS = 2


def check_content(scan: CheckedScan, measures: SliceMeasures, digests: list[bytes]) -> Iterator[Finding]:
    """Every finding in one patient's images.

    Args:
        scan: The patient.
        measures: As :func:`glioseg.check.measures.measure_slices` gives them.
        digests: A hash of each slice's pixels.
    """
    yield from copied_sequences(scan, measures)
    yield from black_slices(scan, measures)
    yield from saturated_slices(scan, measures)
    yield from degraded_slices(scan, measures)
    yield from repeated_slices(scan, measures, digests)
    yield from misplaced_slices(scan, measures)
    yield from cut_heads(scan, measures)


def names_of_copies(scan: CheckedScan, shown: NDArray[np.bool_]) -> tuple[dict[str, str], dict[str, list[int]]]:
    """Sequences that are another's copy on every slice, and those that are on some.

    Args:
        scan: The patient.
        shown: Slices that are not black, shape (slice,).

    Returns:
        For each copied sequence which one it copies, the FLAIR where it is among the equal ones; and for each pair,
        as ``pre = post``, the numbers of the slices on which alone it is equal.
    """
    whole: dict[str, str] = {}
    partly: dict[str, list[int]] = {}
    if not shown.any():
        return whole, partly
    for first, second in combinations(_flair_first(scan), 2):
        # Two sequences that are black on a slice are equal without being copies.
        seen = shown & (scan.channel(first).max(axis=(1, 2)) > SEEN_INTENSITY)
        equal = (scan.channel(first) == scan.channel(second)).all(axis=(1, 2)) & seen
        if equal.any() and equal.sum() == seen.sum():
            whole.setdefault(second, whole.get(first, first))
        elif equal.any() and second not in whole:
            partly[f"{second} = {first}"] = [scan.numbers[place] for place in np.flatnonzero(equal)]
    return whole, partly


def copied_sequences(scan: CheckedScan, measures: SliceMeasures) -> Iterator[Finding]:
    """Sequences that are copies of another, on all slices or on some."""
    whole, partly = names_of_copies(scan, measures.shows_head)
    for original in dict.fromkeys(whole.values()):
        copies = [sequence for sequence in scan.channels if whole.get(sequence) == original]
        verb = "is a copy" if len(copies) == 1 else "are copies"
        message = f"{' and '.join(copies)} {verb} of {original}"
        middle = scan.numbers[len(scan.numbers) // 2]
        evidence: dict[str, Evidence] = {
            "copies": " ".join(copies),
            "original": original,
            "slices": int(measures.shows_head.sum()),
        }
        yield Finding("sequence_copied", message, scan.patient, middle, evidence=evidence)
    for pair, numbers in partly.items():
        message = f"{pair} on {len(numbers)} of {len(scan.numbers)} slices"
        for number in numbers:
            yield Finding("slices_copied", message, scan.patient, number, evidence={"slices": len(numbers)})


def black_slices(scan: CheckedScan, measures: SliceMeasures) -> Iterator[Finding]:
    """Slices, or sequences of a slice, in which there is nothing."""
    shown = np.flatnonzero(measures.shows_head)
    if shown.size == 0:
        yield Finding("slice_black", "every slice is black", scan.patient, scan.numbers[0])
        return
    dark = np.flatnonzero(~measures.shows_head)
    inner = dark[(dark > shown[0]) & (dark < shown[-1])]
    for place in inner:
        share = round(float(measures.head_share[place]), 4)
        message = "the slice is black between slices that show the head"
        yield Finding("slice_black", message, scan.patient, scan.numbers[place], evidence={"head_share": share})
    ends = [scan.numbers[place] for place in dark if place not in inner]
    if ends:
        message = f"black at the ends: slice{'s' if len(ends) > 1 else ''} {_listed(ends)}"
        yield Finding("slice_black_at_end", message, scan.patient, ends[0], evidence={"slices": len(ends)})
    yield from _black_sequences(scan, measures)


def _black_sequences(scan: CheckedScan, measures: SliceMeasures) -> Iterator[Finding]:
    """A sequence may begin later or end sooner than the others; a hole in the middle of it is damage."""
    shown = well_filled(measures) & (measures.brightness.max(axis=1) > SEEN_INTENSITY)
    for channel, sequence in enumerate(scan.channels):
        dark = np.flatnonzero(shown & (measures.brightness[:, channel] < BLACK_INTENSITY))
        lit = np.flatnonzero(measures.brightness[:, channel] >= BLACK_INTENSITY)
        ends = [place for place in dark if lit.size == 0 or place < lit[0] or place > lit[-1]]
        for place in sorted(set(dark.tolist()) - set(ends)):
            message = f"{sequence} is black where another sequence shows the head"
            level = round(float(measures.brightness[place, channel]), 2)
            evidence: dict[str, Evidence] = {"sequence": sequence, "mean_intensity": level}
            yield Finding("sequence_black", message, scan.patient, scan.numbers[place], evidence=evidence)
        if ends:
            numbers = [scan.numbers[place] for place in ends]
            slices = f"slice{'s' if len(numbers) > 1 else ''} {_listed(numbers)}"
            message = f"{sequence} is black on {slices} at the end of the scan"
            extent: dict[str, Evidence] = {"sequence": sequence, "slices": len(numbers)}
            yield Finding("sequence_short", message, scan.patient, numbers[0], evidence=extent)


def saturated_slices(scan: CheckedScan, measures: SliceMeasures) -> Iterator[Finding]:
    """Slices of whose head a large share lies at the top of the range."""
    share = measures.saturated / np.maximum(measures.head_share, 0.05)[:, None]
    for place in np.flatnonzero(share.max(axis=1) > SATURATED_SHARE_OF_HEAD):
        sequence = scan.channels[int(share[place].argmax())]
        value = round(float(share[place].max()), 3)
        message = f"{value:.0%} of the head lies at 255 in {sequence}"
        evidence: dict[str, Evidence] = {"sequence": sequence, "saturated_share": value}
        yield Finding("slice_saturated", message, scan.patient, scan.numbers[place], evidence=evidence)


def degraded_slices(scan: CheckedScan, measures: SliceMeasures) -> Iterator[Finding]:
    """Slices that differ from those next to them in roughness, in what lies around the head, or in brightness."""
    filled = well_filled(measures) & (measures.brightness > SEEN_INTENSITY).all(axis=1)
    rough = against_neighbours(measures.roughness, filled)
    ghosts = against_neighbours(measures.ghosts + GHOST_FLOOR, filled)
    bright = against_neighbours(measures.brightness, filled)
    ruined = (rough < BLUR) | (rough > NOISE) | (ghosts > GHOSTS)
    # Where the head seems to jump in size, its contour caught a bright background, and its mean says nothing.
    size = against_neighbours(measures.head_share[:, None], filled)
    steady = (size < HEAD_JUMP) & (size > 1 / HEAD_JUMP)
    uneven = ((bright > BRIGHTNESS) | (bright < 1 / BRIGHTNESS)) & steady
    for place in np.flatnonzero(ruined.any(axis=1)).tolist():
        channel = int(np.argmax(ruined[place]))
        numbers = {"roughness_ratio": rough[place, channel], "ghost_ratio": ghosts[place, channel]}
        yield _against(scan, "slice_degraded", place, channel, numbers)
    for place in np.flatnonzero(uneven.any(axis=1) & ~ruined.any(axis=1)).tolist():
        channel = int(np.argmax(uneven[place]))
        numbers = {"brightness_ratio": bright[place, channel]}
        yield _against(scan, "slice_brightness", place, channel, numbers)


def _against(scan: CheckedScan, code: str, place: int, channel: int, ratios: dict[str, float]) -> Finding:
    sequence = scan.channels[channel]
    shown = {name: round(float(value), 2) for name, value in ratios.items()}
    words = " and ".join(f"{name.split('_')[0]} {value:g} times" for name, value in shown.items())
    message = f"{sequence}: {words} that of the slices next to it"
    return Finding(code, message, scan.patient, scan.numbers[place], evidence={"sequence": sequence, **shown})


def against_neighbours(values: NDArray[np.float64], usable: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Each slice's values over those of the slices before and after it, whichever ratio is nearer to 1.

    Towards the ends of a head, brightness and structure fall off; a slice stands out only if it differs from both
    sides in the same direction. Each side is the median of up to two usable slices.

    Args:
        values: Shape (slice, channel), above zero.
        usable: Slices that may be compared, shape (slice,).

    Returns:
        Ratios of that shape; 1 where a side has no usable slice.
    """
    ratios = np.ones_like(values)
    places = np.flatnonzero(usable)
    for rank, place in enumerate(places):
        sides = [places[max(rank - NEIGHBOURS, 0) : rank], places[rank + 1 : rank + 1 + NEIGHBOURS]]
        if min(map(len, sides)) == 0:
            continue
        before, after = (
            np.maximum(values[place], 1e-6) / np.maximum(np.median(values[side], axis=0), 1e-6) for side in sides
        )
        same_way = (before - 1) * (after - 1) > 0
        nearer = np.where(np.abs(np.log(before)) < np.abs(np.log(after)), before, after)
        ratios[place] = np.where(same_way, nearer, 1)
    return ratios


def repeated_slices(scan: CheckedScan, measures: SliceMeasures, digests: list[bytes]) -> Iterator[Finding]:
    """Slices that equal another slice of the same patient."""
    places: defaultdict[bytes, list[int]] = defaultdict(list)
    for place in np.flatnonzero(measures.shows_head).tolist():
        places[digests[place]].append(place)
    for same in places.values():
        for place in same[1:]:
            first = scan.numbers[same[0]]
            message = f"the slice equals slice {first}"
            others = ((scan.patient, first),)
            yield Finding("slice_repeated", message, scan.patient, scan.numbers[place], others=others)


def misplaced_slices(scan: CheckedScan, measures: SliceMeasures) -> Iterator[Finding]:
    """Slices that resemble slices at another place of the scan more than their neighbours."""
    kept = np.flatnonzero(well_filled(measures, share=WELL_FILLED / 2))
    for move in find_misplaced(unlikeness(measures.tiny[kept])):
        number = scan.numbers[kept[move.place]]
        after = scan.numbers[kept[move.better]] if move.better >= 0 else 0
        message = f"it fits better {f'after slice {after}' if after else 'before the first slice'}"
        yield Finding(
            "slice_out_of_order",
            message,
            scan.patient,
            number,
            evidence={"gain_steps": round(move.gain, 2), "after": after},
        )


def cut_heads(scan: CheckedScan, measures: SliceMeasures) -> Iterator[Finding]:
    """Heads that run along a border of the frame: one finding for each border, at the slice where it is longest."""
    for border, name in enumerate(("top", "bottom", "left", "right")):
        place = int(measures.cut[:, border].argmax())
        share = float(measures.cut[place, border])
        slices = int((measures.cut[:, border] >= CUT_SHARE_OF_BORDER).sum())
        if slices >= CUT_SLICES:
            message = f"the head runs along up to {share:.0%} of the {name} border, on {slices} slices"
            evidence: dict[str, Evidence] = {"border": name, "share_of_border": round(share, 3), "slices": slices}
            yield Finding("head_cut", message, scan.patient, scan.numbers[place], evidence=evidence)


def well_filled(measures: SliceMeasures, share: float = WELL_FILLED) -> NDArray[np.bool_]:
    """Slices whose head is not small against the patient's largest, shape (slice,)."""
    return measures.shows_head & (measures.head_share >= share * measures.head_share.max(initial=0))


def _flair_first(scan: CheckedScan) -> list[str]:
    is_other: Callable[[str], bool] = lambda sequence: sequence != scan.main_channel  # noqa: E731
    return sorted(scan.channels, key=is_other)


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:12])) + (", ..." if len(numbers) > 12 else "")
