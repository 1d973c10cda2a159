import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from glioseg.space.slabs import STEP_MM, THICKNESS_MM, slabs_of

SCANS = st.tuples(st.integers(1, 200), st.floats(0.3, STEP_MM))


@settings(deadline=None, max_examples=60)
@given(SCANS)
def test_a_slab_is_the_mean_of_its_thickness_and_every_slice_has_its_place(scan: tuple[int, float]) -> None:
    slices, spacing_mm = scan
    slabs = slabs_of(slices, spacing_mm)
    assume(slabs is not None)
    assert slabs is not None
    np.testing.assert_allclose(slabs.weights.sum(axis=1), 1, rtol=1e-5)
    assert (np.diff(slabs.places) >= 0).all()
    # No slice is left out, and none weighs more than its share of a slab; the outermost lack a quarter at most.
    assert (slabs.weights.sum(axis=0) > 0).all()
    assert slabs.weights.max() <= spacing_mm / (0.75 * THICKNESS_MM) + 1e-4
    assert slabs.weights[1:-1].max(initial=0) <= spacing_mm / THICKNESS_MM + 1e-4


def test_slabs_of_half_their_thickness_by_hand() -> None:
    slabs = slabs_of(4, 2.5)
    assert slabs is not None
    np.testing.assert_allclose(slabs.weights, [[0.5, 0.5, 0, 0], [0, 0.5, 0.5, 0], [0, 0, 0.5, 0.5]])
    np.testing.assert_allclose(slabs.places, [0, 0.5, 1.5, 2])
    np.testing.assert_allclose(slabs.averaged(np.array([0, 2, 4, 8], np.float32)[:, None])[:, 0], [1, 3, 6])
    np.testing.assert_allclose(slabs.interpolated(np.array([1, 3, 6], np.float32)[:, None])[:, 0], [1, 2, 4.5, 6])


@pytest.mark.parametrize(("slices", "spacing_mm"), [(30, 5.0), (30, 2.51), (4, 1.0), (1, 0.5)])
def test_thick_slices_and_scans_thinner_than_a_slab_stay_as_they_are(slices: int, spacing_mm: float) -> None:
    assert slabs_of(slices, spacing_mm) is None


@pytest.mark.parametrize("spacing_mm", [0.5, 0.7, 1.0, 1.2, 2.0])
def test_a_straight_slope_goes_through_slabs_and_comes_back(spacing_mm: float) -> None:
    """Away from the ends, where there is nothing beyond to go on with."""
    slabs = slabs_of(100, spacing_mm)
    assert slabs is not None
    slope = np.arange(100, dtype=np.float32)[:, None]
    back = slabs.interpolated(slabs.averaged(slope))
    inside = slice(round(THICKNESS_MM / spacing_mm), -round(THICKNESS_MM / spacing_mm))
    # A slice that a slab cuts counts in part, though its middle lies elsewhere: an eighth of its share at most.
    np.testing.assert_allclose(back[inside], slope[inside], atol=spacing_mm / THICKNESS_MM / 8 + 1e-3)


@pytest.mark.parametrize("spacing_mm", [0.5, 1.0, 1.5])
@pytest.mark.parametrize("middle_mm", [50.0, 51.3, 52.4])
def test_a_mask_found_in_slabs_is_sharp_on_the_thin_slices(spacing_mm: float, middle_mm: float) -> None:
    """A ball and a box of 24 mm: what is found in slabs ends within a millimetre of where the truth ends."""
    slices = round(100 / spacing_mm)
    slabs = slabs_of(slices, spacing_mm)
    assert slabs is not None
    z = (np.arange(slices)[:, None, None] + 0.5) * spacing_mm - middle_mm
    y, x = np.ogrid[-20:21, -20:21]
    for truth in ((z**2 + y**2 + x**2 <= 12**2), (np.abs(z) <= 12) & (y**2 + x**2 <= 12**2)):
        found = slabs.interpolated(slabs.averaged(truth.astype(np.float32))) >= 0.5
        assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.95
        ends = [np.flatnonzero(mask.any(axis=(1, 2)))[[0, -1]] for mask in (found, truth)]
        assert np.abs(ends[0] - ends[1]).max() * spacing_mm <= STEP_MM
        middle = [np.argwhere(mask)[:, 0].mean() * spacing_mm for mask in (found, truth)]
        assert middle[0] == pytest.approx(middle[1], abs=0.3)
