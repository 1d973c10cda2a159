import itertools

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from glioseg.scan import Scan
from glioseg.space.affine import (
    Grid,
    direction_cosines,
    grid_of,
    largest_displacement_mm,
    nearest_axes,
    positions_mm,
    same_grid,
    spacing_mm,
)
from glioseg.volume import Mask, Volume

AXIAL = np.array([[0, 0, -0.7, 81.5], [0, -0.9, 0, 104.25], [5, 0, 0, -63], [0, 0, 0, 1]])
SAGITTAL = np.array([[-3, 0, 0, 60], [0, 0, -1, 100], [0, -1, 0, 90], [0, 0, 0, 1]], float)
UNEQUAL = st.lists(st.floats(0.3, 8), min_size=3, max_size=3)
UNHURRIED = settings(deadline=None)
ANGLES = st.lists(st.floats(-25, 25), min_size=3, max_size=3)


def turned(affine: np.ndarray, *degrees: float) -> np.ndarray:
    turned = affine.copy()
    turned[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix() @ affine[:3, :3]
    return turned


def test_spacing_is_of_slices_rows_and_columns() -> None:
    assert spacing_mm(AXIAL) == pytest.approx((5, 0.9, 0.7))
    assert spacing_mm(SAGITTAL) == pytest.approx((3, 1, 1))


@UNHURRIED
@given(UNEQUAL, ANGLES)
def test_no_rotation_changes_the_spacing(steps: list[float], angles: list[float]) -> None:
    affine = turned(np.diag([*steps, 1.0]), *angles)
    assert spacing_mm(affine) == pytest.approx(tuple(steps))
    assert direction_cosines(affine).T @ direction_cosines(affine) == pytest.approx(np.eye(3), abs=1e-9)


@UNHURRIED
@given(st.permutations([0, 1, 2]), st.tuples(*[st.sampled_from([-1, 1])] * 3), UNEQUAL, ANGLES)
def test_nearest_axes_are_those_of_nibabel(axes: list[int], signs: tuple[int, ...], steps: list[float], angles) -> None:
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[axes] * signs * np.array(steps)
    affine = turned(affine, *angles)
    worlds = nibabel.io_orientation(affine)[:, 0].astype(int)
    assert nearest_axes(affine) == tuple(np.argsort(worlds))


@UNHURRIED
@given(st.integers(0, 2**32 - 1))
def test_every_direction_is_claimed_once_however_oblique(seed: int) -> None:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.random(random_state=seed).as_matrix() * (1, 2, 5)
    assert sorted(nearest_axes(affine)) == [0, 1, 2]
    cosines = np.abs(direction_cosines(affine))
    best = max(sum(cosines[world, axis] for world, axis in enumerate(p)) for p in itertools.permutations(range(3)))
    assert sum(cosines[world, axis] for world, axis in enumerate(nearest_axes(affine))) == pytest.approx(best)


def test_positions_by_hand() -> None:
    indices = np.array([[0, 0, 0], [2, 0, 0], [0, 10, 0], [0, 0, 0.5]], float)
    assert positions_mm(AXIAL, indices) == pytest.approx(
        np.array([[81.5, 104.25, -63], [81.5, 104.25, -53], [81.5, 95.25, -63], [81.15, 104.25, -63]])
    )


def test_the_largest_displacement_lies_at_a_corner() -> None:
    other = AXIAL.copy()
    other[0, 2] += 0.01
    assert largest_displacement_mm(AXIAL, other, (20, 256, 101)) == pytest.approx(1.0)
    assert largest_displacement_mm(AXIAL, AXIAL, (20, 256, 101)) == 0


@pytest.mark.parametrize(("shift", "same"), [(0.0, True), (0.05, True), (0.2, False)])
def test_grids_are_one_to_within_a_tenth_of_a_millimetre(shift: float, same: bool) -> None:
    other = AXIAL.copy()
    other[2, 3] += shift
    assert same_grid(Grid((4, 5, 6), AXIAL), Grid((4, 5, 6), other)) is same


def test_a_small_error_of_the_step_adds_up_over_a_large_grid() -> None:
    other = AXIAL.copy()
    other[2, 0] += 0.02
    assert same_grid(Grid((3, 9, 9), AXIAL), Grid((3, 9, 9), other))
    assert not same_grid(Grid((30, 9, 9), AXIAL), Grid((30, 9, 9), other))


def test_grids_of_other_shape_or_unknown_place_are_not_one() -> None:
    assert not same_grid(Grid((4, 5, 6), AXIAL), Grid((4, 5, 7), AXIAL))
    assert not same_grid(Grid((4, 5, 6), AXIAL), Grid((4, 5, 6)))
    assert same_grid(Grid((4, 5, 6)), Grid((4, 5, 6)))
    assert not same_grid(Grid((4, 5, 6)), Grid((4, 6, 5)))


def test_scans_volumes_and_masks_have_a_grid() -> None:
    scan = Scan("A", np.zeros((2, 3, 4), np.float32), AXIAL)
    volume = Volume("A", np.zeros((2, 3, 4, 3), np.uint8), affine=AXIAL)
    mask = Mask("A", np.zeros((2, 3, 4), np.bool_), affine=AXIAL)
    for image in (scan, volume, mask):
        assert grid_of(image) == Grid((2, 3, 4))
        assert grid_of(image).affine is AXIAL
