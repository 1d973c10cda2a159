import numpy as np
import pytest

from glioseg.dataset.removal import FEWEST_SLICES, mirror_line, without_tumour
from glioseg.volume import Mask, Volume

ROWS, COLUMNS = np.ogrid[:128, :128]


def head(middle: float = 63.5) -> np.ndarray:
    """Twelve slices of an ellipse, brighter towards the front, with two ventricles."""
    radius = ((ROWS - 64) / 55) ** 2 + ((COLUMNS - middle) / 42) ** 2
    image = np.where(radius <= 1, 120 - ROWS // 4, 0)
    for side in (-1, 1):
        image = np.where((np.abs(ROWS - 64) < 15) & (np.abs(COLUMNS - middle - side * 10) < 4), 30, image)
    return np.repeat(image[None].astype(np.uint8), 12, axis=0)


def patient(flair: np.ndarray, tumour: np.ndarray) -> tuple[Volume, Mask]:
    marked = np.where(tumour, 230, flair).astype(np.uint8)
    return Volume("P", np.stack([flair, marked, marked], axis=-1)), Mask("P", tumour)


def ball(row: float, column: float, slices: range) -> np.ndarray:
    disc = (ROWS - row) ** 2 + (COLUMNS - column) ** 2 <= 10**2
    return np.array([disc if index in slices else np.zeros_like(disc) for index in range(12)])


@pytest.mark.parametrize("middle", [58.0, 63.5, 70.0])
def test_the_line_parts_the_head_in_its_middle(middle: float) -> None:
    flair = head(middle)
    line = mirror_line(flair, flair > 10)
    assert abs(line.column - middle) <= 2
    assert line.slope == 0


def test_a_tumour_on_one_side_is_covered_by_the_other_and_the_rest_stays() -> None:
    flair, tumour = head(), ball(60, 40, range(4, 8))
    volume, truth = patient(flair, tumour)
    removed = without_tumour(volume, truth)
    assert removed is not None
    assert removed.voxels.shape == volume.voxels.shape
    assert np.abs(removed.channel("flair").astype(int) - flair)[tumour].max() < 30
    far = ball(60, 40, range(12)).astype(bool)
    far = np.abs(COLUMNS - 40) + np.abs(ROWS - 60) > 45
    np.testing.assert_array_equal(removed.voxels[:, far], volume.voxels[:, far])
    untouched = [0, 1, 2, 10, 11]
    np.testing.assert_array_equal(removed.voxels[untouched], volume.voxels[untouched])


def test_slices_whose_tumour_crosses_the_middle_are_left_out() -> None:
    volume, truth = patient(head(), ball(60, 62, range(5, 7)))
    removed = without_tumour(volume, truth)
    assert removed is not None
    # The slices beside the tumour show some of it.
    assert len(removed.voxels) == 8
    assert removed.channel("flair").max() < 200


def test_where_too_little_is_left_there_is_nothing_to_show() -> None:
    volume, truth = patient(head(), ball(60, 62, range(1, 12 - FEWEST_SLICES + 2)))
    assert without_tumour(volume, truth) is None
