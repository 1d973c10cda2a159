import itertools

import nibabel
import numpy as np
import pytest
from axial_scans import axial_volume, mask_from_axial
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.orientations import apply_orientation, inv_ornt_aff
from scipy.spatial.transform import Rotation

from glioseg.space.affine import positions_mm
from glioseg.space.axial import (
    AxialView,
    axial_affine,
    axial_view,
    from_axial,
    to_axial,
)
from glioseg.volume import Mask, Volume

AXIAL = np.array([[0, 0, -0.7, 81.5], [0, -0.9, 0, 104.25], [5, 0, 0, -63], [0, 0, 0, 1]])
UNHURRIED = settings(deadline=None)
SHAPE = (3, 4, 5)
ORIENTATIONS = [
    np.array(list(zip(axes, signs, strict=True)), float)
    for axes in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]
"""The 48 ways to exchange and reverse three axes, as nibabel notes them."""


def angles(limit: float) -> st.SearchStrategy[tuple[float, float, float]]:
    return st.tuples(*[st.floats(-limit, limit)] * 3)


def oblique(degrees: tuple[float, float, float]) -> np.ndarray:
    affine = AXIAL.copy()
    affine[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix() @ AXIAL[:3, :3]
    return affine


def stored(image: np.ndarray, affine: np.ndarray, orientation: np.ndarray) -> Volume:
    """The same patient in a file whose axes run otherwise; nibabel turns the array and the affine, not we."""
    voxels = np.repeat(apply_orientation(image, orientation)[..., None], 3, axis=-1)
    return Volume("A", voxels, affine=affine @ inv_ornt_aff(orientation, image.shape))


def image() -> np.ndarray:
    return np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)


def centroid_mm(mask: Mask) -> np.ndarray:
    assert mask.affine is not None
    return positions_mm(mask.affine, np.argwhere(mask.voxels).mean(axis=0))


@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=str)
def test_however_a_scan_is_stored_its_axial_view_is_the_same(orientation: np.ndarray) -> None:
    view = axial_volume(stored(image(), AXIAL, orientation))
    assert view.affine == pytest.approx(AXIAL)
    assert np.array_equal(view.channel("flair"), image())
    assert view.voxels.flags.c_contiguous


@UNHURRIED
@given(st.sampled_from(ORIENTATIONS), angles(25))
def test_an_oblique_scan_goes_to_the_nearest_axes(orientation: np.ndarray, degrees: tuple[float, float, float]) -> None:
    view = axial_volume(stored(image(), oblique(degrees), orientation))
    assert view.affine == pytest.approx(oblique(degrees))
    assert np.array_equal(view.channel("flair"), image())


@UNHURRIED
@given(st.sampled_from(ORIENTATIONS), angles(180), st.integers(0, 2**32 - 1))
def test_a_mask_comes_back_where_it_was(
    orientation: np.ndarray, degrees: tuple[float, float, float], seed: int
) -> None:
    source = stored(image(), oblique(degrees), orientation)
    drawn = np.random.default_rng(seed).random(source.voxels.shape[:3]) > 0.6
    drawn[0, 0, 0] = True
    on_source = Mask("A", drawn, affine=source.affine)

    view = axial_volume(source)
    in_view = Mask("A", to_axial(drawn, axial_view(source.affine)), affine=view.affine)
    back = mask_from_axial(in_view, source)

    assert centroid_mm(in_view) == pytest.approx(centroid_mm(on_source))
    assert np.array_equal(back.voxels, drawn)
    assert np.array_equal(back.affine, source.affine)


@UNHURRIED
@given(st.permutations([0, 1, 2]), st.tuples(*[st.booleans()] * 3), st.integers(1, 4), st.integers(0, 3))
def test_the_way_back_undoes_every_view(axes: list[int], flips: tuple[bool, ...], size: int, channels: int) -> None:
    view = AxialView(tuple(axes), flips)
    shape = (size, 2, 5, channels) if channels else (size, 2, 5)
    voxels = np.arange(np.prod(shape)).reshape(shape)
    assert np.array_equal(from_axial(to_axial(voxels, view), view), voxels)
    assert np.array_equal(to_axial(from_axial(voxels, view), view), voxels)


@UNHURRIED
@given(st.permutations([0, 1, 2]), st.tuples(*[st.booleans()] * 3), angles(180))
def test_every_voxel_of_the_view_keeps_its_millimetres(
    axes: list[int], flips: tuple[bool, ...], degrees: tuple[float, float, float]
) -> None:
    view, affine = AxialView(tuple(axes), flips), oblique(degrees)
    places = positions_mm(affine, np.argwhere(np.ones(SHAPE)).astype(float)).reshape(*SHAPE, 3)
    seen = to_axial(places, view)
    by_affine = positions_mm(axial_affine(affine, SHAPE, view), np.argwhere(np.ones(seen.shape[:3])).astype(float))
    assert by_affine.reshape(seen.shape) == pytest.approx(seen)


def test_a_sagittal_scan_by_hand() -> None:
    """Slices to the left, rows downwards, columns backwards."""
    sagittal = np.array([[-3, 0, 0, 60], [0, 0, -1, 100], [0, -1, 0, 90], [0, 0, 0, 1]], float)
    voxels = np.zeros((2, 3, 4), np.uint8)
    voxels[1, 0, 3] = 7  # leftmost, topmost, backmost
    view = axial_view(sagittal)
    assert view == AxialView(axes=(1, 2, 0), reversed_axes=(True, False, False))
    assert np.argwhere(to_axial(voxels, view)).tolist() == [[2, 3, 1]]
    assert "".join(nibabel.aff2axcodes(axial_affine(sagittal, voxels.shape, view))) == "SPL"


def test_a_scan_without_a_place_is_axial_already() -> None:
    names = ("a", "b", "c")
    volume = Volume("A", np.repeat(image()[..., None], 3, axis=-1), slice_names=names)
    assert axial_volume(volume) is volume
    mask = Mask("A", image() > 7)
    back = mask_from_axial(mask, volume)
    assert np.array_equal(back.voxels, mask.voxels)
    assert back.slice_names == names
    assert back.affine is None


@pytest.mark.parametrize(
    ("orientation", "names"),
    [
        ([[0, 1], [1, 1], [2, 1]], ("a", "b", "c")),
        ([[0, -1], [2, 1], [1, 1]], ("c", "b", "a")),
        ([[1, 1], [0, 1], [2, 1]], ()),
    ],
)
def test_slice_names_follow_their_slices(orientation: list[list[int]], names: tuple[str, ...]) -> None:
    plain = stored(np.zeros((3, 3, 3), np.float32), AXIAL, np.array(orientation, float))
    named = Volume("A", plain.voxels, slice_names=("a", "b", "c"), affine=plain.affine)
    assert axial_volume(named).slice_names == names
    mask = Mask("A", np.zeros((3, 3, 3), np.bool_))
    assert mask_from_axial(mask, named).slice_names == ("a", "b", "c")


def test_a_mask_of_another_scan_is_a_defect() -> None:
    with pytest.raises(ValueError, match=r"\(3, 4, 5\)"):
        mask_from_axial(Mask("A", np.zeros((3, 4, 6), np.bool_)), stored(image(), AXIAL, ORIENTATIONS[0]))
