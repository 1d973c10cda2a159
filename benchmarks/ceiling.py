"""What the machine could do at most: the rate of a large matrix product, which convolutions are measured against."""

import time

import torch

SIZE = 3072
RUNS = 5


def matrix_gflops(device: torch.device, dtype: torch.dtype) -> float:
    """Thousand million floating-point operations a second of the best of a few square products."""
    one, other = (torch.randn(SIZE, SIZE, device=device).to(dtype) for _ in range(2))
    best = min(_seconds(one, other, device) for _ in range(RUNS + 1))
    return 2 * SIZE**3 / best / 1e9


def _seconds(one: torch.Tensor, other: torch.Tensor, device: torch.device) -> float:
    began = time.perf_counter()
    one @ other
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began
