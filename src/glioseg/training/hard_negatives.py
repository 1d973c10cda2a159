"""Bright spots that are no tumour, painted on slices without tumour, and artefacts of scanners on any slice.

Every patient of the dataset has a tumour, so that nothing tells a network what else is bright on FLAIR: lesions of the
white matter, caps beside the ventricles, the temporal poles under a coil, a slice that is brighter than its neighbours.
"""

import math

import torch
from torch import Tensor

from glioseg.training.config import Augmentation
from glioseg.volume import CHANNELS

SPOTS = 10
"""Most lesions in a slice."""
SPOT_RADIUS = (0.008, 0.04)
"""Of small round lesions, as a share of the crop's side: 1.5 to 8 mm where a crop shows 190 mm."""
CAP_RADII = ((0.012, 0.03), (0.04, 0.1))
"""Half axes of a cap beside a ventricle, across and along, as a share of the side."""
BRIGHTEST_COIL = 0.6
"""Natural logarithm of the greatest factor by which a coil brightens what lies beside it."""
BRIGHTEST_SLICE = 0.35
"""Natural logarithm of the greatest factor of a slice that is brighter than its neighbours."""
STRONGEST_GHOST = 0.25
"""Share of the intensities that motion shows again elsewhere."""


def paint_hard_negatives(
    images: Tensor, masks: Tensor, limits: Tensor, settings: Augmentation, generator: torch.Generator
) -> Tensor:
    """Vary a batch by what is bright and no tumour.

    Args:
        images: Shape (slice, input channel, row, column), intensities between 0 and the limit.
        masks: Shape (slice, 1, row, column), 0 or 1. Lesions are painted where a slice's mask is empty.
        limits: Shape (slice, input channel, 1, 1), the upper limit of intensities.
        settings: How often.
        generator: The only source of chance; it lies on the batch's device.

    Returns:
        Images of the same shape.
    """
    if settings.hard_negatives == 0:
        return images
    chance = torch.rand((4, len(images), 1, 1, 1), device=images.device, generator=generator)
    wanted = chance < settings.hard_negatives
    empty = masks.amax(dim=(1, 2, 3), keepdim=True) == 0
    images = torch.where(wanted[0] & empty, _with_lesions(images, limits, generator), images)
    images = torch.where(wanted[1], _beside_a_coil(images, generator), images)
    images = torch.where(wanted[2], _with_ghost(images, generator), images)
    return torch.where(wanted[3], _with_a_bright_slice(images, generator), images)


def _with_lesions(images: Tensor, limits: Tensor, generator: torch.Generator) -> Tensor:
    """Small round lesions or, in one of three slices, a pair of caps that mirror each other; bright on FLAIR."""
    count = len(images)
    spots = _spots(images, generator)
    caps = _caps(images, generator)
    shape = torch.where(uniform((count, 1, 1), 0, 1, images, generator) < 1 / 3, caps, spots)
    seen = images.reshape(len(images), -1, len(CHANNELS), *images.shape[-2:]).clone()
    top = limits.reshape(len(images), -1, len(CHANNELS), 1, 1)
    flair, pre = CHANNELS.index("flair"), CHANNELS.index("pre")
    # Only where there is tissue, and thinner in the slices beside it: most lesions are smaller than a slice is thick.
    brightness = uniform((count, 1, 1, 1), 0.35, 1.0, images, generator)
    darkness = uniform((count, 1, 1, 1), 0.0, 0.35, images, generator)
    carried = torch.ones(seen.shape[1], device=images.device)
    carried[1:] = 0.4
    paint = shape[:, None] * carried[:, None, None] * (seen[:, :, flair] > 0.25 * top[:, :, flair])
    seen[:, :, flair] += paint * brightness * (top[:, :, flair] - seen[:, :, flair]).clamp(min=0)
    seen[:, :, pre] *= 1 - paint * darkness
    return seen.flatten(1, 2)


def _spots(images: Tensor, generator: torch.Generator) -> Tensor:
    """Up to :data:`SPOTS` round lesions around the middle of the crop, shape (slice, row, column), 0 to 1."""
    shape = (len(images), SPOTS)
    low, high = SPOT_RADIUS
    radius = torch.exp(uniform(shape, math.log(low), math.log(high), images, generator))
    row, column = (uniform(shape, -0.35, 0.35, images, generator) for _ in range(2))
    number = uniform((len(images), 1), 1, SPOTS + 1, images, generator).floor()
    shown = (torch.arange(SPOTS, device=images.device) < number).float()
    return _ellipses(images, row, column, radius, radius, torch.zeros_like(row), shown)


def _caps(images: Tensor, generator: torch.Generator) -> Tensor:
    """Two mirrored caps beside the middle of the crop, shape (slice, row, column), 0 to 1."""
    count = (len(images), 1)
    across, along = (uniform(count, low, high, images, generator) for low, high in CAP_RADII)
    row = uniform(count, -0.2, 0.2, images, generator)
    aside = uniform(count, 0.04, 0.12, images, generator)
    tilt = uniform(count, -0.6, 0.6, images, generator)
    # The second is rarely as strong as the first.
    strength = torch.cat((torch.ones_like(row), uniform(count, 0.5, 1.0, images, generator)), dim=1)
    both = (torch.cat((part, part), dim=1) for part in (row, across, along))
    rows, widths, lengths = both
    columns, tilts = torch.cat((aside, -aside), dim=1), torch.cat((tilt, -tilt), dim=1)
    return _ellipses(images, rows, columns, lengths, widths, tilts, strength)


def _ellipses(
    images: Tensor, row: Tensor, column: Tensor, along: Tensor, across: Tensor, tilt: Tensor, strength: Tensor
) -> Tensor:
    """The strongest of several soft-edged ellipses at each pixel.

    Args:
        images: Gives the size, shape (slice, channel, row, column).
        row: Of the middle, from the crop's middle, as a share of the side; shape (slice, ellipse), as all others.
        column: Likewise.
        along: Half axis along rows before tilting.
        across: Half axis along columns.
        tilt: Radians.
        strength: 0 to 1.

    Returns:
        Shape (slice, row, column), 0 to 1.
    """
    side = images.shape[-1]
    grid = torch.linspace(-0.5, 0.5, side, device=images.device)
    down, right = grid[None, :, None], grid[None, None, :]
    total = torch.zeros((len(images), side, side), device=images.device)
    for number in range(row.shape[1]):
        y, x, a, b, turn, much = (part[:, number, None, None] for part in (row, column, along, across, tilt, strength))
        dy, dx = down - y, right - x
        distance = ((dy * turn.cos() + dx * turn.sin()) / a) ** 2 + ((dx * turn.cos() - dy * turn.sin()) / b) ** 2
        total = torch.maximum(total, much * torch.exp(-0.7 * distance.square()))
    return total


def _beside_a_coil(images: Tensor, generator: torch.Generator) -> Tensor:
    """All sequences brightened around a point near the head's edge."""
    count = (len(images), 1)
    angle = uniform(count, 0, 2 * math.pi, images, generator)
    far = uniform(count, 0.25, 0.45, images, generator)
    width = uniform(count, 0.1, 0.25, images, generator)
    near = _ellipses(images, far * angle.sin(), far * angle.cos(), width, width, torch.zeros_like(far), far / far)
    factor = uniform((len(images), 1, 1, 1), 0.1, BRIGHTEST_COIL, images, generator)
    return images * (factor * near[:, None]).exp()


def _with_ghost(images: Tensor, generator: torch.Generator) -> Tensor:
    """The slice again, shifted along columns or rows, as a head that moved."""
    side = images.shape[-1]
    shift = int(uniform((1,), 0.08, 0.4, images, generator) * side)
    much = uniform((len(images), 1, 1, 1), 0.05, STRONGEST_GHOST, images, generator)
    along_rows = uniform((len(images), 1, 1, 1), 0, 1, images, generator) < 0.5
    ghost = torch.where(along_rows, images.roll(shift, dims=2), images.roll(shift, dims=3))
    return images * (1 - much) + ghost * much


def _with_a_bright_slice(images: Tensor, generator: torch.Generator) -> Tensor:
    """The slice itself brighter than those beside it, in all sequences."""
    factor = uniform((len(images), 1, 1, 1), 0.0, BRIGHTEST_SLICE, images, generator).exp()
    return torch.cat((images[:, : len(CHANNELS)] * factor, images[:, len(CHANNELS) :]), dim=1)


def uniform(shape: tuple[int, ...], low: float, high: float, like: Tensor, generator: torch.Generator) -> Tensor:
    """Evenly spread between two numbers, on the device of another tensor, on which the generator lies too."""
    return torch.rand(shape, device=like.device, generator=generator) * (high - low) + low
