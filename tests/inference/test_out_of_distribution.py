from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from glioseg.dataset.phantom import make_phantom
from glioseg.inference import out_of_distribution, preprocessing
from glioseg.inference.out_of_distribution import WORDS, check_distribution, image_features, training_ranges
from glioseg.inference.preprocessing import Preprocessing
from glioseg.volume import Volume

SETTINGS = Preprocessing()


@pytest.fixture(scope="module")
def ranges() -> dict[str, tuple[float, float]]:
    return training_ranges(image_features(make_phantom(seed, size=64, slices=8)[0], SETTINGS) for seed in range(24))


@pytest.mark.parametrize("seed", [30, 31, 32])
def test_another_scan_of_the_kind_is_familiar(ranges: dict[str, tuple[float, float]], seed: int) -> None:
    assert check_distribution(image_features(make_phantom(seed, size=64, slices=8)[0], SETTINGS), ranges) == ()


def inverted(voxels: np.ndarray) -> np.ndarray:
    return np.where(voxels > 0, 255 - voxels, 0).astype(np.uint8)


def noise(voxels: np.ndarray) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, voxels.shape, dtype=np.uint8)


def saturated(voxels: np.ndarray) -> np.ndarray:
    return np.clip(voxels.astype(int) * 6, 0, 255).astype(np.uint8)


def small(voxels: np.ndarray) -> np.ndarray:
    out = np.zeros_like(voxels)
    third = voxels[:, ::3, ::3]
    out[:, : third.shape[1], : third.shape[2]] = third
    return out


@pytest.mark.parametrize("spoil", [inverted, noise, saturated, small])
def test_a_scan_of_another_kind_is_not(
    ranges: dict[str, tuple[float, float]], spoil: Callable[[np.ndarray], np.ndarray]
) -> None:
    scan = make_phantom(20, size=64, slices=8)[0]
    (first, *_) = check_distribution(image_features(replace(scan, voxels=spoil(scan.voxels)), SETTINGS), ranges)
    assert first.startswith("Unlike the scans of training in ")
    assert first.endswith("trust it less.")


def test_units_of_intensity_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half the brightness of every sequence, with the head's threshold likewise, gives the same numbers."""
    scan = make_phantom(3, size=64, slices=8)[0]
    halved = replace(scan, voxels=scan.voxels.astype(np.float32) / 2)
    whole = image_features(replace(scan, voxels=scan.voxels.astype(np.float32)), SETTINGS)
    for module in (out_of_distribution, preprocessing):
        monkeypatch.setattr(module, "FOREGROUND_THRESHOLD", 5.0)
    found = image_features(halved, SETTINGS)
    for name, value in whole.items():
        assert found[name] == pytest.approx(value, rel=1e-4), name


def test_a_copied_sequence_has_no_likeness() -> None:
    scan = make_phantom(3, size=64, slices=8)[0]
    voxels = scan.voxels.copy()
    voxels[..., 2] = voxels[..., 1]
    assert image_features(scan, SETTINGS).keys() == WORDS.keys()
    assert image_features(replace(scan, voxels=voxels, missing=("post",)), SETTINGS).keys() == WORDS.keys() - {
        "post_likeness"
    }


def test_a_black_scan_has_no_traits() -> None:
    assert image_features(Volume("P", np.zeros((2, 16, 16, 3), np.uint8)), SETTINGS) == {}


def test_ranges_are_widened_by_a_quarter_on_both_sides() -> None:
    assert training_ranges([{"a": 1.0, "b": 0.0}, {"a": 3.0}, {"a": 2.0}]) == {"a": (0.5, 3.5), "b": (0.0, 0.0)}


def test_without_ranges_nothing_is_said() -> None:
    assert check_distribution({"a": 1.0}, {}) == ()
    assert check_distribution({}, {"a": (0.0, 1.0)}) == ()
