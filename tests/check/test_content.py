"""Copied sequences by kind, and what stands out against its neighbours, on images made by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from glioseg.check.content import against_neighbours, check_content, names_of_copies
from glioseg.check.finding import Finding
from glioseg.check.measures import measure_slices
from glioseg.check.scan import CheckedScan
from glioseg.check.summary import image_digests

SLICES, SIZE = 10, 64


def images(seed: int = 0) -> NDArray[np.uint8]:
    """A head that changes from slice to slice in three sequences of their own, shape (slice, row, column, 3)."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:SIZE, 0:SIZE] - SIZE / 2 + 0.5
    head = (rows**2 + columns**2 < 25**2)[None, ..., None]
    drift = np.linspace(0, 1, SLICES)[:, None, None, None]
    start, end = rng.uniform(60, 140, (2, 1, SIZE, SIZE, 3))
    return (head * (start * (1 - drift) + end * drift)).astype(np.uint8)


def scan_of(voxels: NDArray[np.uint8]) -> CheckedScan:
    numbers = tuple(range(1, len(voxels) + 1))
    return CheckedScan("P", numbers, voxels, np.zeros(voxels.shape[:3], bool), np.ones(len(voxels), bool))


def findings_in(voxels: NDArray[np.uint8]) -> list[Finding]:
    scan = scan_of(voxels)
    return list(check_content(scan, measure_slices(scan), image_digests(scan)))


def test_a_plain_head_raises_no_doubt() -> None:
    assert findings_in(images()) == []


@pytest.mark.parametrize(
    ("channels", "copied"),
    [
        ([0, 1, 2], {}),
        ([0, 1, 1], {"post": "flair"}),
        ([1, 1, 2], {"pre": "flair"}),
        ([1, 1, 1], {"pre": "flair", "post": "flair"}),
        ([0, 1, 0], {"post": "pre"}),
    ],
)
def test_the_kinds_of_copied_sequences_are_told_apart(channels: list[int], copied: dict[str, str]) -> None:
    scan = scan_of(images()[..., channels])
    whole, partly = names_of_copies(scan, np.ones(SLICES, bool))
    assert (whole, partly) == (copied, {})
    named = [finding for finding in findings_in(scan.images) if finding.code == "sequence_copied"]
    assert [finding.evidence["copies"] for finding in named] == ([" ".join(copied)] if copied else [])


def test_two_black_sequences_are_no_copies() -> None:
    voxels = images()
    voxels[0, ..., [0, 2]] = 0
    codes = [finding.code for finding in findings_in(voxels)]
    assert codes == ["sequence_short", "sequence_short"]


def test_black_within_the_head_is_an_error_and_black_at_an_end_is_not() -> None:
    voxels = images()
    voxels[[0, 4, 9]] = 0
    found = [(finding.code, finding.severity, finding.slice_number) for finding in findings_in(voxels)]
    assert ("slice_black", "error", 5) in found
    assert ("slice_black_at_end", "note", 1) in found
    assert [code for code, _, _ in found].count("slice_black") == 1


def test_a_steady_fall_stands_out_nowhere_and_a_dip_does() -> None:
    fall = np.geomspace(100, 1, SLICES)[:, None]
    usable = np.ones(SLICES, bool)
    assert against_neighbours(fall, usable) == pytest.approx(np.ones((SLICES, 1)))
    dip = np.full((SLICES, 1), 8.0)
    dip[5] = 2
    expected = np.ones((SLICES, 1))
    expected[5] = 0.25
    assert against_neighbours(dip, usable) == pytest.approx(expected)
    usable[5] = False
    assert against_neighbours(dip, usable) == pytest.approx(np.ones((SLICES, 1)))


def test_a_value_of_nothing_beside_nothing_is_no_change() -> None:
    """As a sequence that is black throughout; without a warning of a division."""
    with np.errstate(all="raise"):
        assert (against_neighbours(np.zeros((5, 2)), np.ones(5, np.bool_)) == 1).all()
