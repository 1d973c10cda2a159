"""A batch of stored slices becomes varied network input, on whatever device it lies.

Geometry is one warp for image and mask together, which cuts the crop in the same pass; it runs on clipped
intensities before normalisation, so that what comes into view from outside is black and not average tissue.
"""

import math
from dataclasses import replace

import torch
import torch.nn.functional as F
from kornia.geometry.transform import get_affine_matrix2d, warp_affine
from torch import Tensor

from glioseg.inference.preprocessing import clip_and_normalise
from glioseg.training.config import Augmentation
from glioseg.training.device_cache import Batch
from glioseg.training.hard_negatives import paint_hard_negatives, uniform
from glioseg.training.skull_stripping import strip_skulls
from glioseg.volume import CHANNELS

HISTOGRAM_PIECES = 8
"""Of the curve that ``augmentation.histogram_warp`` bends."""

SHARE_WITHOUT_BOTH = 0.6
"""Of the dataset's ten patients who lack sequences, six lack pre and post and four lack post alone."""


def augment(
    batch: Batch, settings: Augmentation, crop_size: int, generator: torch.Generator, *, downsampling_factor: int = 1
) -> tuple[Tensor, Tensor]:
    """Vary, crop and normalise a batch.

    Args:
        batch: Slices on the device where the work is done.
        settings: How much to vary.
        crop_size: Rows and columns of the result, in pixels.
        generator: The only source of chance; it lies on the batch's device.
        downsampling_factor: Pixels of the slice along rows and columns that become one; 2 shows twice the width at half
            the resolution.

    Returns:
        Normalised intensities (slice, input channel, crop, crop), float32, and what the network shall answer
        (slice, 1, crop, crop), float32: the masks, 0 or 1, or the batch's targets, 0 to 1.
    """
    batch = _thickened(batch, settings, generator)
    if batch.head_masks is not None and batch.stripped_statistics is not None:
        batch = _stripped(batch, batch.head_masks, batch.stripped_statistics, settings, generator)
    statistics = _for_all_seen(batch.statistics, batch.images)
    limits = statistics[..., 2, None, None]
    images, maps = torch.minimum(batch.images.float(), limits), batch.masks.float()
    if batch.targets is not None:
        maps = torch.cat((maps, batch.targets.float() / 255), dim=1)
    if downsampling_factor > 1:
        # Means, as in use. A warp straight to fewer pixels would pick single ones, with all their noise.
        images, maps = (F.avg_pool2d(part, downsampling_factor, ceil_mode=True) for part in (images, maps))
    images, masks, target = _warp(
        images, maps, settings, crop_size, settings.shift_pixels / downsampling_factor, generator
    )
    images = _vary_gamma(images, limits, settings, generator)
    images = _warp_histogram(images, limits, settings, generator)
    images = paint_hard_negatives(images, masks, limits, settings, generator)
    images = _vary_field(images, settings, generator)
    images = _lower_resolution(images, settings, generator)
    images = clip_and_normalise(images, statistics)
    images = _convolve(images, settings, generator)
    images = _vary_intensity(images, settings, generator)
    return _vary_context(_drop_sequences(images, settings, generator), settings, generator), target


def _for_all_seen(values: Tensor, images: Tensor) -> Tensor:
    """Values (slice, channel, ...) for the input channels of images: a slice and those beside it vary alike."""
    return values.repeat(1, images.shape[1] // len(CHANNELS), *[1] * (values.ndim - 2))


def _thickened(batch: Batch, settings: Augmentation, generator: torch.Generator) -> Batch:
    """Mix some slices with those after them: any share of both, so that thick slices and slices in between are seen."""
    after = batch.next_slices
    if after is None:
        return batch
    shape = (len(batch.images), 1, 1, 1)
    share = uniform(shape, 0, 1, batch.masks, generator)
    chosen = uniform(shape, 0, 1, batch.masks, generator) < settings.slice_thickness
    share = torch.where(chosen, share, torch.zeros_like(share))

    def mixed(own: Tensor, other: Tensor) -> Tensor:
        return torch.lerp(own.float(), other.float(), share)

    masks = mixed(batch.masks, after.masks) >= 0.5
    targets = None if batch.targets is None or after.targets is None else mixed(batch.targets, after.targets)
    return replace(batch, images=mixed(batch.images, after.images), masks=masks, targets=targets, next_slices=None)


def _stripped(
    batch: Batch, head_masks: Tensor, statistics: Tensor, settings: Augmentation, generator: torch.Generator
) -> Batch:
    masks, targets = batch.masks, batch.targets
    images, kept, way = strip_skulls(batch.images, head_masks, settings, generator)
    stripped = statistics[torch.arange(len(way), device=way.device), way.clamp(min=0)]
    chosen = torch.where(way[:, None, None] < 0, batch.statistics, stripped)
    return Batch(images, masks & kept, chosen, targets=None if targets is None else targets * kept)


def _warp(
    images: Tensor, maps: Tensor, settings: Augmentation, crop_size: int, shift_px: float, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Warp and crop images and maps, whose first is the mask and whose last is the target; they may be one."""
    matrices = _warp_matrices(images, settings, crop_size, shift_px, generator)
    together, channels = torch.cat((images, maps), dim=1), images.shape[1]
    warped = warp_affine(together, matrices, (crop_size, crop_size), padding_mode="zeros", align_corners=True)
    # Half of an interpolated mask is where its contour runs.
    masks = (warped[:, channels : channels + 1] >= 0.5).float()
    return warped[:, :channels], masks, masks if maps.shape[1] == 1 else warped[:, -1:]


def _warp_matrices(
    images: Tensor, settings: Augmentation, crop_size: int, shift_px: float, generator: torch.Generator
) -> Tensor:
    """For each slice the matrix (2, 3) that takes (column, row) of the source to (column, row) of the crop."""
    count, _, rows, columns = images.shape
    low, high = settings.scale
    scale = torch.exp(uniform((count, 1), math.log(low), math.log(high), images, generator)).expand(-1, 2)
    angle = uniform((count,), -settings.rotation_degrees, settings.rotation_degrees, images, generator)
    mirrored = uniform((count,), 0, 1, images, generator) < settings.flip
    # The head fills the middle of the image; a crop that may land anywhere would mostly see black.
    shift = uniform((count, 2), -shift_px, shift_px, images, generator)
    centre = torch.tensor([(columns - 1) / 2, (rows - 1) / 2], device=images.device)
    to_crop_centre = (crop_size - 1) / 2 - centre
    matrices = get_affine_matrix2d(shift + to_crop_centre, centre.expand(count, 2), scale, angle)
    mirror = torch.eye(3, device=images.device).repeat(count, 1, 1)
    mirror[:, 0, 0] = torch.where(mirrored, -1.0, 1.0)
    mirror[:, 0, 2] = torch.where(mirrored, columns - 1.0, 0.0)
    return (matrices @ mirror)[:, :2]


def _vary_gamma(images: Tensor, limits: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    if settings.gamma == 0:
        return images
    # A sequence that is black all over has the limit 0.
    limits = limits.clamp(min=1e-3)
    low = math.log(1 - settings.gamma)
    exponent = torch.exp(uniform((len(images), len(CHANNELS), 1, 1), low, -low, images, generator))
    exponent = _for_all_seen(exponent, images)
    return (images.clamp(min=0) / limits).pow(exponent) * limits


def _warp_histogram(images: Tensor, limits: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    """Bend the intensities of each sequence by a rising curve of straight pieces, which keeps black and the limit."""
    if settings.histogram_warp == 0:
        return images
    shape = (len(images), len(CHANNELS), HISTOGRAM_PIECES)
    slopes = uniform(shape, -settings.histogram_warp, settings.histogram_warp, images, generator).exp()
    heights = F.pad(slopes.cumsum(dim=-1) / slopes.sum(dim=-1, keepdim=True), (1, 0))
    heights = _for_all_seen(heights, images)
    limits = limits.clamp(min=1e-3)
    place = ((images / limits).clamp(0, 1) * HISTOGRAM_PIECES).flatten(2)
    piece = place.long().clamp(max=HISTOGRAM_PIECES - 1)
    bent = torch.lerp(heights.gather(2, piece), heights.gather(2, piece + 1), place - piece)
    return bent.view_as(images) * limits


def _convolve(images: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    """Mix some slices with their convolution by a random kernel for each sequence.

    Xu 2021, "Robust and Generalizable Visual Representation Learning via Random Convolutions", section 3: normal
    weights whose squares sum to one on average, and a share of the mix between 0 and 1.
    """
    if settings.random_convolution == 0:
        return images
    kernels = torch.randn(len(images), len(CHANNELS), 3, 3, device=images.device, generator=generator) / 3
    kernels = _for_all_seen(kernels, images).flatten(0, 1)[:, None]
    convolved = F.conv2d(images.flatten(0, 1)[None], kernels, padding=1, groups=len(kernels)).view_as(images)
    share = uniform((len(images), 1, 1, 1), 0, 1, images, generator)
    chosen = uniform((len(images), 1, 1, 1), 0, 1, images, generator) < settings.random_convolution
    return torch.where(chosen, torch.lerp(images, convolved, share), images)


def _vary_field(images: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    """Brighten and darken parts by a smooth field for each slice and sequence, as the coils of a scanner do."""
    if settings.bias_field == 0:
        return images
    # Nine numbers, bent into a smooth surface.
    shape = (len(images), len(CHANNELS), 3, 3)
    knots = uniform(shape, -settings.bias_field, settings.bias_field, images, generator)
    field = F.interpolate(knots, size=images.shape[-2:], mode="bicubic", align_corners=True)
    return images * _for_all_seen(field.clamp(-settings.bias_field, settings.bias_field).exp(), images)


def _lower_resolution(images: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    """Show some slices as a coarser scanner would: half of them at the lowest resolution, half nearer to the full."""
    if settings.low_resolution == 0:
        return images
    chance = uniform((len(images), 1, 1, 1), 0, 1, images, generator)
    # Two fixed resolutions: one drawn for each slice would need an image size for each.
    for limit, share in ((1.0, math.sqrt(settings.lowest_resolution)), (0.5, settings.lowest_resolution)):
        coarse = F.interpolate(images, scale_factor=share, mode="bilinear", antialias=True)
        seen = F.interpolate(coarse, size=images.shape[-2:], mode="bilinear")
        images = torch.where(chance < limit * settings.low_resolution, seen, images)
    return images


def _vary_intensity(images: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    shape = (len(images), len(CHANNELS), 1, 1)
    gain = _for_all_seen(1 + uniform(shape, -settings.contrast, settings.contrast, images, generator), images)
    offset = _for_all_seen(uniform(shape, -settings.brightness, settings.brightness, images, generator), images)
    deviation = uniform((len(images), 1, 1, 1), 0, settings.noise, images, generator)
    noise = torch.randn(images.shape, device=images.device, generator=generator)
    return images * gain + offset + noise * deviation


def _drop_sequences(images: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    """Fill post, or pre and post, by the FLAIR as it is after all else, since in the dataset the copies are exact."""
    flair, pre, post = (CHANNELS.index(sequence) for sequence in ("flair", "pre", "post"))
    chance = uniform((len(images),), 0, 1, images, generator)
    dropped = torch.zeros((len(images), 1, len(CHANNELS)), dtype=torch.bool, device=images.device)
    dropped[..., post] = (chance < settings.sequence_dropout)[:, None]
    dropped[..., pre] = (chance < settings.sequence_dropout * SHARE_WITHOUT_BOTH)[:, None]
    seen = images.reshape(len(images), -1, len(CHANNELS), *images.shape[-2:])
    return torch.where(dropped[..., None, None], seen[:, :, flair : flair + 1], seen).flatten(1, 2)


def _vary_context(images: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    """Exchange the slices before and after a slice, as often as left and right, or show the slice itself for both.

    The latter is what a scan of one slice shows, and the first and the last slice of any scan.
    """
    seen = images.reshape(len(images), -1, len(CHANNELS), *images.shape[-2:])
    if seen.shape[1] == 1:
        return images
    chance = uniform((2, len(images), 1, 1, 1, 1), 0, 1, images, generator)
    own, beside = seen[:, :1], seen[:, 1:]
    beside = torch.where(chance[0] < settings.flip, beside.flip(1), beside)
    beside = torch.where(chance[1] < settings.context_dropout, own, beside)
    return torch.cat((own, beside), dim=1).flatten(1, 2)
