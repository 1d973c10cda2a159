import numpy as np
import pytest
import torch

from glioseg.dataset.head_masks import BRAIN_BIT
from glioseg.inference.preprocessing import Preprocessing, intensity_statistics
from glioseg.training.config import Augmentation
from glioseg.training.skull_stripping import strip_skulls, stripped_statistics
from glioseg.volume import Volume

SIZE, DEEPEST = 24, 6


def volume() -> Volume:
    rng = np.random.default_rng(0)
    return Volume("P", rng.integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8))


def head_masks() -> np.ndarray:
    rows = np.minimum(np.arange(SIZE), np.arange(SIZE)[::-1])
    depth = np.minimum(rows[:, None], rows[None]).astype(np.uint8)
    brain = np.where(depth >= 4, BRAIN_BIT, 0).astype(np.uint8)
    brain[:, SIZE // 2 :] = 0
    return np.repeat((depth | brain)[None], 3, axis=0)


@pytest.mark.parametrize("way", [0, 1, 3, DEEPEST])
@pytest.mark.parametrize("percentile", [99.5, 90.0, 100.0])
def test_statistics_are_those_of_the_scan_with_the_rest_blanked(way: int, percentile: float) -> None:
    settings = Preprocessing(clip_percentile=percentile)
    kept = head_masks() & BRAIN_BIT != 0 if way == 0 else (head_masks() & 127) >= way
    blanked = Volume("P", volume().voxels * kept[..., None])
    found = stripped_statistics(volume(), head_masks(), settings, DEEPEST)
    assert found.shape == (1 + DEEPEST, 3, 3)
    np.testing.assert_allclose(found[way], intensity_statistics(blanked, settings), rtol=1e-4)


def test_nothing_left_gives_statistics_that_change_nothing() -> None:
    found = stripped_statistics(volume(), np.zeros((3, SIZE, SIZE), np.uint8), Preprocessing(), DEEPEST)
    np.testing.assert_array_equal(found, np.broadcast_to([0, 1, 255], found.shape))


def taken_off(
    skull_stripping: float, slices: int = 200
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    images = torch.full((slices, 3, SIZE, SIZE), 99, dtype=torch.uint8)
    head = torch.from_numpy(head_masks()[:1])[None].expand(slices, 1, SIZE, SIZE)
    settings = Augmentation(skull_stripping=skull_stripping, skull_stripping_px=(2, DEEPEST))
    return (*strip_skulls(images, head, settings, torch.Generator().manual_seed(0)), head)


def test_each_slice_keeps_what_its_way_says_and_no_more() -> None:
    images, wholes, ways, head = taken_off(0.7)
    for image, whole, way, depth in zip(images, wholes, ways.tolist(), head, strict=True):
        kept = torch.ones_like(whole) if way < 0 else depth >= BRAIN_BIT if way == 0 else (depth & 127) >= way
        assert torch.equal(whole, kept)
        assert torch.equal(image, 99 * kept.to(torch.uint8).expand_as(image))


def test_ways_are_drawn_as_often_as_the_settings_say() -> None:
    ways = taken_off(0.7, slices=4000)[2]
    assert abs((ways >= 0).float().mean() - 0.7) < 0.03
    assert abs((ways == 0).float().mean() - 0.7 * 0.6) < 0.03
    depths = ways[ways > 0]
    assert depths.unique().tolist() == [2, 3, 4, 5, 6]
    counts = torch.bincount(depths)[2:].float()
    assert counts.min() > 0.7 * counts.max()


def test_skulls_stay_on_where_the_probability_is_zero() -> None:
    images, kept, ways, _ = taken_off(0.0)
    assert (ways == -1).all()
    assert (images == 99).all()
    assert kept.all()
