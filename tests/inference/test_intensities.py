import numpy as np
import pytest

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


def test_copied_sequences_stay_copies() -> None:
    assert copies_of_flair(to_dataset_range(volume(head(np.random.default_rng(0)) * 3000)).voxels) == ("post",)


@pytest.mark.parametrize("value", [0.0, 5.0, -5.0])
def test_an_even_image_stays_finite(value: float) -> None:
    assert np.isfinite(to_dataset_range(volume(np.full((2, 8, 8), value))).voxels).all()
