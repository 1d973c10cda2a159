import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from glioseg.dataset.head_masks import BRAIN_BIT
from glioseg.inference.preprocessing import clip_and_normalise
from glioseg.training.augmentation import augment
from glioseg.training.config import Augmentation
from glioseg.training.device_cache import Batch

SIZE = 64
NOTHING = Augmentation(
    flip=0,
    rotation_degrees=0,
    scale=(1, 1),
    shift_pixels=0,
    brightness=0,
    contrast=0,
    gamma=0,
    noise=0,
    sequence_dropout=0,
)
GEOMETRY = NOTHING.model_copy(update={"flip": 0.5, "rotation_degrees": 20, "scale": (0.78, 1.28), "shift_pixels": 6})
AS_STORED = torch.tensor([0.0, 1.0, 255.0])
FLAIR = 1
ROUNDING = 5e-4
"""Normalised intensities: the warp computes coordinates in float32."""


def only(**amounts: object) -> Augmentation:
    return NOTHING.model_copy(update=amounts)


def random_batch(slices: int = 6, size: int = SIZE) -> Batch:
    rng = np.random.default_rng(3)
    images = torch.from_numpy(rng.integers(0, 256, (slices, 3, size, size), dtype=np.uint8))
    masks = torch.from_numpy(rng.random((slices, 1, size, size)) < 0.3)
    low = torch.from_numpy(rng.uniform(20, 60, (slices, 3))).float()
    return Batch(images, masks, torch.stack((low, low / 2 + 10, 150 + low), dim=-1))


def with_head_masks(batch: Batch) -> Batch:
    """A square brain in each slice, deep everywhere, and the same statistics however a skull is taken off."""
    head_masks = torch.zeros(len(batch.images), 1, SIZE, SIZE, dtype=torch.uint8)
    head_masks[..., 20:40, 20:40] = BRAIN_BIT + 30
    ways = torch.tensor([7.0, 2.0, 255.0]).expand(len(head_masks), 23, 3, 3)
    return replace(batch, head_masks=head_masks, stripped_statistics=ways)


def plain_batch(images: Tensor, masks: Tensor | None = None, statistics: Tensor = AS_STORED) -> Batch:
    """Images whose normalised values are the stored ones, unless statistics are given."""
    masks = torch.zeros(len(images), 1, *images.shape[-2:], dtype=torch.bool) if masks is None else masks
    return Batch(images, masks, statistics.expand(*images.shape[:2], 3))


def bright_square(slices: int = 16) -> Batch:
    mask = torch.zeros(slices, 1, SIZE, SIZE, dtype=torch.bool)
    mask[..., 22:40, 26:42] = True
    return plain_batch((mask * 255).to(torch.uint8).repeat(1, 3, 1, 1), mask)


def middle(masks: Tensor) -> Tensor:
    """Middle of each mask, (row, column), in pixels from the image's own corner."""
    return torch.stack([mask[0].nonzero().float().mean(dim=0) + 0.5 for mask in masks])


def augmented(batch: Batch, settings: Augmentation, seed: int = 0, crop: int = SIZE) -> tuple[Tensor, Tensor]:
    return augment(batch, settings, crop, torch.Generator().manual_seed(seed))


def normalised(batch: Batch) -> Tensor:
    return clip_and_normalise(batch.images.float(), batch.statistics)


@pytest.mark.parametrize("size", [64, 63, 40])
def test_no_amounts_and_the_full_size_change_nothing(size: int) -> None:
    batch = random_batch(size=size)
    images, masks = augmented(batch, NOTHING, crop=size)
    torch.testing.assert_close(images, normalised(batch), rtol=0, atol=ROUNDING)
    assert torch.equal(masks, batch.masks.float())
    assert images.dtype == masks.dtype == torch.float32


def test_a_smaller_crop_is_a_window_around_the_shifted_middle() -> None:
    row, column = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    coordinates = torch.stack((row, torch.zeros_like(row), column)).to(torch.uint8).repeat(200, 1, 1, 1)
    images, _ = augmented(plain_batch(coordinates), only(shift_pixels=10), crop=32)
    corners = images[:, [0, 2], 0, 0]
    steps = torch.arange(32.0)
    torch.testing.assert_close(
        images[:, 0], (corners[:, 0, None] + steps)[..., None].expand(-1, 32, 32), rtol=0, atol=1e-3
    )
    torch.testing.assert_close(
        images[:, 2], (corners[:, 1, None] + steps)[:, None].expand(-1, 32, 32), rtol=0, atol=1e-3
    )
    # The window's corner lies 16 pixels before the middle, shifted by up to 10 either way.
    assert corners.min() >= 6
    assert corners.max() <= 26
    assert torch.all(corners.min(dim=0).values < 8)
    assert torch.all(corners.max(dim=0).values > 24)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**40))
def test_image_and_mask_move_together(seed: int) -> None:
    images, masks = augmented(bright_square(), GEOMETRY, seed)
    bright = images[:, :1] >= 127.5
    both = (bright & masks.bool()).sum(dim=(1, 2, 3))
    either = (bright | masks.bool()).sum(dim=(1, 2, 3))
    assert torch.all(both > 100)
    assert torch.all(both / either > 0.98)
    assert torch.equal(images[:, 0], images[:, 1])
    assert torch.equal(images[:, 0], images[:, 2])


def test_slices_move_each_their_own_way() -> None:
    _, masks = augmented(bright_square(), GEOMETRY)
    assert len({mask.numpy().tobytes() for mask in masks}) == len(masks)


def test_a_certain_flip_mirrors_left_and_right_only() -> None:
    batch = random_batch()
    images, masks = augmented(batch, only(flip=1.0))
    torch.testing.assert_close(images, normalised(batch).flip(-1), rtol=0, atol=ROUNDING)
    assert torch.equal(masks, batch.masks.float().flip(-1))


def test_an_uncertain_flip_mirrors_some() -> None:
    batch = random_batch(40)
    _, masks = augmented(batch, only(flip=0.5))
    target = batch.masks.float()
    as_they_were = (masks == target).all(dim=(1, 2, 3))
    mirrored = (masks == target.flip(-1)).all(dim=(1, 2, 3))
    assert torch.all(as_they_were ^ mirrored)
    assert 8 < as_they_were.sum() < 32


def bar() -> Batch:
    """A bar from top to bottom through the centre, thin enough to have a direction."""
    mask = torch.zeros(60, 1, SIZE, SIZE, dtype=torch.bool)
    mask[..., 8:56, 29:35] = True
    return plain_batch((mask * 255).to(torch.uint8).repeat(1, 3, 1, 1), mask)


def tilt_degrees(mask: Tensor) -> float:
    """Of the bar's long axis against the rows' direction, to either side."""
    places = np.argwhere(mask[0].numpy()).astype(float)
    _, vectors = np.linalg.eigh(np.cov(places.T))
    row, column = vectors[:, -1]
    return math.degrees(math.atan(column / row))


def test_rotation_goes_to_either_side_as_far_as_it_may() -> None:
    _, masks = augmented(bar(), only(rotation_degrees=20))
    tilts = np.array([tilt_degrees(mask) for mask in masks])
    assert np.abs(tilts).max() < 20.5
    assert tilts.min() < -15
    assert tilts.max() > 15


def test_scale_keeps_to_its_range_and_uses_it() -> None:
    batch = bright_square(60)
    _, masks = augmented(batch, only(scale=(0.8, 1.25)))
    scales = (masks.sum(dim=(1, 2, 3)) / batch.masks[0].sum()).sqrt()
    # A square's contour falls on whole pixels, so that its side is known to about one of 16.
    assert 0.8 - 0.06 < scales.min() < 0.88
    assert 1.14 < scales.max() < 1.25 + 0.06


def test_shift_keeps_to_its_range_and_uses_it() -> None:
    batch = bright_square(60)
    _, masks = augmented(batch, only(shift_pixels=6))
    before, after = (torch.stack([mask[0].nonzero().float().mean(dim=0) for mask in m]) for m in (batch.masks, masks))
    shifts = after - before
    assert shifts.abs().max() <= 6.5
    assert torch.all(shifts.min(dim=0).values < -4)
    assert torch.all(shifts.max(dim=0).values > 4)


def test_a_dropped_sequence_is_the_normalised_flair() -> None:
    batch = random_batch()
    images, _ = augmented(batch, only(sequence_dropout=1.0))
    flair = normalised(batch)[:, FLAIR]
    torch.testing.assert_close(images[:, 2], flair, rtol=0, atol=ROUNDING)


def test_post_is_dropped_alone_or_with_pre_and_the_flair_never() -> None:
    batch = random_batch(200, size=24)
    images, _ = augmented(batch, only(sequence_dropout=0.5), crop=24)
    own = normalised(batch)
    dropped = (images - own).abs().amax(dim=(2, 3)) > 0.1
    replaced = (images - own[:, FLAIR : FLAIR + 1]).abs().amax(dim=(2, 3)) < ROUNDING
    assert not dropped[:, FLAIR].any()
    assert torch.equal(dropped[:, [0, 2]], replaced[:, [0, 2]])
    # As many as the setting says, six of ten of them without pre as well, and none without pre alone.
    assert 0.4 < dropped[:, 2].float().mean() < 0.6
    assert 0.5 < (dropped[:, 0].sum() / dropped[:, 2].sum()) < 0.7
    assert not (dropped[:, 0] & ~dropped[:, 2]).any()


def test_a_dropped_sequence_is_an_exact_copy_whatever_else_is_varied() -> None:
    images, _ = augmented(
        random_batch(), only(sequence_dropout=1.0, noise=0.2, brightness=0.3, contrast=0.2, gamma=0.2)
    )
    copied = (images == images[:, FLAIR : FLAIR + 1]).flatten(2).all(dim=2)
    assert copied[:, 2].all()
    assert copied[:, 0].any()


def test_binning_shows_the_same_scene_at_half_the_resolution() -> None:
    batch = bright_square()
    _, fine = augment(batch, NOTHING, SIZE, torch.Generator().manual_seed(0))
    _, coarse = augment(batch, NOTHING, SIZE // 2, torch.Generator().manual_seed(0), downsampling_factor=2)
    shrunk = torch.nn.functional.avg_pool2d(fine, 2)
    assert coarse.shape[-1] == SIZE // 2
    # The square's edges lie between coarse pixels; what is clearly inside or outside agrees.
    assert torch.equal(coarse[shrunk == 1], torch.ones_like(coarse[shrunk == 1]))
    assert not coarse[shrunk == 0].any()


@pytest.mark.parametrize("downsampling_factor", [2, 4])
def test_binned_pixels_are_means_however_the_crop_lies(downsampling_factor: int) -> None:
    """Noise falls as it does in use: single pixels, picked by a warp that moved, would keep all of it."""
    images = torch.randint(0, 256, (4, 3, SIZE, SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    still, _ = augment(
        plain_batch(images),
        NOTHING,
        SIZE // downsampling_factor,
        torch.Generator(),
        downsampling_factor=downsampling_factor,
    )
    moved, _ = augment(
        plain_batch(images),
        only(shift_pixels=3, rotation_degrees=20),
        24 // downsampling_factor,
        torch.Generator(),
        downsampling_factor=downsampling_factor,
    )
    assert moved.std() <= still.std()


def test_a_shift_is_in_pixels_of_the_slice_at_every_binning() -> None:
    batch = bright_square()
    moved = only(shift_pixels=8)
    _, fine = augment(batch, moved, SIZE, torch.Generator().manual_seed(0))
    _, coarse = augment(batch, moved, SIZE // 2, torch.Generator().manual_seed(0), downsampling_factor=2)
    # Contours fall on whole pixels: half a coarse one, and half of that for the fine one.
    assert abs(middle(fine) / 2 - middle(coarse)).max() <= 0.75


@pytest.mark.parametrize("gamma", [0.0, 0.25])
def test_what_comes_in_from_outside_is_black(gamma: float) -> None:
    batch = random_batch()
    images, masks = augmented(batch, only(gamma=gamma), crop=SIZE + 20)
    black = clip_and_normalise(torch.zeros_like(batch.images).float(), batch.statistics)[..., :1, :1]
    # A bright mean makes black clearly another value than 0, the average tissue.
    assert black.max() < -0.5
    outside = torch.ones(SIZE + 20, SIZE + 20, dtype=torch.bool)
    outside[9:-9, 9:-9] = False
    torch.testing.assert_close(
        images[..., outside], black[..., 0].expand(-1, -1, int(outside.sum())), rtol=0, atol=1e-5
    )
    assert not masks[..., outside].any()
    assert masks.any()


def test_intensities_above_the_limit_are_clipped_before_the_warp() -> None:
    """Clipped only afterwards, the pixels that the square's edge crosses would all come up to the limit."""
    image = torch.zeros(8, 3, SIZE, SIZE, dtype=torch.uint8)
    image[..., 20:40, 20:40] = 250
    images, _ = augmented(plain_batch(image, statistics=torch.tensor([0.0, 1.0, 100.0])), only(rotation_degrees=20))
    assert images.max() <= 100.001
    assert images.sum(dim=(2, 3)).numpy() == pytest.approx(100 * 20 * 20, rel=0.01)


def test_brightness_adds_one_number_to_each_sequence() -> None:
    batch = random_batch(40, size=24)
    added = augmented(batch, only(brightness=0.3), crop=24)[0] - normalised(batch)
    per_sequence = added.mean(dim=(2, 3))
    assert (added - per_sequence[..., None, None]).abs().max() < ROUNDING
    assert 0.25 < per_sequence.abs().max() <= 0.3 + ROUNDING
    assert per_sequence.min() < -0.2
    assert per_sequence.max() > 0.2
    assert (per_sequence[:, 0] - per_sequence[:, 1]).abs().max() > 0.1


def test_contrast_multiplies_each_sequence_by_one_number() -> None:
    batch = random_batch(40, size=24)
    before, after = normalised(batch), augmented(batch, only(contrast=0.25), crop=24)[0]
    gain = (before * after).sum(dim=(2, 3)) / before.square().sum(dim=(2, 3))
    assert (after - gain[..., None, None] * before).abs().max() < 2 * ROUNDING
    assert 0.75 - 1e-3 <= gain.min() < 0.8
    assert 1.2 < gain.max() <= 1.25 + 1e-3


def test_gamma_bends_intensities_between_black_and_the_limit() -> None:
    ramp = torch.arange(0, 201, 4, dtype=torch.uint8).expand(20, 3, 51, 51).contiguous()
    images, _ = augmented(plain_batch(ramp, statistics=torch.tensor([0.0, 1.0, 200.0])), only(gamma=0.25), crop=51)
    curves = images[..., 0, :] / 200
    exponents = curves[..., 25].log() / math.log(0.5)
    torch.testing.assert_close(
        curves, (torch.arange(51) / 50).expand_as(curves) ** exponents[..., None], rtol=0, atol=1e-4
    )
    assert 0.74 < exponents.min() < 0.8
    assert 1.2 < exponents.max() < 1.35


def test_a_histogram_warp_bends_by_eight_rising_pieces_between_black_and_the_limit() -> None:
    ramp = torch.arange(0, 201, dtype=torch.uint8).repeat(201, 1).expand(20, 3, 201, 201).contiguous()
    settings = only(histogram_warp=1.0)
    images, _ = augmented(plain_batch(ramp, statistics=torch.tensor([0.0, 1.0, 200.0])), settings, crop=201)
    curves = images[..., 0, :]
    slopes = curves.diff(dim=-1)
    assert curves[..., 0].abs().max() < 1e-3
    torch.testing.assert_close(curves[..., -1], torch.full((20, 3), 200.0), rtol=0, atol=1e-3)
    assert slopes.min() > 0
    pieces = slopes.unflatten(-1, (8, 25))
    torch.testing.assert_close(pieces, pieces[..., :1].expand_as(pieces), rtol=0, atol=2e-3)
    greatest = (pieces[..., 0].amax(dim=-1) / pieces[..., 0].amin(dim=-1)).log()
    assert 1.6 < greatest.max() <= 2 + 1e-3


def test_random_convolutions_mix_the_chosen_share_of_slices_with_another_contrast() -> None:
    batch = random_batch(200, size=24)
    before, after = normalised(batch), augmented(batch, only(random_convolution=0.3), crop=24)[0]
    changed = (after - before).abs().amax(dim=(1, 2, 3)) > 2 * ROUNDING
    assert 0.2 < changed.float().mean() < 0.4
    # A flat image is multiplied by one number for each sequence, which no border reaches.
    flat = plain_batch(torch.full((200, 3, 24, 24), 100, dtype=torch.uint8))
    factors = augmented(flat, only(random_convolution=1.0), crop=24)[0][..., 1:-1, 1:-1] / 100
    torch.testing.assert_close(factors, factors[..., :1, :1].expand_as(factors), rtol=1e-4, atol=1e-4)
    assert factors.std() > 0.3
    assert (factors[:, 0] - factors[:, 1]).abs().max() > 0.3


def test_a_sequence_that_is_black_all_over_stays_finite() -> None:
    """Its limit is 0, by which gamma must not divide."""
    batch = random_batch()
    batch.images[:, 0] = 0
    statistics = batch.statistics.clone()
    statistics[:, 0] = torch.tensor([0.0, 1e-3, 0.0])
    images, _ = augmented(Batch(batch.images, batch.masks, statistics), only(gamma=0.25))
    assert torch.all(images[:, 0] == 0)
    assert images.isfinite().all()


def test_noise_is_gaussian_of_a_deviation_drawn_for_each_slice() -> None:
    batch = random_batch(30)
    noise = augmented(batch, only(noise=0.15))[0] - normalised(batch)
    deviations = noise.flatten(1).std(dim=1)
    assert 0.12 < deviations.max() < 0.155
    assert deviations.min() < 0.03
    assert noise.mean(dim=(1, 2, 3)).abs().max() < 0.01
    pair = torch.stack((noise[deviations.argmax(), 0].flatten(), noise[deviations.argmax(), 1].flatten()))
    assert torch.corrcoef(pair)[0, 1].abs() < 0.1


def test_the_generator_is_the_only_source_of_chance() -> None:
    batch = random_batch()
    torch.manual_seed(1)
    first = augmented(batch, Augmentation(), seed=5, crop=48)
    torch.manual_seed(2)
    second = augmented(batch, Augmentation(), seed=5, crop=48)
    other = augmented(batch, Augmentation(), seed=6, crop=48)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first, other, strict=True))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**40))
def test_everything_at_once_gives_finite_images_and_masks_of_0_and_1(seed: int) -> None:
    batch = random_batch()
    images, masks = augmented(batch, Augmentation(), seed, crop=48)
    assert images.shape == (6, 3, 48, 48)
    assert masks.shape == (6, 1, 48, 48)
    assert images.isfinite().all()
    assert set(masks.unique().tolist()) == {0.0, 1.0}


def test_the_batch_itself_stays_as_it_was() -> None:
    def full() -> Batch:
        one = replace(with_head_masks(random_batch()), targets=random_batch().images[:, :1])
        return replace(one, next_slices=one)

    batch, untouched = full(), full()
    augmented(batch, Augmentation(skull_stripping=1.0, bias_field=0.5, low_resolution=1.0, slice_thickness=1.0))
    for name, tensor in vars(untouched).items():
        assert name == "next_slices" or torch.equal(vars(batch)[name], tensor)


@pytest.mark.parametrize("name", ["bias_field", "low_resolution"])
def test_field_and_resolution_leave_the_mask_alone(name: str) -> None:
    batch = bright_square()
    plain, varied = augmented(batch, NOTHING), augmented(batch, only(**{name: 0.8}))
    assert not torch.equal(plain[0], varied[0])
    assert torch.equal(plain[1], varied[1])


def test_a_field_is_smooth_bounded_and_its_own_for_each_slice_and_sequence() -> None:
    images = torch.full((4, 3, SIZE, SIZE), 100, dtype=torch.uint8)
    field = (augmented(plain_batch(images), only(bias_field=0.5))[0] / 100).log()
    assert field.abs().max() <= 0.5 + ROUNDING
    assert field.std(dim=(-2, -1)).min() > 0.02
    assert field.diff(dim=-1).abs().max() < 0.1
    assert len({tuple(part.flatten()[:8].tolist()) for part in field.flatten(0, 1)}) == 12


def test_a_lower_resolution_loses_detail_and_keeps_the_mean() -> None:
    checkered = torch.zeros(64, 3, SIZE, SIZE, dtype=torch.uint8)
    checkered[..., ::2, ::2] = checkered[..., 1::2, 1::2] = 200
    seen, _ = augmented(plain_batch(checkered), only(low_resolution=0.5, lowest_resolution=0.25))
    spread = seen[:, FLAIR, 8:-8, 8:-8].std(dim=(-2, -1))
    assert abs((spread < 50).float().mean() - 0.5) < 0.2
    np.testing.assert_allclose(seen[..., 8:-8, 8:-8].mean(dim=(-2, -1)), 100, atol=3)


def test_skulls_come_off_before_all_else_and_with_statistics_of_their_own() -> None:
    batch = random_batch()
    stripped = with_head_masks(batch)
    assert stripped.head_masks is not None
    images, masks = augmented(stripped, only(skull_stripping=1.0))
    inside = (stripped.head_masks > 0).expand_as(images)
    expected = (batch.images.float() * inside - 7) / 2
    torch.testing.assert_close(images, expected, atol=0.05, rtol=1e-3)
    assert not masks[~inside[:, :1]].any()
    unstripped, _ = augmented(stripped, only(skull_stripping=0.0))
    torch.testing.assert_close(unstripped, augmented(batch, NOTHING)[0])


def with_next(batch: Batch, after: Batch) -> Batch:
    return replace(batch, next_slices=after)


def test_some_slices_are_mixed_with_those_after_them() -> None:
    batch, after = bright_square(400), plain_batch(torch.zeros(400, 3, SIZE, SIZE, dtype=torch.uint8))
    images, masks = augmented(with_next(batch, after), only(slice_thickness=0.5))
    own = images[:, FLAIR, 30, 30] / 255
    assert 0.4 < (own < 1 - ROUNDING).float().mean() < 0.6
    # Of the mixed ones any share is as likely as another, and where half of the tumour is left the mask is.
    mixed = own[own < 1 - ROUNDING]
    torch.testing.assert_close(
        mixed.quantile(torch.tensor([0.25, 0.5, 0.75])), torch.tensor([0.25, 0.5, 0.75]), atol=0.1, rtol=0
    )
    assert torch.equal(masks[:, 0, 30, 30] > 0, own >= 0.5)
    torch.testing.assert_close(images[:, :1] / 255 * torch.ones(3, 1, 1), images / 255)


def test_the_target_is_mixed_as_the_slice_is() -> None:
    batch, after = bright_square(), plain_batch(torch.zeros(16, 3, SIZE, SIZE, dtype=torch.uint8))
    taught = with_next(
        replace(batch, targets=(batch.masks * 255).to(torch.uint8)),
        replace(after, targets=torch.zeros_like(after.masks)),
    )
    images, target = augmented(taught, only(slice_thickness=1.0))
    torch.testing.assert_close(target, images[:, :1] / 255, atol=1e-3, rtol=0)


def test_no_thickness_leaves_a_slice_as_it_is() -> None:
    batch = random_batch()
    images, masks = augmented(with_next(batch, random_batch()), NOTHING)
    torch.testing.assert_close(images, normalised(batch), rtol=0, atol=ROUNDING)
    assert torch.equal(masks, batch.masks.float())


def with_context(batch: Batch) -> Batch:
    """The slices before and after are a tenth and a fifth darker."""
    images = torch.cat([(batch.images * share).to(torch.uint8) for share in (1, 0.9, 0.8)], dim=1)
    return replace(batch, images=images)


def test_slices_beside_a_slice_move_and_vary_with_it() -> None:
    settings = GEOMETRY.model_copy(
        update={"flip": 0, "gamma": 0.2, "bias_field": 0.3, "brightness": 0.2, "contrast": 0.2, "context_dropout": 0}
        | {"histogram_warp": 1.0, "random_convolution": 0.5}
    )
    batch = bright_square()
    same = replace(batch, images=batch.images.repeat(1, 3, 1, 1))
    images, masks = augmented(same, settings)
    own, before, after = images.chunk(3, dim=1)
    assert torch.equal(own, before)
    assert torch.equal(own, after)
    alone, alone_masks = augmented(batch, settings)
    torch.testing.assert_close(own, alone)
    assert torch.equal(masks, alone_masks)


def test_before_and_after_change_places_and_the_slice_itself_stands_in_at_times() -> None:
    batch = with_context(bright_square(64))
    images, _ = augmented(batch, only(context_dropout=0.3, flip=0.5))
    shares = images.chunk(3, dim=1)
    ratio = [(part.amax(dim=(1, 2, 3)) / shares[0].amax(dim=(1, 2, 3))).round(decimals=1) for part in shares[1:]]
    pairs = set(zip(ratio[0].tolist(), ratio[1].tolist(), strict=True))
    assert len(pairs) == 3
    assert all(pair in pairs for pair in [(1.0, 1.0)])
    assert {pair[::-1] for pair in pairs} == pairs


def test_skull_comes_off_the_slices_beside_a_slice_too() -> None:
    batch = with_head_masks(with_context(bright_square(4)))
    assert batch.head_masks is not None
    batch = replace(
        batch, head_masks=torch.cat([batch.head_masks, torch.zeros_like(batch.head_masks), batch.head_masks], dim=1)
    )
    images, _ = augmented(batch, only(skull_stripping=1.0, context_dropout=0, flip=0))
    black = (torch.zeros(()) - 7.0) / 2.0
    _, before, after = images.chunk(3, dim=1)
    assert (before == black).all()
    assert not (after == black).all()


def test_targets_are_shown_as_they_are_and_follow_the_mask() -> None:
    batch = bright_square()
    soft = replace(batch, targets=batch.masks.to(torch.uint8) * 51)
    images, target = augmented(soft, NOTHING)
    plain, masks = augmented(batch, NOTHING)
    torch.testing.assert_close(target, masks * 0.2)
    torch.testing.assert_close(images, plain)
    _, target = augmented(soft, GEOMETRY, seed=2)
    _, masks = augmented(batch, GEOMETRY, seed=2)
    # Half of an interpolated mask is its edge; of a target there is no edge.
    assert torch.equal((target >= 0.1).float(), masks)
    assert ((target > 0.01) & (target < 0.19)).any()


def test_targets_go_where_skull_is_taken_off() -> None:
    batch = with_head_masks(random_batch())
    soft = replace(batch, targets=torch.full_like(batch.images[:, :1], 255))
    _, target = augmented(soft, only(skull_stripping=1.0))
    brain = torch.zeros_like(target)
    brain[..., 20:40, 20:40] = 1
    assert torch.equal(target, brain)


def test_lesions_are_painted_where_the_mask_is_empty_whatever_the_target_says() -> None:
    batch = plain_batch(torch.full((8, 3, SIZE, SIZE), 100, dtype=torch.uint8))
    soft = replace(batch, targets=torch.full((8, 1, SIZE, SIZE), 128, dtype=torch.uint8))
    painted, _ = augmented(soft, only(hard_negatives=1.0))
    same, _ = augmented(batch, only(hard_negatives=1.0))
    assert torch.equal(painted, same)
