"""The scanner that takes the images of a practice patient: three sequences with their usual flaws."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glioseg.dataset.phantom_anatomy import Anatomy, Tissue
from glioseg.dataset.phantom_space import Field, smooth_noise

BRIGHTNESS: dict[Tissue, tuple[float, float, float]] = {
    Tissue.AIR: (0.02, 0.02, 0.02),
    Tissue.SKIN: (0.9, 0.9, 1.1),
    Tissue.FAT: (2.1, 1.8, 1.9),
    Tissue.BONE: (0.2, 0.15, 0.2),
    Tissue.MARROW: (0.9, 0.6, 0.9),
    Tissue.MUSCLE: (0.75, 0.6, 0.95),
    Tissue.FLUID: (0.38, 0.28, 0.4),
    Tissue.GREY: (0.77, 1.1, 0.82),
    Tissue.WHITE: (1.0, 0.95, 1.02),
    Tissue.DEEP_GREY: (0.88, 1.04, 0.92),
    Tissue.VESSEL: (0.6, 0.6, 1.9),
    Tissue.SCAR: (0.88, 1.5, 0.9),
}
"""Brightness of each tissue on T1 before contrast, FLAIR and T1 after contrast, where white matter is about 1."""


def scan(rng: np.random.Generator, anatomy: Anatomy) -> NDArray[np.uint8]:
    """Takes the three sequences of a head, uint8 (slice, row, column, channel), with a scanner's imperfections."""
    usual = np.array([BRIGHTNESS[tissue] for tissue in Tissue])
    table = usual ** rng.uniform(0.8, 1.3, 3) * rng.normal(1, 0.04, usual.shape)
    tumour = tumour_brightness(rng, anatomy)
    texture = smooth_noise(rng, anatomy.tissue.shape, 8)
    share = np.clip(anatomy.tumour.share * (0.9 + 0.15 * texture), 0, 1)
    mottle = 1 + 0.03 * texture
    scale = np.exp(rng.uniform(np.log(42), np.log(80)))
    sequences = []
    for of_tissue, of_tumour in zip(table.T.astype(np.float32), tumour, strict=True):
        image = of_tissue[anatomy.tissue]
        image += share * (of_tumour - image)
        sequences.append(_expose(rng, image * mottle, scale * np.exp(rng.normal(0, 0.18))))
    return np.stack(sequences, axis=-1)


def tumour_brightness(rng: np.random.Generator, anatomy: Anatomy) -> tuple[Field, Field, Field]:
    """Brightness of the tumour in each sequence, in places with a dark cyst or a rim that takes up contrast agent."""
    shape = anatomy.tissue.shape
    pattern = smooth_noise(rng, shape, 22)
    core = anatomy.tumour.share >= 1
    pre = np.full(shape, rng.uniform(0.55, 0.85), np.float32)
    flair = np.asarray(rng.uniform(1.25, 1.9) * (1 + 0.07 * pattern), np.float32)
    post = pre + np.float32(rng.uniform(0, 0.1))
    if rng.random() < 0.25:
        cyst = core & (pattern > 0.8)
        flair[cyst] = rng.uniform(0.5, 1.1)
        pre[cyst] = post[cyst] = 0.45
    if rng.random() < 0.3:
        post[core & (np.abs(pattern - 0.8) < 0.2)] = rng.uniform(1.3, 1.9)
    return pre, flair, post


def _expose(rng: np.random.Generator, image: Field, scale: float) -> NDArray[np.uint8]:
    """One sequence with white matter at about `scale`: blurred, shaded, uneven between slices, with Rician noise.

    Gudbjartsson, Patz, "The Rician distribution of noisy MRI data", Magn Reson Med 1995.
    """
    slices, size = len(image), image.shape[1]
    blurred = ndimage.gaussian_filter(image, (0, 0.0032 * size, 0.0032 * size), truncate=3)
    shading = np.exp(np.float32(rng.uniform(0.03, 0.16)) * smooth_noise(rng, image.shape, 110))
    unevenness = rng.normal(1, 0.02, (slices, 1, 1)).astype(np.float32)
    signal = blurred * shading * (np.float32(scale) * unevenness)
    noise = rng.standard_normal((2, *image.shape), dtype=np.float32) * np.float32(scale * rng.uniform(0.015, 0.045))
    magnitude = np.sqrt(np.square(signal + noise[0]) + np.square(noise[1]))
    return np.clip(magnitude + 0.5, 0, 255).astype(np.uint8)
