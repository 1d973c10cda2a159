import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from glioseg.networks.padding import crop_to, pad_to_multiple


def test_the_edge_is_repeated_at_the_end() -> None:
    image = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])[None, None]
    expected = torch.tensor([[1.0, 2, 3, 3], [4, 5, 6, 6], [4, 5, 6, 6], [4, 5, 6, 6]])
    assert torch.equal(pad_to_multiple(image, 4)[0, 0], expected)


def test_nothing_missing_returns_the_input_itself() -> None:
    images = torch.zeros(2, 3, 32, 64)
    assert pad_to_multiple(images, 32) is images


@given(rows=st.integers(1, 70), columns=st.integers(1, 70), multiple=st.sampled_from([1, 8, 16, 32, 64]))
def test_padding_is_least_and_undone_by_cropping(rows: int, columns: int, multiple: int) -> None:
    images = torch.arange(rows * columns, dtype=torch.float32).view(1, 1, rows, columns)
    padded = pad_to_multiple(images, multiple)
    for size, padded_size in zip((rows, columns), padded.shape[-2:], strict=True):
        assert padded_size % multiple == 0
        assert 0 <= padded_size - size < multiple
    assert torch.equal(crop_to(padded, rows, columns), images)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_type_is_kept(dtype: torch.dtype) -> None:
    assert pad_to_multiple(torch.ones(1, 3, 5, 5, dtype=dtype), 8).dtype == dtype
