"""Slices that are the same image, found without comparing every slice with every other.

Each slice gets a hash of 256 bits: the signs of middle frequencies of its cosine transform (perceptual hashing; Zauner,
"Implementation and benchmarking of perceptual image hash functions", 2010). The lowest frequencies, which perceptual
hashes commonly use, and the ring of scalp and skull are alike in all heads and would make every slice a candidate:
the image is reduced to its local contrast within the head before. A change of brightness, a little noise, another
size or lossy compression leaves most signs as they are. A mirror image changes the signs of the odd frequencies only,
so that mirrored copies are found from the same hash.

Candidates come from locality-sensitive hashing (Indyk, Motwani, "Approximate nearest neighbors", 1998): slices that
agree in all of some randomly chosen bits, in any of several tables. The number of chosen bits grows with the logarithm
of the number of slices, so that the number of chance meetings grows no faster than the slices themselves.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

BITS = 256
WORDS = BITS // 64
LOWEST_FREQUENCY = 5
TABLES = 16
NEIGHBOURS = 8
"""In a table, each slice is compared with so many that share its chosen bits, whatever their number."""

DIFFERENT_BITS = 36
"""Unrelated slices differ in half of the bits; the same image under noise or another scale in a tenth."""

WINDOW_PX, SCALP_PX = 9, 11
"""Of an image of 64 pixels: over what local contrast is taken, and twice what is left out at the head's surface."""

MIRRORS = ("", "left-right", "up-down", "left-right and up-down")


@dataclass(frozen=True)
class Pair:
    """Two slices that may be the same image.

    Attributes:
        first: Row of one slice in the hashes.
        second: Row of the other, larger.
        different_bits: In how many of 256 bits the hashes differ.
        mirror: How the second must be mirrored to fit the first; one of :data:`MIRRORS`.
    """

    first: int
    second: int
    different_bits: int
    mirror: str = ""


def _middle_frequencies() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column frequencies of the coefficients, from low to high, beyond what all heads share."""
    rows, columns = np.mgrid[0:24, 0:24]
    distance = np.hypot(rows, columns)
    order = np.lexsort((columns.ravel(), rows.ravel(), distance.ravel()))
    chosen = order[distance.ravel()[order] >= LOWEST_FREQUENCY][:BITS]
    return rows.ravel()[chosen], columns.ravel()[chosen]


_ROWS, _COLUMNS = _middle_frequencies()


def hash_slices(tiny: NDArray[np.float32]) -> NDArray[np.uint64]:
    """The perceptual hash of each slice: (slice, 64, 64) to (slice, 4)."""
    if not len(tiny):
        return np.zeros((0, WORDS), np.uint64)
    coefficients = fft.dctn(local_contrast(tiny), axes=(1, 2))[:, _ROWS, _COLUMNS]
    return _pack(coefficients > 0)


def local_contrast(tiny: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each pixel against its surroundings, zero outside of the brain; shape (slice, 64, 64) in and out."""
    mean = ndimage.uniform_filter(tiny, (0, WINDOW_PX, WINDOW_PX))
    square = ndimage.uniform_filter(np.square(tiny), (0, WINDOW_PX, WINDOW_PX))
    spread = np.sqrt(np.maximum(square - np.square(mean), 0))
    bright = mean.max(axis=(1, 2), keepdims=True)
    inner = ndimage.minimum_filter((mean > 0.2 * bright).astype(np.uint8), (0, SCALP_PX, SCALP_PX))
    return np.asarray(inner * (tiny - mean) / (spread + 0.02 * bright + 1e-6), np.float32)


def mirrored_hashes(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The hashes of each slice's mirror images in the order of :data:`MIRRORS`: (slice, 4) to (4, slice, 4)."""
    left_right, up_down = _COLUMNS % 2 == 1, _ROWS % 2 == 1
    changed = np.stack([np.zeros(BITS, bool), left_right, up_down, left_right ^ up_down])
    return np.asarray(hashes[None] ^ _pack(changed)[:, None])


def different_bits(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> NDArray[np.intp]:
    """In how many bits hashes differ: two of (..., 4) to (...)."""
    return np.asarray(np.bitwise_count(first ^ second).sum(axis=-1, dtype=np.intp))


def find_pairs(hashes: NDArray[np.uint64], owners: NDArray[np.intp], *, seed: int = 0) -> list[Pair]:
    """Pairs of slices of different owners whose hashes, or a mirror image's, hardly differ.

    Time and memory grow with the number of slices times its logarithm.

    Args:
        hashes: As :func:`hash_slices` gives them, shape (slice, 4).
        owners: Whose slice each is, shape (slice,); slices of one owner are not compared.
        seed: Decides which bits are chosen.
    """
    if len(hashes) < 2:
        return []
    variants = mirrored_hashes(hashes).reshape(-1, WORDS)
    best: dict[tuple[int, int], Pair] = {}
    for first, second, mirror, bits in _meetings(variants, owners, len(hashes), seed):
        for pair in map(Pair, *(column.tolist() for column in (first, second, bits)), [MIRRORS[m] for m in mirror]):
            known = best.get((pair.first, pair.second))
            if known is None or pair.different_bits < known.different_bits:
                best[pair.first, pair.second] = pair
    return [best[key] for key in sorted(best)]


def chosen_bits(slices: int) -> int:
    """How many bits a table chooses: so many that chance meetings are rarer than slices."""
    return min(32, max(12, math.ceil(math.log2(len(MIRRORS) * max(slices, 1))) + 4))


Meetings = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]


def _meetings(variants: NDArray[np.uint64], owners: NDArray[np.intp], slices: int, seed: int) -> Iterator[Meetings]:
    """In each table: first and second slice, the mirror between them, the bits that differ."""
    generator = np.random.default_rng(seed)
    # This second key keeps slices of one patient, which resemble each other, from standing side by side. It is the same
    # in every table, so that many equal slices meet the same few of each other again and again.
    shuffled = generator.permutation(len(variants))
    for _ in range(TABLES):
        keys = _gather(variants, generator.permutation(BITS)[: chosen_bits(slices)])
        order = np.lexsort((shuffled, keys))
        ordered = keys[order]
        for step in range(1, NEIGHBOURS + 1):
            same = np.flatnonzero(ordered[:-step] == ordered[step:])
            one, other = order[same], order[same + step]
            first, second = one % slices, other % slices
            # Of a pair, one stands as it is; two mirrored ones say nothing new.
            useful = ((one < slices) | (other < slices)) & (owners[first] != owners[second])
            one, other = one[useful], other[useful]
            bits = different_bits(variants[one], variants[other])
            alike = bits <= DIFFERENT_BITS
            one, other, bits = one[alike], other[alike], bits[alike]
            low, high = np.minimum(one % slices, other % slices), np.maximum(one % slices, other % slices)
            yield low, high, np.maximum(one // slices, other // slices), bits


def _gather(hashes: NDArray[np.uint64], places: NDArray[np.intp]) -> NDArray[np.uint64]:
    """The chosen bits of each hash as one number."""
    keys = np.zeros(len(hashes), np.uint64)
    for place in places:
        word, bit = divmod(int(place), 64)
        keys = (keys << np.uint64(1)) | ((hashes[:, word] >> np.uint64(bit)) & np.uint64(1))
    return keys


def _pack(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    weights = np.uint64(1) << np.arange(64, dtype=np.uint64)
    words = bits.reshape(len(bits), WORDS, 64).astype(np.uint64)
    return np.asarray((words * weights).sum(axis=-1, dtype=np.uint64))
