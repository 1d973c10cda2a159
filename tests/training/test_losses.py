import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.losses import DiceCELoss
from torch import Tensor, nn

from glioseg.errors import BadOptionError
from glioseg.networks import NETWORKS, build_network
from glioseg.training.losses import (
    batch_loss,
    find_region_loss,
    focal_tversky_loss,
    region_and_cross_entropy,
    soft_dice_loss,
)

SHAPE = (2, 1, 4, 4)
PIXELS = math.prod(SHAPE)


def mask_of(kind: str) -> Tensor:
    mask = torch.zeros(SHAPE)
    if kind == "half":
        mask[:, :, :2] = 1
    return torch.ones(SHAPE) if kind == "full" else mask


KINDS = pytest.mark.parametrize(("kind", "positives"), [("empty", 0), ("half", PIXELS // 2), ("full", PIXELS)])


@KINDS
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_value_of_a_constant_prediction(kind: str, positives: int, p: float) -> None:
    logits = torch.full(SHAPE, math.log(p / (1 - p)))
    dice = 1 - (2 * p * positives + 1) / (p * PIXELS + positives + 1)
    cross_entropy = -(positives * math.log(p) + (PIXELS - positives) * math.log(1 - p)) / PIXELS
    assert soft_dice_loss(torch.sigmoid(logits), mask_of(kind)).item() == pytest.approx(dice, abs=1e-6)
    assert region_and_cross_entropy(logits, mask_of(kind)).item() == pytest.approx(dice + cross_entropy, abs=1e-6)


@KINDS
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_gradient_of_a_constant_prediction(kind: str, positives: int, p: float) -> None:
    """By hand: with I the overlap and D the sum below the line, dDice/dp = -(2 t D - (2 I + 1)) / D²."""
    target = mask_of(kind)
    logits = torch.full(SHAPE, math.log(p / (1 - p)), requires_grad=True)
    region_and_cross_entropy(logits, target).backward()
    overlap, below = p * positives, p * PIXELS + positives + 1
    dice = -(2 * target * below - (2 * overlap + 1)) / below**2 * p * (1 - p)
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, dice + (p - target) / PIXELS)
    assert torch.all(logits.grad[target == 0] > 0)
    assert torch.all(logits.grad[target == 1] < 0)


@KINDS
def test_certainty_costs_nothing_where_right_and_much_where_wrong(kind: str, positives: int) -> None:
    certain = (2 * mask_of(kind) - 1) * 40
    assert region_and_cross_entropy(certain, mask_of(kind)).item() == pytest.approx(0, abs=1e-6)
    assert region_and_cross_entropy(-certain, mask_of(kind)).item() > 40


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), share=st.floats(0, 1), spread=st.floats(0.1, 8))
def test_monai_agrees(seed: int, share: float, spread: float) -> None:
    """Where the definitions agree: sums over the batch, 1 added above the line and below it."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 1, 9, 7, generator=generator) * spread
    target = (torch.rand(3, 1, 9, 7, generator=generator) < share).float()
    oracle = DiceCELoss(sigmoid=True, batch=True, smooth_nr=1.0, smooth_dr=1.0)
    torch.testing.assert_close(region_and_cross_entropy(logits, target), oracle(logits, target))


def test_dice_is_of_the_batch_and_not_a_mean_over_slices() -> None:
    probabilities = torch.full(SHAPE, 0.2)
    target = mask_of("empty")
    target[0] = 1
    mean_over_slices = (
        soft_dice_loss(probabilities[:1], target[:1]) + soft_dice_loss(probabilities[1:], target[1:])
    ) / 2
    assert soft_dice_loss(probabilities, target).item() == pytest.approx(1 - (2 * 3.2 + 1) / (6.4 + 16 + 1))
    assert abs(mean_over_slices.item() - soft_dice_loss(probabilities, target).item()) > 0.01


def test_bfloat16_logits_are_summed_in_float32() -> None:
    """512 pixels of probability 0.5 beside a first one: a bfloat16 sum stops growing at 256."""
    logits = torch.zeros(1, 1, 64, 64, dtype=torch.bfloat16)
    target = torch.zeros(1, 1, 64, 64)
    loss = region_and_cross_entropy(logits, target)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(1 - 1 / (0.5 * 64 * 64 + 1) + math.log(2), abs=1e-6)


def test_a_mask_of_bool_will_do() -> None:
    logits = torch.linspace(-2, 2, PIXELS).reshape(SHAPE)
    target = mask_of("half")
    assert torch.equal(region_and_cross_entropy(logits, target.bool()), region_and_cross_entropy(logits, target))


def test_focal_tversky_by_hand() -> None:
    """Of four tumour pixels two are found, one pixel beside them is false: 1 - 3 / (2 + 0.7 x 2 + 0.3 + 1)."""
    target = torch.tensor([1.0, 1, 1, 1, 0, 0])
    found = torch.tensor([1.0, 1, 0, 0, 1, 0])
    assert focal_tversky_loss(found, target).item() == pytest.approx((1 - 3 / 4.7) ** 0.75)
    assert focal_tversky_loss(target, target).item() == 0


def test_focal_tversky_finds_missed_pixels_worse_than_false_ones() -> None:
    target = mask_of("half")
    missed, false = target.clone(), target.clone()
    missed[0, 0, 0], false[0, 0, 2] = 0, 1
    assert focal_tversky_loss(missed, target) > 1.2 * focal_tversky_loss(false, target)
    assert region_and_cross_entropy(torch.zeros(SHAPE), target, focal_tversky_loss).item() == pytest.approx(
        focal_tversky_loss(torch.full(SHAPE, 0.5), target).item() + math.log(2), abs=1e-6
    )


def batch(size: int = 32) -> tuple[Tensor, Tensor]:
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    target = torch.zeros(2, 1, size, size)
    target[..., 8:20, 8:20] = 1
    return images, target


def test_with_one_task_it_is_the_loss_of_the_networks_answer() -> None:
    torch.manual_seed(0)
    network, (images, target) = nn.Conv2d(3, 1, 1), batch()
    assert torch.equal(batch_loss(network, images, target), region_and_cross_entropy(network(images), target))


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_step_against_its_gradient_lowers_it_as_the_gradient_says(name: str) -> None:
    """By step times squared gradient. Of 32 pixels the deepest layer would hold one, which no short step describes."""
    torch.manual_seed(0)
    step = 1e-4
    network, (images, target) = build_network(name, 8), batch(64)
    before = batch_loss(network, images, target)
    assert before.dtype == torch.float32
    before.backward()
    squared = 0.0
    with torch.no_grad():
        for parameter in network.parameters():
            assert parameter.grad is not None
            squared += parameter.grad.square().sum().item()
            parameter -= step * parameter.grad
        after = batch_loss(network, images, target)
    assert (before - after).item() == pytest.approx(step * squared, rel=0.1)


def test_the_region_loss_is_the_named_one() -> None:
    network, (images, target) = nn.Conv2d(3, 1, 1), batch()
    expected = region_and_cross_entropy(network(images), target, focal_tversky_loss)
    assert torch.equal(batch_loss(network, images, target, find_region_loss("focal_tversky", network)), expected)


def test_a_network_with_a_loss_of_its_own_takes_no_other() -> None:
    network = build_network("resunet-a", 8)
    with pytest.raises(BadOptionError, match="no effect on ResUNetA"):
        find_region_loss("focal_tversky", network)
    find_region_loss("dice", network)
