import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from glioseg.inference.preprocessing import Preprocessing, clip_and_normalise, intensity_statistics
from glioseg.volume import CHANNELS, Volume

UNCLIPPED = Preprocessing(clip_percentile=100)


def volume(pre: list[float], flair: list[float], post: list[float], dtype: type = np.uint8) -> Volume:
    """A scan of one slice with one row."""
    return Volume("P", np.array([pre, flair, post], dtype).T[None, None])


def random_scan(seed: int, dtype: type = np.uint8) -> Volume:
    rng = np.random.default_rng(seed)
    return Volume("P", rng.integers(0, 256, (3, 12, 10, 3)).astype(dtype))


def normalised(scan: Volume, settings: Preprocessing) -> NDArray[np.float32]:
    images = torch.from_numpy(np.ascontiguousarray(scan.voxels)).permute(0, 3, 1, 2)
    return clip_and_normalise(images, torch.from_numpy(intensity_statistics(scan, settings))).numpy()


def test_z_score_by_hand_over_the_head_alone() -> None:
    """The head is where the FLAIR exceeds 10, in every sequence: 10 itself and the first voxel do not belong."""
    scan = volume(pre=[99, 1, 2, 3, 77], flair=[0, 20, 40, 60, 10], post=[0, 7, 7, 10, 0])
    statistics = intensity_statistics(scan, UNCLIPPED)
    third = math.sqrt(2 / 3)
    expected = [[2, third, 3], [40, 20 * third, 60], [8, math.sqrt(2), 10]]
    np.testing.assert_allclose(statistics, expected, rtol=1e-6)
    assert statistics.dtype == np.float32
    images = normalised(scan, UNCLIPPED)
    np.testing.assert_allclose(images[0, 1, 0], [(v - 40) / (20 * third) for v in (0, 20, 40, 60, 10)], rtol=1e-5)
    # Outside of the head too, intensities are clipped at the head's limit: 99 and 77 become 3.
    np.testing.assert_allclose(images[0, 0, 0], [1 / third, -1 / third, 0, 1 / third, 1 / third], rtol=1e-5, atol=1e-6)


def test_clipping_by_hand() -> None:
    """The 75th percentile of 11 to 15 is 14, so that 15 counts as 14: mean 12.8, deviation sqrt(6.8 / 5)."""
    scan = volume(pre=[1] * 5, flair=[15, 14, 13, 12, 11], post=[1] * 5)
    mean, deviation, limit = intensity_statistics(scan, Preprocessing(clip_percentile=75))[CHANNELS.index("flair")]
    assert (mean, deviation, limit) == pytest.approx((12.8, math.sqrt(6.8 / 5), 14))


def test_what_belongs_to_the_head_is_a_setting() -> None:
    scan = volume(pre=[1, 2, 4], flair=[20, 40, 60], post=[0, 0, 0])
    assert intensity_statistics(scan, Preprocessing(head_above=40, clip_percentile=100))[0, 0] == 4


def test_a_black_scan_has_no_head_and_stays_black() -> None:
    scan = Volume("P", np.zeros((2, 4, 4, 3), np.uint8))
    np.testing.assert_array_equal(intensity_statistics(scan, Preprocessing()), [[0, 1, 255]] * 3)
    np.testing.assert_array_equal(normalised(scan, Preprocessing()), 0)


def test_a_sequence_of_one_intensity_becomes_zero_and_not_infinite() -> None:
    scan = volume(pre=[50] * 4, flair=[20, 30, 40, 50], post=[0] * 4)
    images = normalised(scan, Preprocessing())
    assert np.isfinite(images).all()
    np.testing.assert_array_equal(images[0, [0, 2]], 0)


@given(st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_the_head_comes_to_zero_mean_and_unit_deviation(seed: int) -> None:
    scan = random_scan(seed)
    images = normalised(scan, Preprocessing(clip_percentile=99))
    head = scan.channel("flair") > 10
    for channel in range(3):
        assert images[:, channel][head].mean() == pytest.approx(0, abs=1e-5)
        assert images[:, channel][head].std() == pytest.approx(1, abs=1e-5)


@given(st.integers(0, 2**32), st.floats(0.05, 50), st.floats(0.05, 50))
@settings(max_examples=20, deadline=None)
def test_the_scale_of_pre_and_post_does_not_matter(seed: int, pre: float, post: float) -> None:
    scan = random_scan(seed, np.float32)
    scaled = Volume("P", scan.voxels * np.array([pre, 1, post], np.float32))
    np.testing.assert_allclose(
        normalised(scaled, Preprocessing()), normalised(scan, Preprocessing()), rtol=1e-3, atol=1e-4
    )


@given(st.integers(0, 2**32), st.floats(0.05, 50))
@settings(max_examples=20, deadline=None)
def test_the_scale_of_all_does_not_matter_if_the_heads_threshold_goes_with_it(seed: int, factor: float) -> None:
    # Half a grey value above 10, so that rounding decides about no voxel.
    scan, one = random_scan(seed, np.float32), Preprocessing(head_above=10.5)
    scaled = Volume("P", scan.voxels * np.float32(factor))
    other = Preprocessing(head_above=10.5 * factor)
    np.testing.assert_allclose(normalised(scaled, other), normalised(scan, one), rtol=1e-3, atol=1e-4)


@given(st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_the_number_type_does_not_matter(seed: int) -> None:
    whole, floating = random_scan(seed, np.uint8), random_scan(seed, np.float32)
    np.testing.assert_allclose(
        intensity_statistics(whole, Preprocessing()), intensity_statistics(floating, Preprocessing()), rtol=1e-6
    )
    images = normalised(whole, Preprocessing())
    assert images.dtype == normalised(floating, Preprocessing()).dtype == np.float32
    np.testing.assert_allclose(images, normalised(floating, Preprocessing()), rtol=1e-5, atol=1e-5)


def test_statistics_are_shared_or_each_slices_own() -> None:
    images = torch.arange(2 * 3 * 4, dtype=torch.uint8).reshape(2, 3, 2, 2)
    shared = torch.tensor([[1.0, 2.0, 9.0], [0.0, 1.0, 255.0], [5.0, 4.0, 10.0]])
    each = torch.stack((shared, shared + 1))
    torch.testing.assert_close(clip_and_normalise(images, shared), clip_and_normalise(images, shared.expand(2, 3, 3)))
    torch.testing.assert_close(clip_and_normalise(images, each)[1], clip_and_normalise(images[1:], shared + 1)[0])
    assert clip_and_normalise(images, shared)[1, 0, 1, 1] == (9 - 1) / 2
    assert clip_and_normalise(images, shared)[0, 0, 1, 1] == (3 - 1) / 2
