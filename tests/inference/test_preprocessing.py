import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from torch.nn.functional import avg_pool2d, interpolate, pad

from glioseg.inference import preprocessing as module
from glioseg.inference.preprocessing import (
    Preprocessing,
    clip_and_normalise,
    downsample,
    intensity_statistics,
    upsample,
)
from glioseg.training.augmentation import augment
from glioseg.training.config import Augmentation
from glioseg.training.device_cache import Batch
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


def test_what_lies_above_the_threshold_belongs_to_the_head() -> None:
    scan = volume(pre=[1, 2, 4], flair=[9, 10, 11], post=[0, 0, 0])
    assert intensity_statistics(scan, Preprocessing(clip_percentile=100))[0, 0] == 4


def test_settings_of_older_versions_named_the_threshold() -> None:
    assert Preprocessing.model_validate({"head_above": 10.0, "downsampling_factor": 2}) == Preprocessing(
        downsampling_factor=2
    )
    with pytest.raises(ValidationError, match="head_above"):
        Preprocessing.model_validate({"head_above": 11.0})


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
    scan, one = random_scan(seed, np.float32), Preprocessing()
    scaled = Volume("P", scan.voxels * np.float32(factor))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "FOREGROUND_THRESHOLD", 10.5)
        expected = normalised(scan, one)
        patch.setattr(module, "FOREGROUND_THRESHOLD", 10.5 * factor)
        np.testing.assert_allclose(normalised(scaled, one), expected, rtol=1e-3, atol=1e-4)


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


SIDES = st.integers(1, 12)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, np.float32)


def test_four_pixels_become_their_mean_by_hand() -> None:
    image = np.array([[1, 3, 0, 8], [5, 7, 0, 0]], np.float32)[None, None]
    np.testing.assert_array_equal(downsample(image, 2), [[[[4, 2]]]])


def test_an_odd_last_row_and_column_count_twice() -> None:
    image = np.array([[0, 4, 8], [4, 8, 2], [6, 2, 5]], np.float32)[None, None]
    np.testing.assert_array_equal(downsample(image, 2), [[[[4, 5], [4, 5]]]])


def test_probabilities_are_linear_between_the_middles_by_hand() -> None:
    found = upsample(np.array([[[0, 1]]], np.float32), 2, 2, 4)
    np.testing.assert_allclose(found, [[[0, 0.25, 0.75, 1]] * 2], atol=1e-6)


def test_without_binning_nothing_is_touched() -> None:
    images, probabilities = noise(2, 3, 5, 4), noise(2, 5, 4)
    assert downsample(images, 1) is images
    assert upsample(probabilities, 1, 5, 4) is probabilities


@settings(max_examples=30, deadline=None)
@given(SIDES, SIDES)
def test_as_pytorch_does_for_any_size(rows: int, columns: int) -> None:
    images = noise(2, 3, rows, columns)
    padded = pad(torch.from_numpy(images), (0, columns % 2, 0, rows % 2), mode="replicate")
    found = downsample(images, 2)
    np.testing.assert_allclose(found, avg_pool2d(padded, 2), rtol=1e-6)
    again = upsample(found[:, 0], 2, rows, columns)
    expected = interpolate(torch.from_numpy(found[:, :1]), scale_factor=2.0, mode="bilinear")[:, 0]
    np.testing.assert_allclose(again, expected[:, :rows, :columns], atol=1e-6)
    assert again.dtype == np.float32
    assert again.flags.c_contiguous


@pytest.mark.parametrize("side", [32, 40])
def test_training_sees_what_use_sees(side: int) -> None:
    """A crop at half the resolution has the same pixels where nothing is varied."""
    images = torch.randint(0, 256, (2, 3, side, side), dtype=torch.uint8)
    statistics = torch.tensor([0.0, 1.0, 255.0]).expand(2, 3, 3)
    still = Augmentation(
        flip=0, rotation_degrees=0, scale=(1, 1), shift_pixels=0, brightness=0, contrast=0, gamma=0, noise=0,
        sequence_dropout=0,
    )  # fmt: skip
    batch = Batch(images, torch.zeros(2, 1, side, side, dtype=torch.uint8), statistics)
    cropped, _ = augment(batch, still, side // 2, torch.Generator(), downsampling_factor=2)
    np.testing.assert_allclose(cropped, downsample(images.float().numpy(), 2), atol=1e-2)
