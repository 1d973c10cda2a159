import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from glioseg.errors import GliosegError
from glioseg.volume import CHANNELS, Mask, Volume, box_of, copies_of_flair, filled_by_flair, joined


def voxels(slices: int = 2, rows: int = 3, columns: int = 4) -> np.ndarray:
    """Every voxel another number, so that no channel equals another."""
    return np.arange(slices * rows * columns * 3, dtype=np.uint8).reshape(slices, rows, columns, 3)


def test_a_channel_is_asked_for_by_its_role() -> None:
    volume = Volume("A", voxels())
    for index, sequence in enumerate(CHANNELS):
        assert np.array_equal(volume.channel(sequence), voxels()[..., index])


def test_channels_may_stand_in_another_order() -> None:
    volume = Volume("A", voxels()[..., :2], channels=("flair", "post"))
    assert np.array_equal(volume.channel("flair"), voxels()[..., 0])


@given(st.sets(st.sampled_from(["pre", "post"])))
def test_a_sequence_is_missing_where_it_is_a_copy_of_the_flair(missing: set[str]) -> None:
    filled = voxels()
    for sequence in missing:
        filled[..., CHANNELS.index(sequence)] = filled[..., CHANNELS.index("flair")]
    assert copies_of_flair(filled) == tuple(sequence for sequence in CHANNELS if sequence in missing)


def test_what_was_not_taken_is_filled_by_the_flair() -> None:
    assert Volume("A", voxels(), missing=("pre",)).taken == ("flair", "post")
    assert filled_by_flair({"flair": "F", "post": "P"}, CHANNELS) == ["F", "F", "P"]
    flair, post = voxels()[..., 1], voxels()[..., 2]
    filled = joined(filled_by_flair({"flair": flair, "post": post}, CHANNELS))
    assert np.array_equal(filled, np.stack((flair, flair, post), axis=-1))
    assert np.shares_memory(joined(filled_by_flair({"flair": flair}, CHANNELS)), flair)


def test_one_voxel_of_difference_is_a_sequence_of_its_own() -> None:
    almost = np.repeat(voxels()[..., :1], 3, axis=-1)
    almost[1, 2, 3, 2] += 1
    assert copies_of_flair(almost) == ("pre",)


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 4, 1), (2, 3, 4, 4), (3,), (1, 2, 3, 4, 3)])
def test_a_scan_without_its_three_channels_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(GliosegError, match="patient A: the scan has the wrong shape") as caught:
        Volume("A", np.zeros(shape, np.uint8))
    assert str(shape) in str(caught.value)
    assert "pre, flair, post" in str(caught.value)


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 3), np.bool_), np.zeros((2, 3, 4), np.uint8), np.zeros((1, 2, 3, 4), np.bool_)]
)
def test_a_mask_is_bool_in_three_dimensions(wrong: np.ndarray) -> None:
    with pytest.raises(GliosegError, match="patient A: the mask has the wrong form") as caught:
        Mask("A", wrong)
    assert f"{wrong.dtype} {wrong.shape}" in str(caught.value)


@pytest.mark.parametrize("names", [("a",), ("a", "b", "c")])
def test_slices_have_one_name_each_or_none_at_all(names: tuple[str, ...]) -> None:
    with pytest.raises(GliosegError, match="expected 2 names"):
        Volume("A", voxels(), slice_names=names)
    with pytest.raises(GliosegError, match="expected 2 names"):
        Mask("A", np.zeros((2, 3, 4), np.bool_), slice_names=names)
    assert Volume("A", voxels(), slice_names=("a", "b")).slice_names == ("a", "b")
    assert Mask("A", np.zeros((2, 3, 4), np.bool_)).slice_names == ()


@pytest.mark.parametrize("shape", [(7,), (6, 9), (5, 6, 7)])
def test_the_box_around_a_mask_is_that_of_scipy(shape: tuple[int, ...]) -> None:
    chance = np.random.default_rng(3)
    for count in (1, 2, 5):
        mask = np.zeros(shape, np.bool_)
        mask.flat[chance.choice(mask.size, count, replace=False)] = True
        assert box_of(mask) == ndimage.find_objects(mask.view(np.uint8))[0]
