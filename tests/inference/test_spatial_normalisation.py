from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from glioseg.dataset.phantom import make_phantom
from glioseg.errors import GliosegError
from glioseg.head.bounding_box import head_bounding_box
from glioseg.inference.spatial_normalisation import BRAIN_HEIGHT_PX, find_spatial_normalisation
from glioseg.volume import Volume

AXIAL = np.array([[0, 0, -1, 0], [0, -1, 0, 0], [5, 0, 0, 0], [0, 0, 0, 1]], float)
"""Slices 5 mm apart towards the crown, rows 1 mm towards the back, columns 1 mm towards the patient's left."""


@pytest.fixture(scope="module")
def head() -> Volume:
    volume, _ = make_phantom(5, size=256, slices=12)
    return Volume("P", volume.voxels.astype(np.float32), affine=AXIAL)


def zoomed(volume: Volume, rows: float, columns: float) -> Volume:
    voxels = ndimage.zoom(volume.voxels, (1, rows, columns, 1), order=1, grid_mode=True, mode="grid-constant")
    assert volume.affine is not None
    return replace(volume, voxels=voxels, affine=volume.affine @ np.diag([1, 1 / rows, 1 / columns, 1]))


def test_a_head_of_the_datasets_size_is_left_as_it_is(head: Volume) -> None:
    normalisation = find_spatial_normalisation(head)
    assert not normalisation.is_resampled
    np.testing.assert_array_equal(normalisation.place(head).voxels, head.voxels)


@pytest.mark.parametrize("turn", [(0, 1, 2), (1, 0, 2), (2, 1, 0), (2, 0, 1)])
def test_a_turned_head_is_placed_the_same_and_comes_back_to_the_voxel(head: Volume, turn: tuple[int, ...]) -> None:
    permutation = np.eye(4)[:, [*turn, 3]]
    voxels = head.voxels.transpose(*turn, 3)[:, ::-1]
    flip = np.diag([1.0, -1, 1, 1])
    flip[1, 3] = voxels.shape[1] - 1
    assert head.affine is not None
    turned = replace(head, voxels=voxels, affine=head.affine @ permutation @ flip)
    normalisation = find_spatial_normalisation(turned)
    assert not normalisation.is_resampled
    placed = normalisation.place(turned)
    np.testing.assert_array_equal(placed.voxels, head.voxels)
    restored = normalisation.restore(placed.channel("flair"), turned.voxels.shape[:3])
    np.testing.assert_array_equal(restored, turned.channel("flair"))


@pytest.mark.parametrize(("rows", "columns"), [(0.6, 0.6), (1.5, 1.5), (1.0, 0.5)])
def test_any_other_size_comes_to_the_brains_usual_height(head: Volume, rows: float, columns: float) -> None:
    scan = zoomed(head, rows, columns)
    normalisation = find_spatial_normalisation(scan)
    assert normalisation.is_resampled
    placed = normalisation.place(scan)
    bounding_box = head_bounding_box(placed)
    assert bounding_box.brain_rows == pytest.approx(BRAIN_HEIGHT_PX, rel=0.04)
    # The middle of the brain lies in the middle of the image, and the head is round again.
    middle = [(size - 1) / 2 for size in placed.voxels.shape[1:3]]
    np.testing.assert_allclose(bounding_box.centre, middle, atol=4)
    original = head_bounding_box(head)
    height, width = (high - low + 1 for low, high in bounding_box.head)
    original_height, original_width = (high - low + 1 for low, high in original.head)
    assert height / width == pytest.approx(original_height / original_width, rel=0.04)


@pytest.mark.parametrize(("rows", "columns"), [(0.6, 0.6), (1.5, 1.5), (1.0, 0.5)])
def test_what_is_found_comes_back_to_its_place(head: Volume, rows: float, columns: float) -> None:
    scan = zoomed(head, rows, columns)
    normalisation = find_spatial_normalisation(scan)
    blob = np.zeros(scan.voxels.shape[:3], np.float32)
    blob[5] = np.hypot(*np.indices(blob.shape[1:]) - np.array([[[90 * rows]], [[110 * columns]]])) < 20 * columns
    marked = replace(scan, voxels=np.repeat(blob[..., None], 3, axis=-1))
    back = normalisation.restore(normalisation.place(marked).channel("flair"), scan.voxels.shape[:3])
    assert back.shape == blob.shape
    found, true = back >= 0.5, blob > 0
    assert 2 * (found & true).sum() / (found.sum() + true.sum()) > 0.95
    np.testing.assert_allclose(ndimage.center_of_mass(found), ndimage.center_of_mass(true), atol=0.3)


def test_a_black_scan_shows_no_head() -> None:
    with pytest.raises(GliosegError, match="shows no head"):
        find_spatial_normalisation(Volume("P", np.zeros((4, 64, 64, 3), np.float32)))


def thinned(volume: Volume, factor: int) -> Volume:
    """The same slices, each as so many thinner ones."""
    assert volume.affine is not None
    affine = volume.affine @ np.diag([1 / factor, 1, 1, 1])
    affine[:3, 3] += volume.affine[:3, 0] * (1 / factor - 1) / 2
    return replace(volume, voxels=np.repeat(volume.voxels, factor, axis=0), affine=affine)


@pytest.mark.parametrize("turn", [(0, 1, 2), (1, 0, 2), (2, 1, 0)])
def test_thin_slices_are_seen_as_thick_ones_in_whichever_direction_they_were_taken(
    head: Volume, turn: tuple[int, ...]
) -> None:
    """Every second slab lies on a slice of 5 mm."""
    thin = thinned(head, 5)
    assert thin.affine is not None
    turned = replace(thin, voxels=thin.voxels.transpose(*turn, 3), affine=thin.affine @ np.eye(4)[:, [*turn, 3]])
    normalisation = find_spatial_normalisation(turned)
    assert normalisation.step_mm == 2.5
    placed = normalisation.place(turned)
    np.testing.assert_allclose(placed.voxels[::2], head.voxels, atol=1e-3)
    back = normalisation.restore(placed.channel("flair"), turned.voxels.shape[:3])
    assert back.shape == turned.voxels.shape[:3]
    middle_of_slices = back.transpose(np.argsort(turn))[2::5]
    np.testing.assert_allclose(middle_of_slices, head.channel("flair"), atol=1e-3)


def test_thick_slices_and_slices_of_unknown_thickness_stay_as_they_are(head: Volume) -> None:
    assert find_spatial_normalisation(head).slabs is None
    unknown = replace(thinned(head, 5), affine=None)
    assert find_spatial_normalisation(unknown).slabs is None
