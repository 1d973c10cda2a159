"""What a slice takes over from the slices beside it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from glioseg.inference.neighbours import with_neighbours

VOLUMES = arrays(np.float32, st.tuples(*[st.integers(1, 5)] * 3), elements=st.floats(0, 1, width=32))


def test_a_speck_fades_and_a_hole_fills() -> None:
    column = np.array([0, 0, 1, 0, 0, 1, 1, 0, 1, 1], np.float32)[:, None, None]
    found = with_neighbours(column, 0.25)[:, 0, 0]
    np.testing.assert_allclose(found, [0, 0.25, 0.5, 0.25, 0.25, 0.75, 0.75, 0.5, 0.75, 1])


def test_rows_and_columns_stay_apart() -> None:
    voxels = np.zeros((3, 3, 3), np.float32)
    voxels[1, 1, 1] = 1
    found = with_neighbours(voxels, 0.1)
    assert np.flatnonzero(found.any(axis=0)).tolist() == [4]


@given(voxels=VOLUMES)
def test_without_a_weight_nothing_changes(voxels: np.ndarray) -> None:
    assert with_neighbours(voxels, 0) is voxels


@given(voxels=VOLUMES, weight=st.floats(0.01, 0.33))
def test_the_sum_stays_and_so_does_the_range(voxels: np.ndarray, weight: float) -> None:
    found = with_neighbours(voxels, weight)
    assert found.dtype == np.float32
    assert found.sum() == pytest.approx(voxels.sum(), abs=1e-3)
    assert found.min() >= voxels.min() - 1e-6
    assert found.max() <= voxels.max() + 1e-6


@given(slice_=arrays(np.float32, (1, 3, 3), elements=st.floats(0, 1, width=32)))
def test_a_slice_alone_is_its_own_neighbour(slice_: np.ndarray) -> None:
    np.testing.assert_allclose(with_neighbours(slice_, 0.1), slice_, atol=1e-6)
