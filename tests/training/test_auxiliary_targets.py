import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation, binary_erosion, distance_transform_edt
from torch import Tensor

from glioseg.training.auxiliary_targets import (
    FAR,
    boundary_target,
    distance_target,
    nearest_at_once,
    nearest_by_steps,
    squared_distance_inside,
)


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
