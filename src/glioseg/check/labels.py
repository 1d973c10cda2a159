"""What one patient's masks show by themselves."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glioseg.check.finding import Finding
from glioseg.check.head import shrink
from glioseg.check.measures import SMALL, SliceMeasures
from glioseg.check.scan import CheckedScan
from glioseg.evaluation.mask_overlap import MaskOverlap

OUTSIDE_SHARE = 0.2
SURFACE_SHARE, SURFACE_DEPTH = 0.5, 0.03
"""A mask lies on the skull if this share of it is nearer to the head's surface than this share of the frame."""

SPECK_SHARE, SPECK_VOXELS = 0.01, 30
HOLE_PIXELS = 3
JUMP_AROUND, JUMP_OWN = 0.5, 0.25
REPEATED_PIXELS = 60
END_PIXELS = 30
FEWEST_PIXELS = 8
"""Smaller masks are too small to judge their place or form."""


def check_labels(scan: CheckedScan, measures: SliceMeasures, mask_digests: list[bytes | None]) -> Iterator[Finding]:
    """Every finding in one patient's masks.

    Args:
        scan: The patient.
        measures: As :func:`glioseg.check.measures.measure_slices` gives them.
        mask_digests: A hash of each slice's mask, None where it is small.
    """
    if not scan.masks.any():
        return
    yield from misplaced_masks(scan, measures)
    yield from specks(scan)
    yield from holes(scan)
    yield from jumps(scan)
    yield from repeated_masks(scan, mask_digests)
    yield from tumour_at_ends(scan)


def misplaced_masks(scan: CheckedScan, measures: SliceMeasures) -> Iterator[Finding]:
    """Masks on the background, or on scalp and skull."""
    marked = np.flatnonzero(scan.masks.sum(axis=(1, 2)) >= FEWEST_PIXELS)
    inside = shrink(scan.masks[marked], SMALL)
    head = measures.head[marked]
    depth = np.stack([ndimage.distance_transform_edt(slice_) for slice_ in head]) if len(head) else inside
    total = np.maximum(inside.sum(axis=(1, 2)), 1e-6)
    outside = (inside * ~head).sum(axis=(1, 2)) / total
    shallow = (inside * (depth < SURFACE_DEPTH * SMALL)).sum(axis=(1, 2)) / total
    for place, off, near in zip(marked, outside, shallow, strict=True):
        if off > OUTSIDE_SHARE:
            message = f"{off:.0%} of the mask lies on background"
            evidence = {"outside_share": round(float(off), 3)}
            yield Finding("mask_outside_head", message, scan.patient, scan.numbers[place], evidence=evidence)
        elif near > SURFACE_SHARE:
            message = f"{near:.0%} of the mask lies right at the head's surface"
            evidence = {"surface_share": round(float(near), 3)}
            yield Finding("mask_on_skull", message, scan.patient, scan.numbers[place], evidence=evidence)


def specks(scan: CheckedScan) -> Iterator[Finding]:
    """Small components, in three dimensions with 26 neighbours, beside a much larger one."""
    parts, count = ndimage.label(scan.masks, np.ones((3, 3, 3)))
    if count < 2:
        return
    sizes = np.bincount(parts.ravel())
    limit = min(SPECK_VOXELS, max(1.0, SPECK_SHARE * sizes[1:].max()))
    boxes = ndimage.find_objects(parts)
    for part in range(1, count + 1):
        if sizes[part] <= limit:
            place = boxes[part - 1][0].start
            row, column = (boxes[part - 1][axis].start for axis in (1, 2))
            message = f"{sizes[part]} voxels touch no other mask, at row {row}, column {column}"
            evidence = {"voxels": int(sizes[part]), "largest": int(sizes[1:].max()), "row": row, "column": column}
            yield Finding("mask_speck", message, scan.patient, scan.numbers[place], evidence=evidence)


def holes(scan: CheckedScan) -> Iterator[Finding]:
    """Background that a slice's mask encloses."""
    for place in np.flatnonzero(scan.masks.any(axis=(1, 2))):
        mask = scan.masks[place]
        enclosed = int((ndimage.binary_fill_holes(_cropped(mask)) & ~_cropped(mask)).sum())
        if enclosed >= HOLE_PIXELS:
            message = f"{enclosed} pixels of background are enclosed by the mask"
            evidence = {"pixels": enclosed, "mask_pixels": int(mask.sum())}
            yield Finding("mask_hole", message, scan.patient, scan.numbers[place], evidence=evidence)


def jumps(scan: CheckedScan) -> Iterator[Finding]:
    """Slices whose mask is lacking, or fits its two neighbours much worse than these fit each other."""
    areas = scan.masks.sum(axis=(1, 2))
    for place in range(1, len(areas) - 1):
        if scan.numbers[place + 1] - scan.numbers[place - 1] != 2 or not scan.labelled[place - 1 : place + 2].all():
            continue
        before, own, after = scan.masks[place - 1 : place + 2]
        around = MaskOverlap(before, after).dice()
        if around is None or around < JUMP_AROUND:
            continue
        fits = max(MaskOverlap(own, beside).dice() or 0.0 for beside in (before, after))
        evidence = {"dice_around": round(around, 3), "dice_own": round(fits, 3), "pixels": int(areas[place])}
        number = scan.numbers[place]
        if areas[place] == 0:
            message = f"no mask between two slices whose masks overlap with a Dice of {around:.2f}"
            yield Finding("mask_gap", message, scan.patient, number, evidence=evidence)
        elif fits < JUMP_OWN or fits < 0.55 * around:
            message = f"Dice with either neighbour at most {fits:.2f}, of these with each other {around:.2f}"
            yield Finding("mask_jump", message, scan.patient, number, evidence=evidence)


def repeated_masks(scan: CheckedScan, mask_digests: list[bytes | None]) -> Iterator[Finding]:
    """Masks that equal another slice's of the same patient."""
    places: defaultdict[bytes, list[int]] = defaultdict(list)
    for place, digest in enumerate(mask_digests):
        if digest is not None:
            places[digest].append(place)
    for same in places.values():
        for place in same[1:]:
            first = scan.numbers[same[0]]
            pixels = int(scan.masks[place].sum())
            message = f"the mask of {pixels} pixels equals that of slice {first}"
            others = ((scan.patient, first),)
            number = scan.numbers[place]
            yield Finding("mask_repeated", message, scan.patient, number, evidence={"pixels": pixels}, others=others)


def tumour_at_ends(scan: CheckedScan) -> Iterator[Finding]:
    """Tumour in the first or last slice, beyond which it may go on."""
    for place, name in ((0, "first"), (-1, "last")):
        pixels = int(scan.masks[place].sum())
        if pixels >= END_PIXELS:
            message = f"the {name} slice has a mask of {pixels} pixels"
            number = scan.numbers[place]
            yield Finding("mask_at_scan_end", message, scan.patient, number, evidence={"pixels": pixels})


def _cropped(mask: NDArray[Any]) -> NDArray[Any]:
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
