import numpy as np
import pytest
from scipy import ndimage

from glioseg.head.depth import DEEPEST_PX, filled, head_depth_px
from glioseg.volume import Volume


def with_flair(flair: np.ndarray) -> Volume:
    return Volume("P", np.repeat(flair[..., None], 3, axis=-1).astype(np.uint8))


def test_depth_of_a_square_grows_by_one_from_its_edge() -> None:
    flair = np.zeros((1, 40, 50))
    flair[0, 10:30, 15:35] = 100
    # The smoothing draws the contour one pixel outwards.
    expected = np.zeros((40, 50), int)
    for step in range(11):
        expected[9 + step : 31 - step, 14 + step : 36 - step] = step + 1
    # In the corners a ninth of the brightness is too little only for a higher threshold.
    np.testing.assert_array_equal(head_depth_px(with_flair(flair))[0], expected)


def test_dark_cavities_belong_to_the_head() -> None:
    flair = np.zeros((1, 40, 40))
    flair[0, 5:35, 5:35] = 100
    solid = head_depth_px(with_flair(flair))
    flair[0, 15:25, 15:25] = 0
    np.testing.assert_array_equal(head_depth_px(with_flair(flair)), solid)


def test_a_head_cut_by_the_frame_ends_there() -> None:
    depth = head_depth_px(with_flair(np.full((2, 20, 20), 90)))
    assert depth[:, 0].max() == depth[:, :, -1].max() == 1
    assert depth.max() == 10


@pytest.mark.parametrize("brightness", [0, 10])
def test_a_black_slice_has_no_depth(brightness: int) -> None:
    assert not head_depth_px(with_flair(np.full((1, 12, 12), brightness))).any()


def test_depths_fit_seven_bits() -> None:
    assert head_depth_px(with_flair(np.full((1, 300, 300), 90))).max() == DEEPEST_PX == 127


def test_holes_are_those_of_scipy() -> None:
    """Whatever touches the frame or a corner alone."""
    chance = np.random.default_rng(2)
    for share in (0.3, 0.5, 0.6, 0.7, 1.0):
        section = chance.random((40, 30)) < share
        assert np.array_equal(filled(section), ndimage.binary_fill_holes(section))
    assert (filled(section := chance.random((40, 30)) < 0.65) & ~section).any()
