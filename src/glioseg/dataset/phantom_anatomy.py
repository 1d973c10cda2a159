"""The body of a practice patient: which tissue lies where in a made-up head, and where its tumour is.

Simple shapes in the coordinates of the standard head (`glioseg.dataset.phantom_space`), every surface of which is bent
by smooth noise.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glioseg.dataset.phantom_space import (
    HALF_LENGTH_MM,
    HALF_WIDTH_MM,
    Field,
    Space,
    ball,
    bell,
    place_head,
    smooth_noise,
    step,
)


class Tissue(IntEnum):
    """What a voxel is made of."""

    AIR = 0
    SKIN = 1
    FAT = 2
    BONE = 3
    MARROW = 4
    MUSCLE = 5
    FLUID = 6
    GREY = 7
    WHITE = 8
    DEEP_GREY = 9
    VESSEL = 10
    SCAR = 11
    """A harmless bright spot or cap of the white matter, which no contour includes."""


@dataclass(frozen=True)
class Tumour:
    """A lesion and its contour.

    Attributes:
        mask: True inside the contour, bool (slice, row, column).
        share: Share of tumour tissue in each voxel from 0 to 1; it fades across the contour.
        centre_mm: Where it sits, as x, y, z.
        radius_mm: Of a ball of its volume.
    """

    mask: NDArray[np.bool_]
    share: Field
    centre_mm: tuple[float, float, float]
    radius_mm: float


@dataclass(frozen=True)
class Anatomy:
    """A head without a scanner: tissues, shape (slice, row, column), uint8 of `Tissue`, and the tumour."""

    tissue: NDArray[np.uint8]
    tumour: Tumour


def make_anatomy(rng: np.random.Generator, size: int, slices: int) -> Anatomy:
    """Builds one head with one tumour on a grid of (slices, size, size) voxels."""
    space = place_head(rng, size, slices)
    depth = head_depth(rng, space)
    tissue, inside = layers(rng, space, depth)
    tumour = grow_tumour(rng, space, inside)
    fill_brain(rng, space, inside, tumour, tissue)
    return Anatomy(tissue, tumour)


def head_depth(rng: np.random.Generator, space: Space) -> Field:
    """Depth below the skin in millimetres, negative outside the head, shape (slice, row, column)."""
    x, y, z = space.x_mm, space.y_mm, space.z_mm
    scale = np.sqrt(1 - (np.clip(z - 65, 0, None) / 92) ** 2.6) - 0.06 * bell(z, 0, 30)
    nose = np.where(y < 0, 1 - 0.1 * bell(x, 0, 13) * bell(z, 22, 16), 1)
    across = x / (HALF_WIDTH_MM * (1 + 0.0008 * y))
    along = y * nose / HALF_LENGTH_MM
    squared = across**2 + along**2 + np.float32(1e-6)
    squareness = 1 - 0.04 * (2 * across * along) ** 2 / squared**2
    radius = np.sqrt(squared) * squareness / scale
    return np.asarray((1 - radius) * 86 * scale + 1.6 * smooth_noise(rng, space.shape, 55), dtype=np.float32)


def layers(rng: np.random.Generator, space: Space, depth: Field) -> tuple[NDArray[np.uint8], Field]:
    """Scalp, skull and face; returns the tissues and the depth inside the cavity of the brain in millimetres."""
    # A slice cuts the vault at a slant near the vertex, which makes its layers look thicker there.
    slant = 1 + 1.6 * np.clip((space.z_mm - 95) / 55, 0, 1) ** 2
    wobble = smooth_noise(rng, space.shape, 45)
    back = 1 + 0.5 * np.clip(space.y_mm / HALF_LENGTH_MM, 0, 1)
    scalp = (rng.uniform(4, 8) * back + 0.9 * wobble) * slant
    skull = (rng.uniform(5, 8) - 0.5 * wobble) * slant
    inner = depth - scalp - skull
    above_base = space.z_mm - skull_base(space) - 2 * wobble
    tissue = np.zeros(space.shape, np.uint8)
    tissue[depth > 0] = Tissue.SKIN
    tissue[depth > 1.6] = Tissue.FAT
    tissue[depth > scalp] = Tissue.BONE
    tissue[(depth > scalp + 0.3 * skull) & (inner < -0.3 * skull)] = Tissue.MARROW
    face = (depth > scalp) & (above_base < -3)
    tissue[face] = _face(rng, space)[face]
    return tissue, np.minimum(inner, above_base)


def skull_base(space: Space) -> Field:
    """Height of the floor of the skull in millimetres: high in front, low at the temples, lowest at the back."""
    x, y = np.abs(space.x_mm), space.y_mm
    front = (30 - 0.35 * y) * step(-(y + 14) / 9)
    temples = 20 * bell(x, 44, 16) * bell(y, -22, 22)
    beside = 34 * step((x - 56) / 4) * step((y - 5) / 6)
    return np.asarray(6 + front - temples + beside, dtype=np.float32)


def _face(rng: np.random.Generator, space: Space) -> NDArray[np.uint8]:
    """Muscle, fat, bone, air and the eyes, which lie below and before the brain."""
    x, y, z = np.abs(space.x_mm), space.y_mm, space.z_mm
    mottle = smooth_noise(rng, space.shape, 13)
    face = np.full(space.shape, Tissue.MUSCLE, np.uint8)
    face[mottle > 0.9] = Tissue.FAT
    face[mottle < -0.8] = Tissue.BONE
    face[mottle < -1.6] = Tissue.AIR
    sinus = ball(x, y, z, (16, -48, 18), (15, 22, 17))
    face[sinus < 1 + 0.2 * mottle] = Tissue.AIR
    eye = ball(x, y, z, (32, -66, 34), (13, 13, 13))
    face[eye < 2] = Tissue.FAT
    face[eye < 1] = Tissue.FLUID
    return face


def grow_tumour(rng: np.random.Generator, space: Space, inside: Field) -> Tumour:
    """A knobbly lump of 0.5 to 15 % of the brain's volume, wholly inside the brain."""
    brain = inside > 2
    seeds = np.argwhere((inside > 10) & (space.z_mm > 40))
    s, r, c = seeds[rng.integers(len(seeds))]
    centre = (float(space.x_mm[0, r, c]), float(space.y_mm[0, r, c]), float(space.z_mm[s, 0, 0]))
    share_of_brain = np.exp(rng.uniform(np.log(0.005), np.log(0.14)))
    radius = 68 * share_of_brain ** (1 / 3)
    axes = np.exp(rng.normal(0, 0.18, 3)) * (1, 1, 1.05)
    distance = np.sqrt(ball(space.x_mm, space.y_mm, space.z_mm, centre, tuple(radius * axes)))
    knobs = 0.2 * smooth_noise(rng, space.shape, 30) + 0.17 * smooth_noise(rng, space.shape, 11)
    distance = np.where(brain, distance + rng.uniform(0.7, 1.6) * knobs, np.inf).astype(np.float32)
    voxels = max(int(share_of_brain * brain.sum()), 8)
    edge = np.partition(distance, voxels, axis=None)[voxels]
    mask = _largest_part(distance < edge)
    fade = rng.uniform(2.5, 6) / radius
    share = np.clip(0.5 + (edge - distance) / (2 * fade), 0, 1)
    share[~mask] *= 0.8
    return Tumour(mask, share.astype(np.float32), centre, float(radius))


def _largest_part(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    parts, count = ndimage.label(mask)
    if count < 2:
        return mask
    return np.asarray(parts == 1 + np.argmax(np.bincount(parts.ravel())[1:]))


def fill_brain(
    rng: np.random.Generator, space: Space, inside: Field, tumour: Tumour, tissue: NDArray[np.uint8]
) -> None:
    """Paints fluid, folded cortex, white matter, deep grey, ventricles and vessels into the cavity, in place."""
    x, y, z = _pushed_aside(rng, space, tumour)
    brain = inside > 2
    cerebellum = brain & (y > 20) & (z < 46 - 0.25 * np.abs(x))
    tissue[inside > 0] = Tissue.FLUID
    _fold_cortex(rng, space.shape, inside, brain, tissue)
    _fold_cerebellum(rng, space.shape, inside, cerebellum, tissue)
    tissue[brain & (ball(x, y, z, (0, 14, 20), (15, 14, 40)) < 1)] = Tissue.WHITE
    tissue[brain & (ball(np.abs(x), y, z, (22, 0, 66), (10, 24, 15)) < 1)] = Tissue.DEEP_GREY
    _scars(rng, space.shape, inside, tissue)
    _midline(x, y, z, inside, tissue)
    _ventricles(rng, x, y, z, brain, tissue)


def _pushed_aside(rng: np.random.Generator, space: Space, tumour: Tumour) -> tuple[Field, Field, Field]:
    """Coordinates of the structures within the brain: bent by noise, and pushed away by the mass of the tumour."""
    nearness = bell(space.x_mm, tumour.centre_mm[0], 1.3 * tumour.radius_mm)
    nearness = nearness * bell(space.y_mm, tumour.centre_mm[1], 1.3 * tumour.radius_mm)
    nearness = nearness * bell(space.z_mm, tumour.centre_mm[2], 1.3 * tumour.radius_mm)
    push = np.copysign(rng.uniform(0, 0.35) * tumour.radius_mm, tumour.centre_mm[0])
    x = space.x_mm + push * nearness + 1.5 * smooth_noise(rng, space.shape, 24)
    y = space.y_mm + 3 * smooth_noise(rng, space.shape, 40)
    return np.asarray(x, np.float32), np.asarray(y, np.float32), space.z_mm


def _fold_cortex(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    inside: Field,
    brain: NDArray[np.bool_],
    tissue: NDArray[np.uint8],
) -> None:
    """Furrows run where a smooth noise crosses zero; a ribbon of grey lines them and the surface."""
    furrow = np.abs(smooth_noise(rng, shape, rng.uniform(8, 10)))
    reach = np.clip(1 - inside / rng.uniform(34, 50), 0, None)
    tissue[brain] = Tissue.WHITE
    tissue[brain & ((furrow < 0.75 * reach) | (inside < 5))] = Tissue.GREY
    tissue[brain & (furrow < (rng.uniform(0.2, 0.4) * reach - 0.1))] = Tissue.FLUID


def _fold_cerebellum(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    inside: Field,
    cerebellum: NDArray[np.bool_],
    tissue: NDArray[np.uint8],
) -> None:
    leaves = np.sin(inside * 1.1 + 2.5 * smooth_noise(rng, shape, 18))
    tissue[cerebellum] = Tissue.GREY
    tissue[cerebellum & (inside > 16)] = Tissue.WHITE
    tissue[cerebellum & (inside < 22) & (leaves > 0.93)] = Tissue.FLUID


def _scars(rng: np.random.Generator, shape: tuple[int, int, int], inside: Field, tissue: NDArray[np.uint8]) -> None:
    """Small bright spots of ageing white matter, more of them in some patients than in others."""
    spots = smooth_noise(rng, shape, 7) > rng.uniform(2.4, 3.6)
    tissue[spots & (inside > 9) & (tissue == Tissue.WHITE)] = Tissue.SCAR


def _midline(x: Field, y: Field, z: Field, inside: Field, tissue: NDArray[np.uint8]) -> None:
    """The cleft between the hemispheres, the falx in it, and the sinuses that drain them."""
    away_from_callosum = ball(x, y, z, (0, 0, 62), (30, 46, 34)) > 1
    cleft = (inside > 0) & (z > 48) & away_from_callosum
    tissue[cleft & (np.abs(x) < 4.5) & (inside > 2)] = Tissue.GREY
    tissue[cleft & (np.abs(x) < 1.6)] = Tissue.FLUID
    tissue[cleft & (np.abs(x) < 0.6)] = Tissue.VESSEL
    tissue[(np.abs(x) < 4 - inside * 0.7) & (inside > -1) & (y > 20) & (z > 40)] = Tissue.VESSEL


def _ventricles(
    rng: np.random.Generator, x: Field, y: Field, z: Field, brain: NDArray[np.bool_], tissue: NDArray[np.uint8]
) -> None:
    """Lateral, third and fourth ventricle with their bright caps and the choroid plexus."""
    width = rng.uniform(4, 8)
    middle = width + 1.5 + 0.009 * (y - 2) ** 2 * (1 - 0.4 * (y < 0))
    lateral = ball(np.abs(x) - middle, y, z, (0, 4, 76), (width, rng.uniform(38, 48), rng.uniform(12, 18)))
    third = ball(x, y, z, (0, 2, 58), (rng.uniform(1.5, 3.5), 14, 12))
    fourth = ball(x, y, z, (0, 32, 28), (7, 5, 10))
    caps = (lateral < rng.uniform(1.1, 2.2)) & (np.abs(y - 4) > 26)
    tissue[brain & caps] = Tissue.SCAR
    tissue[brain & (np.minimum(np.minimum(lateral, third), fourth) < 1)] = Tissue.FLUID
    plexus = ball(np.abs(x) - middle, y, z, (0, 22, 74), (2.2, 9, 7))
    tissue[brain & (plexus < 1)] = Tissue.VESSEL
