"""Grey shows the head, whatever lies around it."""

import numpy as np
import pytest

from glioseg.display import intensity_window, to_grey


def test_window_ignores_the_background_and_a_few_bright_voxels() -> None:
    voxels = np.zeros((4, 50, 50), np.uint8)
    voxels[:, 10:40, 10:40] = np.linspace(50, 100, 30).astype(np.uint8)
    voxels[0, 10, 10] = 255
    dark, bright = intensity_window(voxels)
    assert 50 <= dark < 55
    assert 95 < bright <= 100


@pytest.mark.parametrize("level", [0, 7])
def test_uniform_slice_has_an_image(level: int) -> None:
    assert to_grey(np.full((4, 4), level, np.uint8)).shape == (4, 4)
