"""Masks drawn by hand on a disc of a head: each oddity once, and none in a plain tumour."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from glioseg.check.finding import Finding
from glioseg.check.labels import check_labels
from glioseg.check.measures import measure_slices
from glioseg.check.scan import CheckedScan
from glioseg.check.summary import mask_digests

SLICES, SIZE = 9, 64


def findings_in(masks: NDArray[np.bool_]) -> list[Finding]:
    rows, columns = np.mgrid[0:SIZE, 0:SIZE] - SIZE / 2 + 0.5
    head = (rows**2 + columns**2 < 27**2).astype(np.uint8) * 100
    images = np.repeat(np.stack([head] * SLICES)[..., None], 3, axis=-1)
    numbers = tuple(range(1, SLICES + 1))
    scan = CheckedScan("P", numbers, images, masks, np.ones(SLICES, bool))
    return list(check_labels(scan, measure_slices(scan), mask_digests(scan)))


def tumour() -> NDArray[np.bool_]:
    """A lump of five slices in the middle, each a little other than the next."""
    masks = np.zeros((SLICES, SIZE, SIZE), bool)
    for place, (top, bottom) in enumerate([(26, 34), (25, 36), (24, 38), (25, 37), (27, 35)], start=2):
        masks[place, top:bottom, 24:38] = True
    return masks


def speck(masks: NDArray[np.bool_]) -> None:
    masks[4, 45, 45] = True


def hole(masks: NDArray[np.bool_]) -> None:
    masks[4, 30:32, 30:32] = False


def gap(masks: NDArray[np.bool_]) -> None:
    masks[4] = False


def jump(masks: NDArray[np.bool_]) -> None:
    masks[4] = np.roll(masks[4], 13, axis=1)


def repeat(masks: NDArray[np.bool_]) -> None:
    masks[5] = masks[4]


def off(masks: NDArray[np.bool_]) -> None:
    masks[6] = np.roll(masks[6], -27, axis=0)


def skull(masks: NDArray[np.bool_]) -> None:
    masks[6] = False
    masks[6, 5:7, 27:37] = True


def end(masks: NDArray[np.bool_]) -> None:
    masks[7, 26:34, 25:37] = True
    masks[8, 27:33, 26:36] = True


def test_a_plain_tumour_raises_no_doubt() -> None:
    assert findings_in(tumour()) == []
    assert findings_in(np.zeros((SLICES, SIZE, SIZE), bool)) == []


@pytest.mark.parametrize(
    ("change", "code", "number"),
    [
        (speck, "mask_speck", 5),
        (hole, "mask_hole", 5),
        (gap, "mask_gap", 5),
        (jump, "mask_jump", 5),
        (repeat, "mask_repeated", 6),
        (off, "mask_outside_head", 7),
        (skull, "mask_on_skull", 7),
        (end, "mask_at_scan_end", 9),
    ],
)
def test_each_oddity_is_named_where_it_is(change: Callable[[NDArray[np.bool_]], None], code: str, number: int) -> None:
    masks = tumour()
    change(masks)
    assert (code, number) in {(finding.code, finding.slice_number) for finding in findings_in(masks)}
