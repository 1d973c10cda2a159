from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from glioseg.dataset.phantom_anatomy import Anatomy, Tissue, make_anatomy
from glioseg.dataset.phantom_scan import scan
from glioseg.errors import GliosegError
from glioseg.head import bounding_box as module
from glioseg.head.bounding_box import head_bounding_box
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
        bounding_box = head_bounding_box(volume)
        assert bounding_box.brain_rows == pytest.approx(last - first + 1, rel=0.06)
        assert bounding_box.centre[0] == pytest.approx((first + last) / 2, abs=6)


def test_tells_a_stripped_head_from_a_whole_one(head: tuple[Anatomy, Volume]) -> None:
    assert head_bounding_box(head[1]).covering == "whole"
    assert head_bounding_box(stripped(head)).covering == "stripped"


@pytest.mark.parametrize("way", ["generous", "ragged"])
def test_a_brain_that_was_cut_out_carelessly_is_still_stripped(head: tuple[Anatomy, Volume], way: str) -> None:
    brain = ~np.isin(head[0].tissue, OUTSIDE)
    distance = [ndimage.distance_transform_edt(~one) - ndimage.distance_transform_edt(one) for one in brain]
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=brain.shape), (1, 6, 6))
    most = 5 if way == "generous" else 1 + 3 * noise / noise.std()
    voxels = head[1].voxels * (np.array(distance) <= most)[..., None]
    assert head_bounding_box(replace(head[1], voxels=voxels)).covering == "stripped"


@pytest.mark.parametrize(
    ("rim", "ring", "expected"),
    [(1.0, 1.0, "stripped"), (1.0, 0.6, "whole"), (1.8, 1.0, "whole"), (1.5, 1.0, "unsure"), (1.0, 0.75, "unsure")],
)
def test_what_is_neither_clearly_scalp_nor_skull_is_unsure(
    rim: float, ring: float, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = np.ones(31)
    profile[4], profile[12] = rim, ring
    monkeypatch.setattr(module, "rim_profile", lambda volume, depth: profile)
    anything = np.zeros((1, 8, 8, 3), np.uint8)
    assert module.covering(Volume("P", anything), anything[..., 0]) == expected


def test_an_unsure_head_is_measured_between_both_answers(
    head: tuple[Anatomy, Volume], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {}
    for answer in ("whole", "stripped", "unsure"):
        monkeypatch.setattr(module, "covering", lambda volume, depth, answer=answer: answer)
        rows[answer] = head_bounding_box(head[1]).brain_rows
    assert rows["whole"] < rows["unsure"] < rows["stripped"]
    assert rows["unsure"] == pytest.approx((rows["whole"] + rows["stripped"]) / 2)


@pytest.mark.parametrize("size", [0.5, 2.0])
def test_scales_with_the_image(head: tuple[Anatomy, Volume], size: float) -> None:
    volume = head[1]
    voxels = ndimage.zoom(
        volume.voxels.astype(np.float32), (1, size, size, 1), order=1, grid_mode=True, mode="grid-constant"
    )
    assert head_bounding_box(replace(volume, voxels=voxels)).brain_rows == pytest.approx(
        head_bounding_box(volume).brain_rows * size, rel=0.03
    )


def test_a_few_bright_specks_of_noise_do_not_widen_the_head(head: tuple[Anatomy, Volume]) -> None:
    noisy = head[1].voxels.copy()
    noisy[:, ::40, ::40] = 255
    assert head_bounding_box(replace(head[1], voxels=noisy)).head == head_bounding_box(head[1]).head


def test_where_no_brain_is_found_the_usual_share_of_the_head_stands_for_it(
    head: tuple[Anatomy, Volume], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "brain_mask", lambda volume, depth: depth > 250)
    bounding_box = head_bounding_box(head[1])
    (top, bottom), (left, right) = bounding_box.head
    assert bounding_box.brain_rows == pytest.approx(0.86 * (bottom - top + 1))
    assert bounding_box.centre == ((top + bottom) / 2, (left + right) / 2)


def test_a_head_that_fills_little_of_its_image_is_measured_as_elsewhere(head: tuple[Anatomy, Volume]) -> None:
    small, voxels = head[1].voxels[:, ::2, ::2], np.zeros((14, 900, 700, 3), np.uint8)
    voxels[:, 600:728, 30:158] = small
    alone, within = head_bounding_box(Volume("P", small)), head_bounding_box(Volume("P", voxels))
    assert within.brain_rows == pytest.approx(alone.brain_rows, abs=2)
    assert within.centre == pytest.approx((alone.centre[0] + 600, alone.centre[1] + 30), abs=2)
    assert within.covering == alone.covering


@pytest.mark.parametrize(("size", "row_to_column"), [((5, 5), 1.0), ((6, 900), 150.0), ((900, 6), 1 / 150)])
def test_a_speck_in_a_large_image_is_measured_without_making_it_larger(
    size: tuple[int, int], row_to_column: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoom, made = ndimage.zoom, []
    monkeypatch.setattr(ndimage, "zoom", lambda *args, **options: made.append(zoom(*args, **options)) or made[-1])
    voxels = np.zeros((2, 900, 900, 3), np.uint8)
    voxels[:, : size[0], : size[1]] = 200
    bounding_box = head_bounding_box(Volume("P", voxels), row_to_column)
    assert bounding_box.brain_rows <= size[0]
    assert all(max(image.shape) <= 800 for image in made)


@pytest.mark.parametrize("row_to_column", [0.05, 20.0, 1e7])
def test_something_long_and_thin_is_no_head(head: tuple[Anatomy, Volume], row_to_column: float) -> None:
    with pytest.raises(GliosegError, match="times as long as wide"):
        head_bounding_box(head[1], row_to_column)


def test_a_stripped_head_without_a_brain_is_measured_by_its_head(
    head: tuple[Anatomy, Volume], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "covering", lambda volume, depth: "stripped")
    monkeypatch.setattr(module, "head_depth_px", lambda volume: np.zeros(volume.voxels.shape[:3], np.uint8))
    bounding_box = head_bounding_box(head[1])
    assert bounding_box.brain_rows == pytest.approx(0.86 * (bounding_box.head[0][1] - bounding_box.head[0][0] + 1))


def test_a_black_image_shows_no_head() -> None:
    with pytest.raises(GliosegError, match="shows no head"):
        head_bounding_box(Volume("P", np.zeros((2, 64, 64, 3), np.float32)))
