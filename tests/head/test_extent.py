from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from glioseg.dataset.phantom_anatomy import Anatomy, Tissue, make_anatomy
from glioseg.dataset.phantom_scan import scan
from glioseg.errors import GliosegError
from glioseg.head import extent as module
from glioseg.head.extent import head_extent
from glioseg.volume import Volume

OUTSIDE = (Tissue.AIR, Tissue.SKIN, Tissue.FAT, Tissue.BONE, Tissue.MARROW, Tissue.MUSCLE)


@pytest.fixture(scope="module")
def head() -> tuple[Anatomy, Volume]:
    rng = np.random.default_rng(5)
    anatomy = make_anatomy(rng, 256, 14)
    return anatomy, Volume("P", scan(rng, anatomy))


def stripped(head: tuple[Anatomy, Volume]) -> Volume:
    brain = ~np.isin(head[0].tissue, OUTSIDE)
    return replace(head[1], voxels=head[1].voxels * brain[..., None])


def true_rows(anatomy: Anatomy) -> tuple[int, int]:
    rows = np.flatnonzero((~np.isin(anatomy.tissue, OUTSIDE)).any(axis=(0, 2)))
    return int(rows[0]), int(rows[-1])


def test_measures_the_brain_with_and_without_its_skull_alike(head: tuple[Anatomy, Volume]) -> None:
    first, last = true_rows(head[0])
    for volume in (head[1], stripped(head)):
        extent = head_extent(volume)
        assert extent.brain_rows == pytest.approx(last - first + 1, rel=0.06)
        assert extent.centre[0] == pytest.approx((first + last) / 2, abs=6)


def test_tells_a_stripped_head_from_a_whole_one(head: tuple[Anatomy, Volume]) -> None:
    assert not head_extent(head[1]).is_stripped
    assert head_extent(stripped(head)).is_stripped


@pytest.mark.parametrize("size", [0.5, 2.0])
def test_scales_with_the_picture(head: tuple[Anatomy, Volume], size: float) -> None:
    volume = head[1]
    voxels = ndimage.zoom(
        volume.voxels.astype(np.float32), (1, size, size, 1), order=1, grid_mode=True, mode="grid-constant"
    )
    assert head_extent(replace(volume, voxels=voxels)).brain_rows == pytest.approx(
        head_extent(volume).brain_rows * size, rel=0.03
    )


def test_a_few_bright_specks_of_noise_do_not_widen_the_head(head: tuple[Anatomy, Volume]) -> None:
    noisy = head[1].voxels.copy()
    noisy[:, ::40, ::40] = 255
    assert head_extent(replace(head[1], voxels=noisy)).head == head_extent(head[1]).head


def test_where_no_brain_is_found_the_usual_share_of_the_head_stands_for_it(
    head: tuple[Anatomy, Volume], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "brain_mask", lambda volume, depth: depth > 250)
    extent = head_extent(head[1])
    (top, bottom), (left, right) = extent.head
    assert extent.brain_rows == pytest.approx(0.86 * (bottom - top + 1))
    assert extent.centre == ((top + bottom) / 2, (left + right) / 2)


def test_a_black_picture_shows_no_head() -> None:
    with pytest.raises(GliosegError, match="shows no head"):
        head_extent(Volume("P", np.zeros((2, 64, 64, 3), np.float32)))
