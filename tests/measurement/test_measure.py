"""Shapes of known size, put onto grids that lie in space in every way: the numbers stay what they are."""

import csv
import io
import json
import math
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from glioseg.errors import GliosegError
from glioseg.measurement.measure import (
    NO_DIRECTIONS,
    NO_HEAD,
    NO_MEASURABLE,
    NO_PLACE,
    NO_SCAN,
    Measurement,
    measure_mask,
    measured_columns,
)
from glioseg.measurement.region import NO_GEOMETRY, NO_TUMOUR, value_names
from glioseg.volume import Mask, Volume

Flags = NDArray[np.bool_]
Affine = NDArray[np.float64]
Triple = tuple[float, float, float]

orders = st.sampled_from(list(permutations(range(3))))
flips = st.tuples(st.booleans(), st.booleans(), st.booleans())


def axial(spacing_mm: Triple, origin_mm: Triple = (0, 0, 0)) -> Affine:
    """As a radiologist hangs an axial scan: slices to superior, rows to posterior, columns to the patient's left."""
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = spacing_mm[0], -spacing_mm[1], -spacing_mm[2], 1
    affine[:3, 3] = origin_mm
    return affine


def turned(voxels: NDArray[np.generic], affine: Affine, order: tuple[int, ...], flip: tuple[bool, ...]) -> Mask:
    """The same image in the same place, the axes of its array permuted and reversed."""
    into = np.zeros((4, 4))
    into[3, 3] = 1
    for new, old in enumerate(order):
        into[old, new] = -1 if flip[new] else 1
        into[old, 3] = voxels.shape[old] - 1 if flip[new] else 0
    moved = np.flip(voxels.transpose(order), [axis for axis in range(3) if flip[axis]])
    return Mask("A", np.ascontiguousarray(moved), affine=affine @ into)


def box(shape: tuple[int, int, int], at: tuple[int, int, int] = (2, 3, 4), grid: tuple[int, int, int] = (14, 30, 32)):
    voxels = np.zeros(grid, np.bool_)
    voxels[tuple(slice(start, start + size) for start, size in zip(at, shape, strict=True))] = True
    return voxels


def ellipsoid(half_axes_mm: Triple, spacing_mm: Triple) -> Flags:
    axes = [
        np.arange(-int(half / step) - 2, int(half / step) + 3) * step
        for half, step in zip(half_axes_mm, spacing_mm, strict=True)
    ]
    places = np.meshgrid(*axes, indexing="ij")
    return np.asarray(sum((place / half) ** 2 for place, half in zip(places, half_axes_mm, strict=True)) <= 1)


def approx(value: object) -> object:
    return pytest.approx(value, rel=1e-6, abs=1e-6)


def test_a_box_measures_what_it_was_made_of() -> None:
    found = measure_mask(Mask("A", box((5, 8, 12)), affine=axial((4.0, 0.5, 0.5), (80, 60, -20))))
    whole = found.whole
    assert found.spacing_mm == approx((4.0, 0.5, 0.5))
    assert found.slices == 14
    assert whole.voxels == 480
    assert whole.tumour_slices == 5
    assert whole.volume_ml == approx(0.48)
    assert whole.longest_diameter_mm == approx(math.hypot(12, 7) / 2)
    assert whole.diameter_product_mm2 == approx(
        (whole.longest_diameter_mm or 0) * (whole.perpendicular_diameter_mm or 0)
    )
    assert whole.maximum_extent_mm == approx(math.sqrt(20**2 + 3.5**2 + 5.5**2))
    assert whole.rano_measurable is False
    assert whole.centroid_voxel == approx((4, 6.5, 9.5))
    assert whole.centroid_ras_mm == approx((80 - 4.75, 60 - 3.25, -20 + 16))
    assert whole.bounding_box_voxel == ((2, 6), (3, 10), (4, 15))
    # Edge to edge: 12 columns of half a millimetre to the left of x = 80 - 2 + 0.25.
    expected = ((80 - 7.75, 80 - 1.75), (60 - 5.25, 60 - 1.25), (-20 + 6, -20 + 26))
    assert np.array(whole.bounding_box_ras_mm) == approx(np.array(expected))


@given(
    half_axes=st.tuples(*[st.floats(8, 14)] * 3),
    spacing=st.tuples(st.floats(1, 2.5), st.floats(0.7, 1.1), st.floats(0.7, 1.1)),
    order=orders,
    flip=flips,
)
@settings(max_examples=15, deadline=None)
def test_an_ellipsoid_has_its_volume_and_axes_on_every_grid(
    half_axes: Triple, spacing: Triple, order: tuple[int, ...], flip: tuple[bool, ...]
) -> None:
    """Half axes along superior, anterior and left; whatever axis of the array lies along which of them."""
    mask = turned(ellipsoid(half_axes, spacing), axial(spacing, (30, -20, 10)), order, flip)
    whole = measure_mask(mask).whole
    assert whole.volume_ml == pytest.approx(4 / 3 * math.pi * math.prod(half_axes) / 1000, rel=0.08)
    in_plane = sorted(half_axes[1:])
    step = max(spacing[1:])
    assert 2 * in_plane[1] - 1.5 * step <= (whole.longest_diameter_mm or 0) <= 2 * in_plane[1] + step + 1e-9
    assert (whole.perpendicular_diameter_mm or 0) >= 2 * in_plane[0] - 1.5 * step
    extent = whole.maximum_extent_mm or 0
    assert 2 * max(half_axes) - 1.5 * max(spacing) <= extent <= 2 * max(half_axes) + max(spacing) + 1e-9
    assert whole.rano_measurable is True


@given(seed=st.integers(0, 2**31), order=orders, flip=flips, spacing=st.tuples(*[st.floats(0.5, 5)] * 3))
@settings(max_examples=15, deadline=None)
def test_no_number_depends_on_the_order_of_the_axes(
    seed: int, order: tuple[int, ...], flip: tuple[bool, ...], spacing: Triple
) -> None:
    """Any mask, several components: a permutation or reversal of the array moves nothing in the patient."""
    voxels = np.random.default_rng(seed).random((5, 6, 7)) < 0.15
    voxels[0, 0, 0] = True
    affine = axial(spacing, (12, 34, 56))
    # Components of equal size stand in the order of the grid, which the permutation changes.
    plain, other = (
        measure_mask(mask) for mask in (Mask("A", voxels, affine=affine), turned(voxels, affine, order, flip))
    )
    index_names = {
        "centroid_voxel",
        "bounding_box_voxel",
        "diameter_slice",
        "longest_diameter_px",
        "perpendicular_diameter_px",
    }
    for name in value_names():
        if name not in index_names:
            expected, found = getattr(plain.whole, name), getattr(other.whole, name)
            assert (found is None) == (expected is None)
            if expected is not None:
                assert np.array(found, np.float64) == approx(np.array(expected, np.float64)), name
    assert plain.slices == other.slices
    assert sorted(part.voxels for part in plain.components) == sorted(part.voxels for part in other.components)
    assert (plain.sum_of_products_mm2 or 0) == approx(other.sum_of_products_mm2 or 0)


@given(angles=st.tuples(*[st.floats(-20, 20)] * 3))
@settings(max_examples=15, deadline=None)
def test_a_head_that_is_tilted_in_the_scanner_changes_no_length(angles: Triple) -> None:
    """An oblique grid: rotate the whole affine by up to 20 degrees about each axis."""
    voxels, affine = box((5, 8, 12)), axial((4.0, 0.5, 0.5))
    tilted = affine.copy()
    rotation = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    tilted[:3] = rotation @ affine[:3]
    straight, oblique = (measure_mask(Mask("A", voxels, affine=each)).whole for each in (affine, tilted))
    for name in ("volume_ml", "longest_diameter_mm", "perpendicular_diameter_mm", "maximum_extent_mm", "tumour_slices"):
        assert getattr(oblique, name) == approx(getattr(straight, name))
    assert np.array(oblique.centroid_ras_mm) == approx(rotation @ np.array(straight.centroid_ras_mm))


def test_a_sagittal_grid_is_measured_on_axial_slices() -> None:
    """A rod from front to back: long on axial slices, a dot on coronal ones, and sagittal slices cut it differently."""
    rod = np.zeros((10, 60, 40), np.bool_)
    rod[4:6, 10:50, 18:21] = True
    affine = axial((5.0, 1.0, 1.0))
    sagittal = turned(rod, affine, (2, 0, 1), (True, True, False))
    assert sagittal.voxels.shape == (40, 10, 60)
    found = measure_mask(sagittal)
    assert found.slices == 10
    assert found.whole.tumour_slices == 2
    assert found.whole.longest_diameter_mm == approx(math.hypot(40, 2))


def test_without_an_affine_counts_and_pixels_are_all_there_is() -> None:
    found = measure_mask(Mask("A", box((5, 8, 12)), slice_names=tuple("abcdefghijklmn")))
    known = {name for name in value_names() if getattr(found.whole, name) is not None}
    assert known == {
        "voxels",
        "tumour_slices",
        "longest_diameter_px",
        "perpendicular_diameter_px",
        "diameter_slice",
        "centroid_voxel",
        "bounding_box_voxel",
    }
    assert found.whole.longest_diameter_px == approx(math.hypot(12, 7))
    assert found.whole.unknown == dict.fromkeys(set(value_names()) - known, NO_GEOMETRY)
    assert found.spacing_mm is None
    assert found.sum_of_products_mm2 is None
    assert found.as_json()["unknown"]["volume_ml"] == NO_GEOMETRY


@pytest.mark.parametrize("affine", [None, axial((5, 1, 1))])
def test_an_empty_mask_has_no_volume_and_no_place(affine: Affine | None) -> None:
    found = measure_mask(Mask("A", np.zeros((3, 4, 5), np.bool_), affine=affine))
    assert found.whole.volume_ml == 0
    assert (found.whole.voxels, found.whole.tumour_slices, found.whole.rano_measurable) == (0, 0, False)
    assert found.components == ()
    assert set(found.whole.unknown.values()) == {NO_TUMOUR}
    assert found.whole.centroid_voxel is None
    assert found.unknown["sum_of_products_mm2"] == NO_TUMOUR


def test_components_stand_by_volume_and_add_up() -> None:
    voxels = box((2, 3, 3)) | box((4, 12, 13), (3, 12, 12)) | box((1, 1, 1), (12, 28, 30))
    found = measure_mask(Mask("A", voxels, affine=axial((5.0, 1.0, 1.0))))
    assert [part.voxels for part in found.components] == [624, 18, 1]
    assert sum(part.volume_ml or 0 for part in found.components) == approx(found.whole.volume_ml)
    assert [part.rano_measurable for part in found.components] == [True, False, False]
    assert found.components[1].bounding_box_voxel == ((2, 3), (3, 5), (4, 6))
    assert found.components[2].centroid_voxel == approx((12, 28, 30))
    assert found.components[2].longest_diameter_mm == approx(1)
    # The whole is measured by its largest lesion, and reaches from one end to the other.
    assert found.whole.longest_diameter_mm == found.components[0].longest_diameter_mm
    assert (found.whole.maximum_extent_mm or 0) > 45
    assert found.sum_of_products_mm2 == found.components[0].diameter_product_mm2


def test_voxels_that_touch_by_a_corner_are_one_component() -> None:
    voxels = np.zeros((3, 3, 3), np.bool_)
    voxels[0, 0, 0] = voxels[1, 1, 1] = True
    assert len(measure_mask(Mask("A", voxels)).components) == 1
    voxels[1, 1, 1], voxels[2, 2, 2] = False, True
    assert len(measure_mask(Mask("A", voxels)).components) == 2


def test_products_of_at_most_five_lesions_add_up() -> None:
    voxels = np.zeros((4, 20, 150), np.bool_)
    for lesion in range(7):
        voxels[1:3, 2 : 14 + (lesion % 3), 20 * lesion : 20 * lesion + 13] = True
    found = measure_mask(Mask("A", voxels, affine=axial((5.0, 1.0, 1.0))))
    products = sorted((part.diameter_product_mm2 or 0 for part in found.components), reverse=True)
    assert len(products) == 7
    assert found.sum_of_products_mm2 == approx(sum(products[:5]))


@pytest.mark.parametrize(
    ("shape", "measurable"),
    [
        ((2, 12, 12), True),
        ((1, 12, 12), False),
        ((2, 7, 30), False),
        ((2, 10, 10), True),
        ((2, 9, 9), True),
        ((2, 7, 7), False),
    ],
)
def test_measurable_means_ten_millimetres_twice_on_two_slices(shape: tuple[int, int, int], measurable: bool) -> None:
    """A box of 9 x 9 is: its diagonals, edge to edge, are more than 10 mm long."""
    found = measure_mask(Mask("A", box(shape), affine=axial((5.0, 1.0, 1.0))))
    assert found.whole.rano_measurable is measurable
    if not measurable:
        assert found.unknown["sum_of_products_mm2"] == NO_MEASURABLE


# The side. Columns run to the patient's left, so that low columns are right; the head lies off the scanner's middle.

HEAD_MIDDLE_MM = 23.0


def head(*tumours: tuple[int, int], order: tuple[int, ...] = (0, 1, 2), flip: tuple[bool, ...] = (False,) * 3):
    """An elliptic head with its middle in column 40, and tumours over ranges of columns."""
    y, x = np.mgrid[-50:51, -40:41]
    grey = np.where((y / 46) ** 2 + (x / 36) ** 2 <= 1, 120, 4).astype(np.float32)
    grey = np.repeat(grey[np.newaxis], 6, axis=0) + np.random.default_rng(1).normal(0, 2, (6, 101, 81)).astype(
        np.float32
    )
    voxels = np.zeros(grey.shape, np.bool_)
    for first, last in tumours:
        voxels[2:4, 40:52, first : last + 1] = True
    affine = axial((5.0, 1.0, 1.0), (HEAD_MIDDLE_MM + 40, 0, 0))
    mask = turned(voxels, affine, order, flip)
    moved = np.ascontiguousarray(np.flip(grey.transpose(order), [axis for axis in range(3) if flip[axis]]))
    return mask, Volume("A", moved[..., np.newaxis], channels=("flair",), affine=mask.affine)


@pytest.mark.parametrize(
    ("tumours", "side"),
    [
        ([(12, 30)], "right"),
        ([(50, 70)], "left"),
        ([(20, 60)], "crossing"),
        ([(12, 30), (50, 70)], "both"),
        ([(15, 42)], "right"),
        ([(20, 60), (66, 70)], "crossing"),
    ],
)
@given(order=orders, flip=flips)
@settings(max_examples=6, deadline=None)
def test_the_side_is_the_patients_on_every_grid(
    tumours: list[tuple[int, int]], side: str, order: tuple[int, ...], flip: tuple[bool, ...]
) -> None:
    """Every tumour here lies at x > 0 or at either side of it: x = 0 says nothing."""
    mask, scan = head(*tumours, order=order, flip=flip)
    assert measure_mask(mask, scan).whole.side == side


def test_close_to_the_middle_no_side_is_claimed() -> None:
    mask, scan = head((38, 42))
    found = measure_mask(mask, scan)
    assert found.whole.side is None
    assert found.whole.unknown["side"] == "the tumour lies within 5 mm of the head's middle"


def test_without_a_scan_the_plane_x_0_is_not_trusted() -> None:
    mask, scan = head((12, 30))
    assert measure_mask(mask).whole.unknown["side"] == NO_SCAN
    blank = Volume("A", np.zeros_like(scan.voxels), channels=("flair",), affine=scan.affine)
    assert measure_mask(mask, blank).whole.unknown["side"] == NO_HEAD
    placeless = Volume("A", scan.voxels, channels=("flair",))
    assert measure_mask(Mask("A", mask.voxels), placeless).whole.unknown["side"] == NO_GEOMETRY


def test_directions_that_the_scan_does_not_tell_give_no_side() -> None:
    mask, scan = head((12, 30))
    by_spacing = measure_mask(mask, replace(scan, place="spacing")).whole
    assert (by_spacing.side, by_spacing.unknown["side"]) == (None, NO_DIRECTIONS)
    assert by_spacing.volume_ml == measure_mask(mask, scan).whole.volume_ml
    assert by_spacing.centroid_voxel is not None
    assert by_spacing.centroid_ras_mm is by_spacing.bounding_box_ras_mm is None
    assert by_spacing.unknown["centroid_ras_mm"] == by_spacing.unknown["bounding_box_ras_mm"] == NO_PLACE
    row = measure_mask(mask, replace(scan, place="spacing")).as_rows()[1]
    assert (row["centroid_x_mm"], row["last_z_mm"]) == (None, None)
    assumed = measure_mask(mask, replace(scan, place="assumed")).whole
    assert (assumed.volume_ml, assumed.unknown["side"]) == (None, NO_GEOMETRY)


def test_a_scan_of_another_grid_is_refused() -> None:
    mask, scan = head((12, 30))
    with pytest.raises(GliosegError, match="different shapes"):
        measure_mask(Mask("A", mask.voxels[:-1], affine=mask.affine), scan)
    assert mask.affine is not None
    elsewhere = mask.affine.copy()
    elsewhere[0, 3] += 3
    with pytest.raises(GliosegError, match=r"different places: .* corners up to 3\.0 mm apart"):
        measure_mask(Mask("A", mask.voxels, affine=elsewhere), scan)


@pytest.mark.parametrize("affine", [np.zeros((4, 4)), np.diag([1, 1, 0, 1.0]), np.full((4, 4), np.nan), np.eye(3)])
def test_an_affine_that_places_no_voxel_is_refused(affine: Affine) -> None:
    with pytest.raises(GliosegError, match="patient A: the affine of the mask places no voxel"):
        measure_mask(Mask("A", box((2, 2, 2)), affine=affine))


# What is written down.


def measurements() -> list[Measurement]:
    mask, scan = head((12, 30), (50, 70))
    masks = [
        Mask("A", box((5, 8, 12)), affine=axial((4, 0.5, 0.5))),
        Mask("A", box((5, 8, 12))),
        Mask("A", np.zeros((3, 4, 5), np.bool_)),
    ]
    return [measure_mask(mask, scan), *map(measure_mask, masks)]


@pytest.mark.parametrize("number", range(4))
def test_json_is_strict_and_every_null_has_its_reason(number: int) -> None:
    found = measurements()[number]
    content = json.loads(json.dumps(found.as_json(), allow_nan=False))
    for part in (content, *content["components"]):
        nulls = {name for name, value in part.items() if value is None}
        assert nulls == part["unknown"].keys()
        assert all(part["unknown"].values())
    assert len(content["components"]) == len(found.components)
    for line in (content["lines"]["diameters"] or {}).get("longest", {}).get("ends", []):
        assert len(line) == 3


def test_all_rows_share_their_columns() -> None:
    rows = [row for found in measurements() for row in found.as_rows()]
    assert all(list(row) == ["component", *measured_columns()] for row in rows)
    assert [row["component"] for row in rows] == ["all", "1", "2", "all", "1", "all", "1", "all"]
    whole = measurements()[0].as_row()
    assert whole.keys() == rows[0].keys() - {"component"}
    assert whole["components"] == 2
    assert whole["volume_ml"] == pytest.approx(0.005 * 2 * 12 * (19 + 21))
    assert whole["first_slice"] == 2
    assert whole["last_slice"] == 3
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys())
    writer.writerows(rows)
    assert "None" not in text.getvalue()


def test_a_row_says_in_words_what_is_missing() -> None:
    row = measurements()[1].as_row()
    assert row["side"] is None
    assert row["unknown"] == f"side: {NO_SCAN}; sum_of_products_mm2: {NO_MEASURABLE}"
    row = measurements()[2].as_row()
    assert row["volume_ml"] is None
    assert row["unknown"].startswith("volume_ml, longest_diameter_mm, ")
    assert row["unknown"].endswith(NO_GEOMETRY)
