"""Patients of the dataset made to look like external scans: a simulated domain shift for want of such scans.

Stripped, turned, brought to another size and contrast, with the FLAIR alone or the FLAIR and T1. The changes differ in
kind from those that training makes, and are fixed for each patient, so that experiments compare on the same images.
"""

import zlib
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.interpolate import PchipInterpolator

from glioseg.dataset.head_masks import BRAIN_BIT, head_masks_of
from glioseg.volume import CHANNELS, Mask, Volume, copies_of_flair

SIZES = (0.7, 0.8, 1.15, 1.3)
"""Pixels of the changed scan for one of the dataset's."""
STEEPEST_TURN_DEGREES = 25.0
KNOTS = 6
"""Points of the curve that maps the dataset's intensities to those of the changed scan."""
NOISE_SHARE = 0.02
"""Noise of both parts of the complex signal, as a share of the brightest intensity."""


def simulate_domain_shift(volume: Volume, truth: Mask) -> tuple[Volume, Mask]:
    """A patient as another hospital might have it.

    Args:
        volume: A scan of the dataset.
        truth: Its mask.

    Returns:
        The scan, float32 in arbitrary units, and its mask, both on a new grid without affine.
    """
    chance = np.random.default_rng(zlib.crc32(volume.patient.encode()))
    brain = _brain(volume)
    images = {sequence: _recontrasted(volume.channel(sequence), brain, chance) for sequence in ("flair", "pre")}
    size, angle = float(chance.choice(SIZES)), float(chance.uniform(-1, 1) * STEEPEST_TURN_DEGREES)
    moved = {sequence: _moved(image, size, angle, order=3) for sequence, image in images.items()}
    kept = _moved(brain.astype(np.float32), size, angle, order=1) >= 0.5
    noisy = {
        sequence: np.where(kept, _rician(image, chance), 0).astype(np.float32) for sequence, image in moved.items()
    }
    pre = noisy["pre"] if chance.random() < 0.5 else noisy["flair"]
    by_sequence = {"flair": noisy["flair"], "pre": pre, "post": noisy["flair"]}
    inside = (_moved(truth.voxels.astype(np.float32), size, angle, order=1) >= 0.5) & kept
    voxels = np.stack([by_sequence[sequence] for sequence in CHANNELS], axis=-1)
    scan = replace(volume, voxels=voxels, slice_names=(), missing=copies_of_flair(voxels))
    return scan, Mask(volume.patient, inside)


def _brain(volume: Volume) -> NDArray[np.bool_]:
    """The brain with its furrows filled, as registration to an atlas would contour it."""
    brain = head_masks_of(volume) & BRAIN_BIT != 0
    return np.array([ndimage.binary_fill_holes(ndimage.binary_closing(section, iterations=5)) for section in brain])


def _recontrasted(
    image: NDArray[np.uint8] | NDArray[np.float32], brain: NDArray[np.bool_], chance: np.random.Generator
) -> NDArray[np.float32]:
    """Another scanner's contrast: a rising curve with random steps, in units of hundreds."""
    top = max(float(np.percentile(image[brain], 99.9)) if brain.any() else 0.0, 1.0)
    steps = np.concatenate([[0.0], chance.uniform(0.4, 1.6, KNOTS - 1)]).cumsum()
    curve = PchipInterpolator(np.linspace(0, top, KNOTS), steps / steps[-1] * chance.uniform(300, 3000))
    return np.asarray(curve(np.clip(image, 0, top)), np.float32)


def _moved(images: NDArray[np.float32], size: float, angle: float, *, order: int) -> NDArray[np.float32]:
    turned = ndimage.rotate(images, angle, axes=(1, 2), reshape=False, order=order, mode="constant")
    zoomed = ndimage.zoom(turned, (1, size, size), order=order, mode="grid-constant", grid_mode=True)
    return np.asarray(zoomed, np.float32)


def _rician(image: NDArray[np.float32], chance: np.random.Generator) -> NDArray[np.float32]:
    """The magnitude of a complex signal with noise in both parts (Gudbjartsson and Patz 1995)."""
    deviation = NOISE_SHARE * float(image.max(initial=0))
    real = np.maximum(image, 0) + chance.normal(0, deviation, image.shape)
    return np.hypot(real, chance.normal(0, deviation, image.shape)).astype(np.float32)
