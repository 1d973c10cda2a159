"""ResUNet-a trains with the loss of its paper, everything else with Dice and cross-entropy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightning_fabric import Fabric
from scipy.ndimage import binary_dilation, binary_erosion, distance_transform_edt
from torch import Tensor

from glioseg.networks import build_network
from glioseg.networks.resunet_a import ResUNetA, ResUNetAOutput
from glioseg.training.losses import MULTITASK, batch_loss, is_multitask, region_and_cross_entropy
from glioseg.training.multitask import (
    FAR,
    boundary_target,
    distance_target,
    multitask_loss,
    nearest_at_once,
    nearest_by_steps,
    squared_distance_inside,
    tanimoto_coefficient,
    tanimoto_loss,
)

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


def drawn(*lines: str) -> Tensor:
    """A slice from a drawing: # inside."""
    return torch.tensor([[float(mark == "#") for mark in line] for line in lines])[None, None]


def random_mask(seed: int, rows: int, columns: int, share: float) -> Tensor:
    """Blobs: noise smoothed over five pixels, the given share of it inside."""
    noise = torch.rand(1, 1, rows, columns, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.avg_pool2d(noise, 5, 1, 2, count_include_pad=False)
    return (smooth >= smooth.flatten().quantile(1 - share)).float()


masks = st.builds(
    random_mask, st.integers(0, 2**16), st.integers(1, 40), st.integers(1, 40), st.floats(0.02, 0.98)
).filter(lambda mask: bool((mask == 0).any()))


@settings(max_examples=150)
@given(masks)
def test_distance_is_exactly_scipys(mask: Tensor) -> None:
    expected = distance_transform_edt(mask[0, 0].numpy())
    squared = squared_distance_inside(mask.bool())[0, 0].numpy()
    assert np.array_equal(squared, np.rint(expected**2).astype(int))


@pytest.mark.parametrize("outside", [[(0, 0)], [(3, 27)], [(29, 17), (4, 4)]])
def test_distance_where_few_pixels_are_outside(outside: list[tuple[int, int]]) -> None:
    """Most pixels then have nothing outside in their own row and column."""
    mask = torch.ones(30, 28)
    for row, column in outside:
        mask[row, column] = 0
    expected = distance_transform_edt(mask.numpy())
    assert np.array_equal(squared_distance_inside(mask.bool()).numpy(), np.rint(expected**2).astype(int))


def test_distance_of_a_large_slice() -> None:
    mask = random_mask(3, 256, 256, 0.4)
    expected = distance_transform_edt(mask[0, 0].numpy())
    assert np.array_equal(squared_distance_inside(mask.bool())[0, 0].numpy(), np.rint(expected**2).astype(int))


@given(st.integers(0, 2**16), st.integers(1, 12), st.integers(1, 12))
def test_a_gpu_finds_the_same_distance_without_being_asked_for_the_most(seed: int, rows: int, columns: int) -> None:
    squared = torch.randint(0, 2 * columns**2, (2, 3, rows, columns), generator=torch.Generator().manual_seed(seed))
    squared = squared.int().masked_fill(squared > columns**2, FAR**2)
    assert torch.equal(nearest_at_once(squared), nearest_by_steps(squared, columns))


def test_distance_reads_nothing_from_a_device_that_is_no_cpu() -> None:
    """A device that computes nothing stands for a GPU: to read from it is an error."""
    assert distance_target(torch.zeros(2, 1, 8, 8, device="meta")).shape == (2, 1, 8, 8)


def test_slices_are_scaled_by_themselves() -> None:
    small = drawn(".....", ".###.", ".###.", ".###.", ".....")
    large = drawn("#####", "#####", "#####", "#####", "####.")
    empty = torch.zeros(1, 1, 5, 5)
    target = distance_target(torch.cat((small, empty, large)))
    expected = torch.zeros(5, 5)
    expected[1:4, 1:4] = 0.5
    expected[2, 2] = 1
    torch.testing.assert_close(target[0, 0], expected)
    assert torch.equal(target[1], empty[0])
    assert target[2].max() == target[2, 0, 0, 0] == 1
    assert target.dtype == torch.float32


def test_distance_of_an_empty_a_full_and_a_single_pixel() -> None:
    for shape in ((1, 1, 6, 7), (2, 1, 1, 1)):
        assert torch.equal(distance_target(torch.zeros(shape)), torch.zeros(shape))
        assert torch.equal(distance_target(torch.ones(shape)), torch.ones(shape))
    assert (squared_distance_inside(torch.ones(3, 4, dtype=torch.bool)) == FAR**2).all()
    single = drawn("....", ".#..", "....")
    assert torch.equal(distance_target(single), single)


def test_boundary_of_a_square_is_three_pixels_wide() -> None:
    mask = drawn(
        ".........",
        ".........",
        "..#####..",
        "..#####..",
        "..#####..",
        "..#####..",
        "..#####..",
        ".........",
        ".........",
    )
    expected = drawn(
        ".........",
        "..#####..",
        ".#######.",
        ".#######.",
        ".###.###.",
        ".#######.",
        ".#######.",
        "..#####..",
        ".........",
    )
    assert torch.equal(boundary_target(mask), expected)


def test_boundary_of_an_empty_a_full_and_a_single_pixel() -> None:
    assert not boundary_target(torch.zeros(1, 1, 6, 7)).any()
    assert not boundary_target(torch.ones(1, 1, 6, 7)).any()
    single = boundary_target(drawn("....", "..#.", "....", "...."))
    assert torch.equal(single, drawn("..#.", ".###", "..#.", "...."))


def test_the_border_of_the_image_is_no_boundary() -> None:
    assert torch.equal(boundary_target(drawn("##....", "##....")), drawn("###...", "###..."))


@given(masks)
def test_boundary_is_scipys_edge_dilated_by_a_cross(mask: Tensor) -> None:
    inside = mask[0, 0].numpy().astype(bool)
    edge = inside & ~binary_erosion(inside, border_value=1)
    assert np.array_equal(boundary_target(mask)[0, 0].numpy().astype(bool), binary_dilation(edge))


@given(masks)
def test_targets_of_the_flipped_mask_are_the_flipped_targets(mask: Tensor) -> None:
    for target in (boundary_target, distance_target):
        assert torch.equal(target(mask.flip(-1)), target(mask).flip(-1))
        assert torch.equal(target(mask.mT), target(mask).mT)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.float32, torch.bfloat16])
def test_any_type_of_mask(dtype: torch.dtype) -> None:
    mask = random_mask(1, 20, 20, 0.3)
    for target in (boundary_target, distance_target):
        assert torch.equal(target(mask.to(dtype)), target(mask))


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    mask = torch.zeros(2, 1, 32, 32)
    mask[0, :, 8:20, 10:22] = 1
    return torch.randn(2, 3, 32, 32, generator=generator) + mask, mask


def test_resunet_a_is_the_one_network_with_several_tasks() -> None:
    assert [is_multitask(build_network(name, 8)) for name in ("unet", "resunet-a", "resunet-pp")] == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_loss_through_fabric_is_that_of_the_paper_in_the_chosen_precision(precision: str) -> None:
    torch.manual_seed(0)
    images, mask = batch()
    fabric = Fabric(accelerator="cpu", devices=1, precision=precision)
    network = ResUNetA(8).eval()
    wrapped = fabric.setup_module(network)
    wrapped.mark_forward_method(MULTITASK)
    dtypes = []
    network.entrance.register_forward_hook(lambda module, inputs, output: dtypes.append(output.dtype))
    with fabric.autocast():
        loss = batch_loss(wrapped, images, mask)
    assert dtypes == [torch.bfloat16 if precision == "bf16-mixed" else torch.float32]
    tolerance = 0.02 if precision == "bf16-mixed" else 1e-6
    expected = multitask_loss(network.forward_all(images), mask, images)
    torch.testing.assert_close(loss, expected, rtol=tolerance, atol=tolerance)
    fabric.backward(loss)
    assert all(p.grad is not None and np.isfinite(float(p.grad.sum())) for p in network.parameters())


def test_unet_through_fabric_has_its_loss_to_the_last_bit() -> None:
    torch.manual_seed(0)
    images, mask = batch()
    fabric = Fabric(accelerator="cpu", devices=1, precision="32-true")
    network = build_network("unet", 8)
    wrapped = fabric.setup_module(network)
    with fabric.autocast():
        loss = batch_loss(wrapped, images, mask)
    assert torch.equal(loss, region_and_cross_entropy(network(images), mask))
