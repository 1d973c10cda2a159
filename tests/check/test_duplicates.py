import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from glioseg.check.duplicates import (
    BITS,
    DIFFERENT_BITS,
    MIRRORS,
    NEIGHBOURS,
    chosen_bits,
    different_bits,
    find_pairs,
    hash_slices,
    mirrored_hashes,
)


def heads(count: int, seed: int = 0) -> NDArray[np.float32]:
    """Bright discs with a texture of their own inside, shape (count, 64, 64)."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[-31.5:32, -31.5:32]
    disc = (rows**2 / 28**2 + columns**2 / 22**2) < 1
    texture = rng.normal(size=(count, 64, 64))
    kernel = np.exp(-(np.minimum(np.arange(64), 64 - np.arange(64)) ** 2) / 8)
    blur = np.fft.fft2(np.outer(kernel, kernel))
    smooth = np.fft.ifft2(np.fft.fft2(texture) * blur).real
    return (disc * (90 + 25 * smooth / smooth.std())).astype(np.float32)


def test_unrelated_images_differ_in_half_of_the_bits() -> None:
    hashes = hash_slices(heads(40))
    bits = different_bits(hashes[:, None], hashes[None])[np.triu_indices(40, 1)]
    assert hashes.shape == (40, BITS // 64)
    assert abs(bits.mean() - BITS / 2) < 6
    assert bits.min() > 2 * DIFFERENT_BITS


@pytest.mark.parametrize(
    "change",
    [
        lambda images: images * 1.7,
        lambda images: images + np.random.default_rng(1).normal(0, 4, images.shape),
        lambda images: 255 * (np.maximum(images, 0) / 255) ** 0.8,
    ],
    ids=["brighter", "noisy", "gamma"],
)
def test_the_same_image_stays_near(change: object) -> None:
    images = heads(12)
    changed = change(images).astype(np.float32)  # type: ignore[operator]
    assert different_bits(hash_slices(images), hash_slices(changed)).max() <= DIFFERENT_BITS


def test_hashes_of_mirror_images_follow_from_the_hash() -> None:
    images = heads(5)
    mirrored = mirrored_hashes(hash_slices(images))
    turned = (images, images[:, :, ::-1], images[:, ::-1], images[:, ::-1, ::-1])
    assert len(MIRRORS) == len(turned)
    for hashes, image in zip(mirrored, turned, strict=True):
        # A coefficient next to zero may fall on either side.
        assert different_bits(hashes, hash_slices(np.ascontiguousarray(image))).max() <= 2


def test_copies_are_found_whoever_owns_them_and_however_mirrored() -> None:
    images = heads(60)
    copies = np.stack([images[3] * 1.2, images[11][:, ::-1], images[20][::-1], images[30][::-1, ::-1]])
    hashes = hash_slices(np.concatenate([images, copies.astype(np.float32)]))
    owners = np.concatenate([np.repeat(np.arange(6), 10), [7, 7, 8, 8]]).astype(np.intp)
    found = {(pair.first, pair.second): pair.mirror for pair in find_pairs(hashes, owners)}
    assert found == {(3, 60): "", (11, 61): MIRRORS[1], (20, 62): MIRRORS[2], (30, 63): MIRRORS[3]}


def test_slices_of_one_owner_are_not_compared() -> None:
    images = heads(3)
    hashes = hash_slices(np.concatenate([images, images]))
    assert find_pairs(hashes, np.zeros(6, np.intp)) == []
    assert len(find_pairs(hashes, np.repeat([0, 1], 3).astype(np.intp))) == 3


def test_nothing_to_compare() -> None:
    assert find_pairs(np.zeros((0, BITS // 64), np.uint64), np.zeros(0, np.intp)) == []


def test_many_equal_images_do_not_make_pairs_of_all() -> None:
    hashes = np.repeat(hash_slices(heads(1)), 300, axis=0)
    pairs = find_pairs(hashes, np.arange(300, dtype=np.intp))
    assert 299 <= len(pairs) <= 300 * NEIGHBOURS


@given(st.integers(1, 10**7))
@settings(max_examples=30, deadline=None)
def test_chance_meetings_grow_no_faster_than_slices(slices: int) -> None:
    entries = len(MIRRORS) * slices
    expected = entries**2 / 2 / 2 ** chosen_bits(slices)
    assert expected <= entries
