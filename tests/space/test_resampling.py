import itertools

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.processing import resample_from_to
from scipy.spatial.transform import Rotation

from glioseg.scan import Scan
from glioseg.space.affine import Grid, grid_of, positions_mm
from glioseg.space.resampling import field_of_view, resample_scan

SHAPE = (6, 7, 8)
MODERATE = settings(deadline=None, max_examples=30)


def affine_of(
    spacing: tuple[float, ...] = (1, 1, 1),
    degrees: tuple[float, ...] = (0, 0, 0),
    origin: tuple[float, ...] = (0, 0, 0),
) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix() * np.array(spacing)
    affine[:3, 3] = origin
    return affine


def noise(shape: tuple[int, ...] = SHAPE, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(100, 20, shape).astype(np.float32)


@MODERATE
@given(
    st.tuples(*[st.floats(0.8, 1.6)] * 3),
    st.tuples(*[st.floats(-40, 40)] * 3),
    st.tuples(*[st.floats(-2, 2)] * 3),
)
def test_intensities_are_those_of_nibabel(spacing: tuple, degrees: tuple, origin: tuple) -> None:
    """Within the outermost voxel centres, where nibabel interpolates too; up to a ratio of 2 there is no smoothing."""
    source, onto = Scan("A", noise(), affine_of((1, 1, 1))), Grid((5, 9, 7), affine_of(spacing, degrees, origin))
    oracle = resample_from_to(nibabel.Nifti1Image(source.voxels, source.affine), (onto.shape, onto.affine), order=1)
    indices = positions_mm(np.linalg.inv(source.affine) @ onto.affine, np.argwhere(np.ones(onto.shape)).astype(float))
    inner = ((indices > 1e-6) & (indices < np.array(SHAPE) - 1 - 1e-6)).all(axis=1).reshape(onto.shape)
    ours = resample_scan(source, onto)
    assert ours.voxels[inner] == pytest.approx(oracle.get_fdata()[inner], rel=1e-5)
    assert ours.affine is onto.affine


@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, -1)])
def test_exchanged_axes_are_resampled_without_a_trace(axes: tuple[int, ...], signs: tuple[int, ...]) -> None:
    affine = affine_of((3.3, 0.7, 0.9), (11, -23, 5), (17.3, -80.1, 9))
    orientation = np.array(list(zip(axes, signs, strict=True)), float)
    turned = nibabel.orientations.apply_orientation(noise(), orientation)
    source = Scan("A", turned, affine @ nibabel.orientations.inv_ornt_aff(orientation, SHAPE))
    onto = Grid(SHAPE, affine)
    assert np.array_equal(resample_scan(source, onto).voxels, noise())
    assert field_of_view(grid_of(source), onto).all()


def test_halfway_between_two_voxels_lies_their_mean() -> None:
    voxels = np.zeros((1, 1, 4), np.float32)
    voxels[0, 0] = (0, 10, 20, 40)
    found = resample_scan(Scan("A", voxels, affine_of()), Grid((1, 1, 3), affine_of(origin=(0, 0, 0.5))))
    assert found.voxels[0, 0].tolist() == [5, 15, 30]


def test_a_voxel_reaches_half_a_step_and_beyond_lies_the_lowest_intensity() -> None:
    voxels = np.full((1, 1, 3), 9, np.float32)
    voxels[0, 0, 1] = 4
    source, onto = Scan("A", voxels, affine_of()), Grid((1, 1, 5), affine_of(origin=(0, 0, -1.4)))
    # Indices -1.4, -0.4, 0.6, 1.6 and 2.6.
    assert field_of_view(grid_of(source), onto)[0, 0].tolist() == [False, True, True, True, False]
    assert resample_scan(source, onto).voxels[0, 0].tolist() == pytest.approx([4, 9, 6, 7, 4])


def test_a_single_slice_reaches_half_its_thickness() -> None:
    source = Scan("A", noise((1, 4, 4)), affine_of((5, 1, 1)))
    onto = Grid((7, 4, 4), affine_of(origin=(-3, 0, 0)))
    assert field_of_view(grid_of(source), onto)[:, 2, 2].tolist() == [False, True, True, True, True, True, False]
    assert np.array_equal(resample_scan(source, onto).voxels[3], source.voxels[0])


def test_a_much_coarser_grid_sees_the_mean_of_what_it_covers() -> None:
    """A chequered image is plain to a voxel of six: single voxels picked out of it would be black or white."""
    chequered = (np.indices((12, 12, 48)).sum(axis=0) % 2).astype(np.float32)
    coarse = resample_scan(Scan("A", chequered, affine_of()), Grid((12, 12, 7), affine_of((1, 1, 6), origin=(0, 0, 5))))
    assert coarse.voxels == pytest.approx(0.5, abs=0.02)


def test_smoothing_runs_along_the_coarse_axis_alone() -> None:
    striped = np.zeros((8, 12, 48), np.float32)
    striped[::2] = 1
    coarse = resample_scan(Scan("A", striped, affine_of()), Grid((8, 12, 7), affine_of((1, 1, 6), origin=(0, 0, 5))))
    assert np.array_equal(coarse.voxels, striped[..., :7])


def test_up_to_twice_as_coarse_there_is_no_smoothing() -> None:
    voxels = noise((4, 4, 9))
    found = resample_scan(Scan("A", voxels, affine_of()), Grid((4, 4, 5), affine_of((1, 1, 2))))
    assert np.array_equal(found.voxels, voxels[..., ::2])


def test_without_a_place_nothing_can_be_resampled() -> None:
    scan = Scan("A", noise(), None)
    with pytest.raises(ValueError, match="without an affine"):
        resample_scan(scan, Grid(SHAPE, affine_of()))
    with pytest.raises(ValueError, match="without an affine"):
        field_of_view(Grid(SHAPE, affine_of()), Grid(SHAPE))
