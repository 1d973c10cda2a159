"""Diameters of shapes whose size is known: exactly on the grid, and to a step of the grid for round ones."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.distance import pdist

from glioseg.measurement import diameters
from glioseg.measurement.diameters import bidirectional, maximum_extent

Flags = NDArray[np.bool_]


def affine_of(spacing_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    """As a radiologist hangs an axial scan: slices to superior, rows to posterior, columns to the patient's left."""
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = spacing_mm[0], -spacing_mm[1], -spacing_mm[2], 1
    return affine


def slice_of(flags: Flags) -> Flags:
    return flags[np.newaxis]


def box(rows: int, columns: int) -> Flags:
    flags = np.zeros((rows + 3, columns + 4), np.bool_)
    flags[1 : 1 + rows, 2 : 2 + columns] = True
    return flags


def ellipse(
    half_rows: float, half_columns: float, degrees: float = 0.0, spacing: tuple[float, float] = (1, 1)
) -> Flags:
    """Pixels whose centre lies in an ellipse; half axes in millimetres, turned in the plane."""
    reach = [int(max(half_rows, half_columns) / step) + 2 for step in spacing]
    places = [np.arange(-count, count + 1) * step for count, step in zip(reach, spacing, strict=True)]
    y, x = np.meshgrid(*places, indexing="ij")
    turn = math.radians(degrees)
    along, across = y * math.cos(turn) + x * math.sin(turn), x * math.cos(turn) - y * math.sin(turn)
    return np.asarray((along / half_rows) ** 2 + (across / half_columns) ** 2 <= 1)


def lengths_mm(flags: Flags, spacing_mm: tuple[float, float, float] = (5, 1, 1)) -> tuple[float, float]:
    found = bidirectional(flags, affine_of(spacing_mm))
    assert found is not None
    assert found.longest.length_mm is not None
    assert found.perpendicular.length_mm is not None
    return found.longest.length_mm, found.perpendicular.length_mm


def test_one_pixel_is_one_pixel_across() -> None:
    assert lengths_mm(slice_of(box(1, 1))) == pytest.approx((1, 1))
    assert lengths_mm(slice_of(box(1, 1)), (5, 0.5, 2)) == pytest.approx((2, 0.5))


@pytest.mark.parametrize("count", [2, 7, 40])
def test_a_line_of_pixels_is_as_long_as_it_has_pixels_and_one_wide(count: int) -> None:
    assert lengths_mm(slice_of(box(1, count)), (5, 0.5, 0.5)) == pytest.approx((count / 2, 0.5))
    assert lengths_mm(slice_of(box(count, 1)), (5, 3, 0.5)) == pytest.approx((3 * count, 0.5))


@pytest.mark.parametrize(("rows", "columns"), [(4, 9), (20, 5), (31, 31)])
@pytest.mark.parametrize("spacing_mm", [(5.0, 1.0, 1.0), (6.0, 0.5, 0.9)])
def test_a_rectangle_measures_its_diagonal_less_half_a_step_at_each_end(
    rows: int, columns: int, spacing_mm: tuple[float, float, float]
) -> None:
    """A diagonal ends in the middle of the edge of a corner pixel, either along rows or along columns."""
    _, row_mm, column_mm = spacing_mm
    longest, perpendicular = lengths_mm(slice_of(box(rows, columns)), spacing_mm)
    expected = max(
        math.hypot(rows * row_mm, (columns - 1) * column_mm), math.hypot((rows - 1) * row_mm, columns * column_mm)
    )
    assert longest == pytest.approx(expected)
    diagonal = math.hypot(rows * row_mm, columns * column_mm)
    assert diagonal - max(row_mm, column_mm) <= longest <= diagonal
    assert perpendicular <= longest


def test_a_square_has_two_diagonals_of_about_one_length() -> None:
    """The exact perpendicular of the diagonal of a square whose corners are cut by half a pixel."""
    longest, perpendicular = lengths_mm(slice_of(box(10, 10)))
    assert longest == pytest.approx(math.hypot(10, 9))
    assert longest - 0.2 < perpendicular <= longest + 1e-9


@given(
    half_axes=st.tuples(st.floats(4, 30), st.floats(4, 30)),
    degrees=st.floats(0, 180),
    spacing=st.tuples(st.floats(0.4, 1.2), st.floats(0.4, 1.2)),
)
@settings(max_examples=40, deadline=None)
def test_an_ellipse_measures_its_axes_to_a_step_of_the_grid(
    half_axes: tuple[float, float], degrees: float, spacing: tuple[float, float]
) -> None:
    longest, perpendicular = lengths_mm(slice_of(ellipse(*half_axes, degrees, spacing)), (5.0, *spacing))
    step = max(spacing)
    # Two centres within the ellipse, and half a step beyond either; a sharp tip may fall between centres.
    assert 2 * max(half_axes) - 1.5 * step <= longest <= 2 * max(half_axes) + step + 1e-9
    # A round tumour has no direction: which way its longest diameter lies is chance, and so is the other's.
    assert 2 * min(half_axes) - 1.5 * step <= perpendicular <= longest + 1e-9
    if max(half_axes) > 1.5 * min(half_axes):
        assert perpendicular <= 2 * min(half_axes) + 1.5 * step


def test_a_disc_measures_its_diameter_and_at_most_a_pixel_more_wherever_it_lies() -> None:
    """The longest of many directions is the one that the grid favours; between centres it would never be reached."""
    chance = np.random.default_rng(0)
    errors = []
    for radius in np.linspace(5, 20, 31):
        y, x = np.mgrid[-23:24, -23:24] + chance.uniform(-0.5, 0.5, (2, 1, 1))
        errors.append(lengths_mm(slice_of(np.hypot(y, x) <= radius))[0] - 2 * radius)
    assert min(errors) > -0.5
    assert max(errors) <= 1 + 1e-9
    assert 0.3 < np.mean(errors) < 0.9


def test_the_perpendicular_is_a_chord_and_not_the_width_of_the_shadow() -> None:
    """A parallelogram's shadow across its diagonal is wider than any chord there."""
    flags = np.zeros((20, 60), np.bool_)
    for row in range(20):
        flags[row, row * 2 : row * 2 + 20] = True
    found = bidirectional(slice_of(flags), affine_of((5, 1, 1)))
    assert found is not None
    ends = np.array(found.longest.ends)[:, 1:]
    direction = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
    shadow = np.ptp(np.argwhere(flags) @ np.array([-direction[1], direction[0]]))
    assert found.perpendicular.length_px < shadow - 1
    # Densely: the longest run of the filled shape at right angles to the diameter.
    fine = ndimage.zoom(flags.astype(np.float32), 4, order=0) > 0.5
    places = (np.argwhere(fine) + 0.5) / 4 - 0.5
    along, across = places @ direction, places @ np.array([-direction[1], direction[0]])
    bins = np.round(along * 2).astype(int)
    runs = [np.ptp(across[bins == place]) for place in np.unique(bins)]
    assert found.perpendicular.length_px == pytest.approx(max(runs), abs=1.0)


@given(flags=arrays.arrays(np.bool_, (3, 7, 6), fill=st.just(False)), steps=st.tuples(*[st.floats(0.3, 6)] * 3))
@settings(max_examples=60, deadline=None)
def test_lines_of_any_mask_hold_together(flags: Flags, steps: tuple[float, float, float]) -> None:
    """Against every distance between edge middles, computed without a hull."""
    affine = affine_of(steps)
    found = bidirectional(flags, affine)
    if not flags.any():
        assert found is None
        assert maximum_extent(flags, affine) is None
        return
    assert found is not None
    expected = max(
        pdist(edge_middles(labels == label) * steps[1:]).max()
        for labels, count in (ndimage.label(plane, np.ones((3, 3))) for plane in flags)
        for label in range(1, count + 1)
    )
    assert found.longest.length_mm == pytest.approx(expected)
    longest, perpendicular = (np.diff(np.array(line.ends), axis=0)[0] for line in (found.longest, found.perpendicular))
    assert (longest * steps) @ (perpendicular * steps) == pytest.approx(0, abs=1e-6)
    assert np.linalg.norm(longest * steps) == pytest.approx(found.longest.length_mm)
    assert np.linalg.norm(perpendicular * steps) == pytest.approx(found.perpendicular.length_mm)
    assert (found.perpendicular.length_mm or 0) <= (found.longest.length_mm or 0) * (1 + 1e-9)
    ends = [end for line in (found.longest, found.perpendicular) for end in line.ends]
    assert {end[0] for end in ends} == {float(found.axial_slice)}
    assert flags[found.axial_slice].any()
    extent = maximum_extent(flags, affine)
    assert extent is not None
    assert extent.length_mm == pytest.approx(pdist(face_middles(flags) * steps).max())


def edge_middles(flags: Flags) -> NDArray[np.float64]:
    return np.concatenate([np.argwhere(flags) + half for half in ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5))])


def face_middles(flags: Flags) -> NDArray[np.float64]:
    return np.concatenate([np.argwhere(flags) + sign * half / 2 for half in np.eye(3) for sign in (1, -1)])


def test_the_gap_between_two_lesions_is_not_measured() -> None:
    flags = np.zeros((1, 10, 50), np.bool_)
    flags[0, 2:6, 1:7] = flags[0, 2:6, 40:45] = True
    longest, _ = lengths_mm(flags)
    assert longest == pytest.approx(math.hypot(6, 3))
    found = bidirectional(flags, None)
    assert found is not None
    assert all(end[2] < 10 for end in found.longest.ends)


def test_a_notch_is_crossed() -> None:
    flags = np.zeros((1, 10, 30), np.bool_)
    flags[0, 2:8, 2:28] = True
    flags[0, 2:7, 5:25] = False
    longest, _ = lengths_mm(flags)
    assert longest == pytest.approx(math.hypot(26, 5))


def test_the_slice_with_the_longest_diameter_is_taken_and_its_own_perpendicular() -> None:
    flags = np.zeros((3, 30, 30), np.bool_)
    flags[0, 5:20, 5:20] = True
    flags[2, 5:7, 1:27] = True
    found = bidirectional(flags, affine_of((5, 1, 1)))
    assert found is not None
    assert found.axial_slice == 2
    assert found.longest.length_px == pytest.approx(math.hypot(26, 1))
    assert found.perpendicular.length_px < 3


def test_without_an_affine_there_are_pixels_only() -> None:
    found = bidirectional(slice_of(box(3, 8)), None)
    assert found is not None
    assert found.longest.length_px == pytest.approx(math.hypot(8, 2))
    assert found.longest.length_mm is None
    assert found.perpendicular.length_mm is None


def test_a_skewed_plane_is_measured_in_millimetres_as_it_lies() -> None:
    """Rows that lean over columns, as in a gantry tilted around another axis."""
    affine = affine_of((5, 1, 1))
    affine[0, 1] = 0.5
    found = bidirectional(slice_of(box(9, 1)), affine)
    assert found is not None
    assert found.longest.length_mm == pytest.approx(9 * math.hypot(1, 0.5))


def test_the_extent_of_a_rod_through_space() -> None:
    flags = np.zeros((6, 6, 6), np.bool_)
    flags[range(6), range(6), range(6)] = True
    extent = maximum_extent(flags, affine_of((2, 1, 1)))
    assert extent is not None
    # From face to face along the axis with the longest steps.
    assert extent.length_mm == pytest.approx(math.sqrt((6 * 2) ** 2 + 5**2 + 5**2))


def test_far_more_hull_corners_than_one_block_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diameters, "BLOCK_POINTS", 16)
    voxels = np.linalg.norm(np.indices((19, 19, 19)) - 9.0, axis=0) < 8.5
    affine = affine_of((1.3, 0.9, 0.7))
    line = maximum_extent(voxels, affine)
    assert line is not None
    assert line.length_mm == pytest.approx(pdist(face_middles(voxels) @ affine[:3, :3].T).max())
