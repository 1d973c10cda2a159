import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from glioseg.networks.resunet_a import ResUNetA, ResUNetAOutput
from glioseg.training.auxiliary_targets import boundary_target, distance_target
from glioseg.training.tanimoto import multitask_loss, tanimoto_coefficient, tanimoto_loss

PIXELS = 16 * 16


def mask_of(kind: str) -> Tensor:
    mask = torch.zeros(1, 1, 16, 16)
    if kind == "single pixel":
        mask[..., 5, 9] = 1
    if kind == "half":
        mask[..., :8, :] = 1
    return torch.ones_like(mask) if kind == "full" else mask


def loss_and_gradient(value: float, mask: Tensor) -> tuple[float, Tensor]:
    probabilities = torch.full_like(mask, value, requires_grad=True)
    loss = tanimoto_loss(probabilities, mask)
    loss.backward()
    assert probabilities.grad is not None
    return loss.item(), probabilities.grad


def coefficient_by_hand(p: float, positives: int) -> float:
    """T of a constant prediction: n of N pixels are positive."""
    return p * positives / (PIXELS * p**2 + positives - p * positives)


@pytest.mark.parametrize("kind", ["empty", "full", "single pixel", "half"])
def test_agreement_costs_nothing_and_the_opposite_everything(kind: str) -> None:
    mask = mask_of(kind)
    assert tanimoto_loss(mask, mask).item() == 0
    assert tanimoto_loss(1 - mask, mask).item() == 1


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(("kind", "positives"), [("single pixel", 1), ("half", PIXELS // 2)])
def test_value_with_both_sides_present(kind: str, positives: int, p: float) -> None:
    loss, _ = loss_and_gradient(p, mask_of(kind))
    by_hand = 1 - (coefficient_by_hand(p, positives) + coefficient_by_hand(1 - p, PIXELS - positives)) / 2
    assert loss == pytest.approx(by_hand, abs=1e-6)


def test_value_on_empty_and_full_is_that_of_the_other_side_alone() -> None:
    """At p = 0.5 that is 1 - 0.5 / (0.25 + 1 - 0.5) = 1/3: not 0.667 beside a constant, and no smoothing in it."""
    assert loss_and_gradient(0.5, mask_of("empty"))[0] == pytest.approx(1 / 3)
    assert loss_and_gradient(0.5, mask_of("full"))[0] == pytest.approx(1 / 3)


@pytest.mark.parametrize("p", [0.01, 0.3, 0.5, 0.9])
def test_gradient_on_an_empty_mask_pushes_every_pixel_down(p: float) -> None:
    """By hand with q = 1 - p: the loss is 1 - q / (q² + 1 - q), its slope spread over the pixels alike."""
    _, gradient = loss_and_gradient(p, mask_of("empty"))
    q = 1 - p
    slope = (1 - q**2) / (q**2 + 1 - q) ** 2 / PIXELS
    torch.testing.assert_close(gradient, torch.full_like(gradient, slope))
    assert slope > 0


def test_gradient_on_a_full_mask_pushes_every_pixel_up() -> None:
    _, down = loss_and_gradient(0.3, mask_of("empty"))
    _, up = loss_and_gradient(0.7, mask_of("full"))
    torch.testing.assert_close(up, -down)


@pytest.mark.parametrize("p", [0.01, 0.5, 0.99])
@pytest.mark.parametrize("kind", ["single pixel", "half"])
def test_gradient_pushes_the_tumour_up_and_the_rest_down(kind: str, p: float) -> None:
    mask = mask_of(kind)
    _, gradient = loss_and_gradient(p, mask)
    assert (gradient[mask == 1] < 0).all()
    assert (gradient[mask == 0] > 0).all()
    assert gradient.isfinite().all()


def test_gradient_at_the_corners_is_finite() -> None:
    for kind in ("empty", "full", "single pixel", "half"):
        for value in (0.0, 1.0):
            assert loss_and_gradient(value, mask_of(kind))[1].isfinite().all(), (kind, value)


@given(seed=st.integers(0, 2**16), threshold=st.floats(0.01, 0.99))
def test_loss_does_not_care_which_side_is_called_tumour(seed: int, threshold: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    probabilities = torch.rand(2, 1, 8, 8, generator=generator)
    mask = (torch.rand(2, 1, 8, 8, generator=generator) > threshold).float()
    loss = tanimoto_loss(probabilities, mask)
    assert 0 <= loss <= 1
    torch.testing.assert_close(loss, tanimoto_loss(1 - probabilities, 1 - mask))


def test_empty_slices_beside_others_cost_only_what_is_predicted_there() -> None:
    one, two = mask_of("half"), torch.cat((mask_of("half"), mask_of("empty")))
    assert tanimoto_loss(one, one) == tanimoto_loss(two, two) == 0


def test_coefficient_of_two_empty_maps_is_0_without_gradient() -> None:
    probabilities = torch.zeros(4, requires_grad=True)
    coefficient = tanimoto_coefficient(probabilities, torch.zeros(4))
    coefficient.backward()
    assert coefficient == 0
    assert torch.equal(probabilities.grad, torch.zeros(4))


def test_half_precision_is_summed_in_full() -> None:
    """65,536 ones summed in bfloat16 would stall at 256, in float16 overflow beyond 65,504."""
    for dtype in (torch.bfloat16, torch.float16):
        probabilities = torch.full((1, 1, 256, 256), 0.5, dtype=dtype)
        loss = tanimoto_loss(probabilities, torch.ones(1, 1, 256, 256, dtype=dtype))
        assert loss.dtype == torch.float32
        assert loss.item() == pytest.approx(1 / 3)


@pytest.mark.parametrize("kind", ["empty", "full", "single pixel", "half"])
def test_all_four_tasks_solved_cost_nothing(kind: str) -> None:
    mask, images = mask_of(kind), torch.randn(1, 3, 16, 16)
    solved = [40 * (2 * mask - 1), 40 * (2 * boundary_target(mask) - 1), distance_target(mask).logit(eps=1e-7), images]
    assert multitask_loss(ResUNetAOutput(*solved), mask, images).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("task", range(4))
def test_each_task_weighs_a_quarter(task: int) -> None:
    mask, images = mask_of("half"), torch.randn(1, 3, 16, 16)
    solved = [40 * (2 * mask - 1), 40 * (2 * boundary_target(mask) - 1), distance_target(mask).logit(eps=1e-7), images]
    targets = [mask, boundary_target(mask), distance_target(mask), images.sigmoid()]
    solved[task] = torch.zeros_like(solved[task])
    alone = tanimoto_loss(torch.full_like(targets[task], 0.5), targets[task])
    assert alone > 0.01
    torch.testing.assert_close(multitask_loss(ResUNetAOutput(*solved), mask, images), alone / 4, rtol=1e-4, atol=1e-6)


def test_network_learns_all_four_tasks() -> None:
    torch.manual_seed(0)
    network = ResUNetA(8)
    mask = torch.zeros(2, 1, 32, 32)
    mask[0, :, 6:20, 8:22] = 1  # the second slice stays empty
    images = 0.3 * torch.randn(2, 3, 32, 32) + 2 * mask
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    targets = (mask, boundary_target(mask), distance_target(mask), images.sigmoid())
    losses = []
    for _ in range(16):
        optimiser.zero_grad()
        output = network.forward_all(images)
        losses.append(
            [tanimoto_loss(maps.sigmoid(), target).item() for maps, target in zip(output, targets, strict=True)]
        )
        multitask_loss(output, mask.bool(), images).backward()
        optimiser.step()
    for task, first, last in zip(output._fields, losses[0], losses[-1], strict=True):
        assert last < 0.9 * first, task
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
