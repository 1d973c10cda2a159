import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import avg_pool2d, interpolate, pad

from glioseg.inference.binning import binned, unbinned
from glioseg.training.augmentation import augment
from glioseg.training.config import Augmentation
from glioseg.training.resident import Batch

SIDES = st.integers(1, 12)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, np.float32)


def test_four_pixels_become_their_mean_by_hand() -> None:
    image = np.array([[1, 3, 0, 8], [5, 7, 0, 0]], np.float32)[None, None]
    np.testing.assert_array_equal(binned(image, 2), [[[[4, 2]]]])


def test_an_odd_last_row_and_column_count_twice() -> None:
    image = np.array([[0, 4, 8], [4, 8, 2], [6, 2, 5]], np.float32)[None, None]
    np.testing.assert_array_equal(binned(image, 2), [[[[4, 5], [4, 5]]]])


def test_probabilities_are_linear_between_the_middles_by_hand() -> None:
    found = unbinned(np.array([[[0, 1]]], np.float32), 2, 2, 4)
    np.testing.assert_allclose(found, [[[0, 0.25, 0.75, 1]] * 2], atol=1e-6)


def test_without_binning_nothing_is_touched() -> None:
    images, probabilities = noise(2, 3, 5, 4), noise(2, 5, 4)
    assert binned(images, 1) is images
    assert unbinned(probabilities, 1, 5, 4) is probabilities


@settings(max_examples=30, deadline=None)
@given(SIDES, SIDES)
def test_as_pytorch_does_for_any_size(rows: int, columns: int) -> None:
    images = noise(2, 3, rows, columns)
    padded = pad(torch.from_numpy(images), (0, columns % 2, 0, rows % 2), mode="replicate")
    found = binned(images, 2)
    np.testing.assert_allclose(found, avg_pool2d(padded, 2), rtol=1e-6)
    again = unbinned(found[:, 0], 2, rows, columns)
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
    cropped, _ = augment(batch, still, side // 2, torch.Generator(), binning=2)
    np.testing.assert_allclose(cropped, binned(images.float().numpy(), 2), atol=1e-2)
