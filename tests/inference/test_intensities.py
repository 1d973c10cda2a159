import numpy as np
import pytest
from scipy import ndimage

from glioseg.inference.intensities import BRIGHTEST, FAINTEST_HEAD, to_dataset_range
from glioseg.volume import Volume, copies_of_flair


def volume(flair: np.ndarray) -> Volume:
    flair = flair.astype(np.float32)
    return Volume("P", np.stack([flair[:, ::-1] * 0.5, flair, flair], axis=-1))


def head(rng: np.random.Generator) -> np.ndarray:
    image = np.zeros((4, 30, 30))
    image[:, 5:25, 5:25] = rng.uniform(0.2, 1, (4, 20, 20))
    return image


@pytest.mark.parametrize("brightest", [0.01, 1.0, 40.0, 3000.0, 60000.0])
def test_any_unit_comes_to_the_same_range(brightest: float) -> None:
    image = head(np.random.default_rng(0))
    ranged = to_dataset_range(volume(image * brightest))
    assert ranged.voxels.dtype == np.float32
    flair = ranged.channel("flair")
    assert np.percentile(flair[image > 0], 99.9) == pytest.approx(BRIGHTEST, rel=1e-3)
    np.testing.assert_allclose(flair / flair.max(), image / image.max(), atol=1e-5)


def test_the_datasets_range_is_left_alone() -> None:
    inside = volume(head(np.random.default_rng(0)) * 200)
    assert to_dataset_range(inside) is inside
    stored = Volume("P", np.full((1, 4, 4, 3), 9, np.uint8))
    assert to_dataset_range(stored) is stored


def test_a_scan_of_zero_mean_keeps_its_background_black_and_its_order() -> None:
    image = head(np.random.default_rng(0))
    inside = image > 0
    normalised = np.where(inside, (image - 0.6) / 0.2, 0)
    flair = to_dataset_range(volume(normalised)).channel("flair")
    assert (flair[~inside] == 0).all()
    assert flair[inside].min() >= FAINTEST_HEAD
    order = np.argsort(image[inside])
    assert (np.diff(flair[inside][order]) >= -1e-3).all()


@pytest.mark.parametrize("offset", [-1000.0, -1.0, 0.0, 100.0, 60000.0])
@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_a_background_that_is_not_quite_zero_is_background(offset: float, noise: float) -> None:
    """An offset, and what rounding or an interpolation leaves around it, change nothing."""
    rng = np.random.default_rng(0)
    image = np.maximum(head(rng) - 0.15, 0)
    outside = np.where(image > 0, 0, rng.normal(0, noise, image.shape))
    flair = to_dataset_range(volume((image + outside) * 1000 + offset)).channel("flair")
    plain = to_dataset_range(volume(image * 1000)).channel("flair")
    np.testing.assert_allclose(flair, plain, atol=2.0)
    assert flair.min() == 0


def test_a_background_within_the_range_that_would_count_as_head_is_taken_off() -> None:
    image = head(np.random.default_rng(0))
    flair = to_dataset_range(volume(image * 200 + 30)).channel("flair")
    assert (flair[image == 0] == 0).all()
    assert np.percentile(flair[image > 0], 99.9) == pytest.approx(BRIGHTEST, rel=1e-3)


def test_the_ringing_of_a_spline_is_background() -> None:
    image = ndimage.zoom(head(np.random.default_rng(0)), (1, 2, 2), order=0)
    ringing = ndimage.shift(image, (0, 0.4, 0.4), order=3)
    assert ringing.min() < 0
    flair = to_dataset_range(volume(ringing * 1000)).channel("flair")
    np.testing.assert_allclose(flair / flair.max(), np.maximum(ringing, 0) / ringing.max(), atol=1e-4)


@pytest.mark.parametrize("background", [-9.0, -1000.0])
def test_a_background_far_below_the_head_is_brought_near_to_it(background: float) -> None:
    image = head(np.random.default_rng(0))
    flair = to_dataset_range(volume(np.where(image > 0, (image - 0.6) / 0.2, background))).channel("flair")
    assert (flair[image == 0] == 0).all()
    assert flair[image > 0].min() == pytest.approx(FAINTEST_HEAD)


@pytest.mark.parametrize("offset", [0.0, 100.0, -600.0])
@pytest.mark.parametrize(("size", "hot"), [(1, 3e5), (1, 1e9), (10, 32767.0)])
def test_a_few_hot_voxels_change_nothing_else(size: int, hot: float, offset: float) -> None:
    image = np.zeros((40, 60, 60))
    image[:, 5:55, 5:55] = np.random.default_rng(0).uniform(0.2, 1, (40, 50, 50))
    image = image * 1000 + offset
    struck = image.copy()
    struck[3, 10 : 10 + size, 10 : 10 + size] = hot
    flair, plain = (to_dataset_range(volume(one)).channel("flair") for one in (struck, image))
    np.testing.assert_allclose(flair[struck != hot], plain[struck != hot], rtol=0.01, atol=0.1)
    assert flair.max() <= 1.02 * BRIGHTEST


def test_hot_voxels_of_a_scan_in_range_are_brought_down_to_it() -> None:
    image = head(np.random.default_rng(0)) * 200
    struck = image.copy()
    struck[1, 10, 10] = 5000
    flair = to_dataset_range(volume(struck)).channel("flair")
    np.testing.assert_array_equal(flair[struck < 5000], struck[struck < 5000].astype(np.float32))
    assert flair.max() == np.float32(image.max())


def test_copied_sequences_stay_copies() -> None:
    assert copies_of_flair(to_dataset_range(volume(head(np.random.default_rng(0)) * 3000)).voxels) == ("post",)


@pytest.mark.parametrize("value", [0.0, 5.0, -5.0])
def test_an_even_image_stays_finite(value: float) -> None:
    assert np.isfinite(to_dataset_range(volume(np.full((2, 8, 8), value))).voxels).all()
