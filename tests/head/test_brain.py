import numpy as np
import pytest

from glioseg.dataset.phantom_anatomy import Anatomy, Tissue, make_anatomy
from glioseg.dataset.phantom_scan import scan
from glioseg.evaluation.metrics import dice
from glioseg.head.brain import brain_mask
from glioseg.head.depth import head_depth_px
from glioseg.volume import Volume

OUTSIDE = (Tissue.AIR, Tissue.SKIN, Tissue.FAT, Tissue.BONE, Tissue.MARROW, Tissue.MUSCLE)


@pytest.fixture(scope="module", params=[1, 5])
def head(request: pytest.FixtureRequest) -> tuple[Anatomy, Volume]:
    rng = np.random.default_rng(request.param)
    anatomy = make_anatomy(rng, 256, 14)
    return anatomy, Volume("P", scan(rng, anatomy))


def found(volume: Volume) -> np.ndarray:
    return brain_mask(volume, head_depth_px(volume))


def test_finds_the_brain_of_a_head_whose_tissues_are_known(head: tuple[Anatomy, Volume]) -> None:
    anatomy, volume = head
    brain = ~np.isin(anatomy.tissue, OUTSIDE)
    score = dice(found(volume), brain)
    assert score is not None
    assert score > 0.85


def test_keeps_the_tumour_and_leaves_the_scalp(head: tuple[Anatomy, Volume]) -> None:
    anatomy, volume = head
    brain = found(volume)
    assert brain[anatomy.tumour.mask].mean() > 0.95
    assert brain[np.isin(anatomy.tissue, (Tissue.SKIN, Tissue.FAT))].mean() < 0.02


def test_sections_taper_towards_both_ends(head: tuple[Anatomy, Volume]) -> None:
    brain = found(head[1])
    largest = int(brain.sum(axis=(1, 2)).argmax())
    for before, after in zip(brain[largest:-1], brain[largest + 1 :], strict=True):
        reach = np.argwhere(after & ~before)
        rows, columns = np.argwhere(before).min(axis=0), np.argwhere(before).max(axis=0)
        assert not reach.size or ((reach >= rows - 3).all() and (reach <= columns + 3).all())


def test_no_brain_in_an_image_without_a_head() -> None:
    volume = Volume("P", np.zeros((3, 64, 64, 3), np.uint8))
    assert not found(volume).any()


def test_no_brain_in_a_head_too_small_to_have_a_core() -> None:
    voxels = np.zeros((2, 64, 64, 3), np.uint8)
    voxels[:, 20:50, 20:50] = 120
    assert not found(Volume("P", voxels)).any()
