"""Numbers drawn on the device where they are used, from the generator of the step alone."""

import torch
from torch import Tensor


def uniform(shape: tuple[int, ...], low: float, high: float, like: Tensor, generator: torch.Generator) -> Tensor:
    """Evenly spread between two numbers, on the device of another tensor, on which the generator lies too."""
    return torch.rand(shape, device=like.device, generator=generator) * (high - low) + low
