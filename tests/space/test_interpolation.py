import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from glioseg.space.interpolation import interpolated, neighbours

steps = st.floats(0.3, 3.0)
starts = st.floats(-9.0, 9.0)
sizes = st.integers(2, 12)


def image(rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(rows + 99 * columns).normal(100, 50, (rows, columns)).astype(np.float32)


@given(shape=st.tuples(sizes, sizes), step=st.tuples(steps, steps), start=st.tuples(starts, starts))
@settings(max_examples=60, deadline=None)
def test_an_image_is_placed_as_by_scipy(
    shape: tuple[int, int], step: tuple[float, float], start: tuple[float, float]
) -> None:
    """Within a rounding: compilers for other processors multiply and add at once."""
    source = image(*shape)
    places = [(np.arange(15) + first / by) * by for by, first in zip(step, start, strict=True)]
    rows, columns = (neighbours(along, pixels) for along, pixels in zip(places, shape, strict=True))
    expected = ndimage.affine_transform(source, step, start, output_shape=(15, 15), order=1)
    np.testing.assert_allclose(interpolated(source, rows, columns), expected, rtol=1e-6, atol=1e-4)


@given(shape=st.tuples(sizes, sizes), count=st.tuples(sizes, sizes))
@settings(max_examples=60, deadline=None)
def test_an_image_fades_at_its_ends_as_by_scipy(shape: tuple[int, int], count: tuple[int, int]) -> None:
    source = image(*shape)
    ratios = [new / old for new, old in zip(count, shape, strict=True)]
    expected = ndimage.zoom(source, ratios, order=1, grid_mode=True, mode="grid-constant")
    rows, columns = (
        neighbours((np.arange(new) + 0.5) * (old / new) - 0.5, old, fades=True)
        for new, old in zip(count, shape, strict=True)
    )
    np.testing.assert_allclose(interpolated(source, rows, columns), expected, rtol=1e-6, atol=1e-4)


def test_the_middle_between_pixels_is_their_mean() -> None:
    rows, columns = (neighbours(np.array([0.0, 0.5, 1.0, 1.5]), 2, fades=fades) for fades in (False, True))
    found = interpolated(np.array([[0, 8], [4, 12]], np.uint8), rows, columns)
    assert found.tolist() == [[0, 4, 8, 4], [2, 6, 10, 5], [4, 8, 12, 6], [0, 0, 0, 0]]
