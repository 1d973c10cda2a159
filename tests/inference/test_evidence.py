import numpy as np
import pytest

from glioseg.inference.evidence import PIXEL_MM, Evidence, find_evidence
from glioseg.volume import Volume

HEAD = np.zeros((20, 120, 120, 3), np.uint8)
HEAD[:, 10:110, 10:110] = 100


def evidence(mask: np.ndarray, probability: float = 0.9, step_mm: float | None = 5.0) -> Evidence:
    return find_evidence(Volume("P", HEAD), mask.astype(np.float32) * np.float32(probability), mask, step_mm)


def cube(slices: slice, rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros(HEAD.shape[:3], bool)
    mask[slices, rows, columns] = True
    return mask


def test_nothing_found_is_no_evidence() -> None:
    assert evidence(np.zeros(HEAD.shape[:3], bool)) == Evidence()


def test_a_cube_on_one_side_by_hand() -> None:
    found = evidence(cube(slice(5, 10), slice(40, 61), slice(20, 41)))
    assert found.volume_ml == pytest.approx(5 * 21 * 21 * PIXEL_MM**2 * 5 / 1000)
    assert (found.components, found.symmetry, found.radius_px) == (1, 0, 11)
    assert found.agreement == pytest.approx(4 / 5)
    assert (found.mean, found.peak) == (pytest.approx(0.9), pytest.approx(0.9))
    assert found.expected_dice == pytest.approx(2 * 0.9 / 1.9)


def test_the_same_on_both_sides_is_symmetric() -> None:
    both = cube(slice(5, 10), slice(40, 60), slice(20, 40)) | cube(slice(5, 10), slice(40, 60), slice(80, 100))
    found = evidence(both)
    assert (found.components, found.symmetry) == (2, 1)


def test_what_single_slices_show_agrees_with_nothing() -> None:
    assert evidence(cube(slice(5, 6), slice(40, 60), slice(20, 40))).agreement == 0
    assert evidence(cube(slice(0, 20), slice(40, 60), slice(20, 40))).agreement == 1


def test_thin_slices_give_the_evidence_of_thick_ones() -> None:
    thick, thin = (evidence(cube(slice(4, 4 + n), slice(40, 60), slice(20, 40)), step_mm=20 / n) for n in (4, 8))
    assert thin.volume_ml == pytest.approx(thick.volume_ml)
    assert thin.agreement == pytest.approx(thick.agreement)


def test_slices_of_unknown_thickness_cover_a_head_together() -> None:
    mask = cube(slice(5, 10), slice(40, 60), slice(20, 40))
    assert evidence(mask, step_mm=None).volume_ml == pytest.approx(evidence(mask, step_mm=150 / 20).volume_ml)


def test_deeper_tumours_lie_deeper() -> None:
    edge, middle = (evidence(cube(slice(5, 8), slice(50, 70), slice(at, at + 10))) for at in (12, 55))
    assert edge.depth_px < middle.depth_px
