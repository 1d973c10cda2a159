"""One training on several devices: each sees some slices of every batch, and together they do what one would do.

The loss and the statistics of batch normalisation run over the whole batch, so a training stays a function of its
seed and step alone, up to rounding, on however many devices.
"""

import torch
import torch.distributed as dist
import torch.distributed.nn.functional as shared
from torch import Tensor, nn

from glioseg.errors import GliosegError


def is_shared() -> bool:
    """Whether several processes train one network."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def own_slices(batch: Tensor) -> Tensor:
    """This process's consecutive slices of a batch that all hold, along the first axis.

    Raises:
        GliosegError: If the batch cannot be divided evenly.
    """
    if not is_shared():
        return batch
    count = dist.get_world_size()
    if len(batch) % count:
        raise GliosegError(
            f"a batch of {len(batch)} cannot be divided among {count} devices",
            remedy=f"Set sampling.batch_size to a multiple of {count}",
        )
    return batch.chunk(count)[dist.get_rank()]


def gathered(own: Tensor) -> Tensor:
    """What all processes hold, in order along the first axis; gradients find their way back."""
    return torch.cat(shared.all_gather(own.contiguous())) if is_shared() else own  # type: ignore[no-untyped-call]


def share_statistics(network: nn.Module) -> None:
    """Let batch normalisation look at the slices of all processes; PyTorch's own that does works on GPUs alone."""
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SharedBatchNorm2d


class SharedBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation by the statistics of all processes; as :class:`torch.nn.BatchNorm2d` outside of training."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (slice, channel, row, column); every process holds as many slices."""
        if not (self.training and is_shared()):
            return super().forward(input)
        values = input.float()
        count = dist.get_world_size() * values.numel() // values.shape[1]
        mean = _total(values.sum((0, 2, 3))) / count
        centred = values - mean[:, None, None]
        variance = _total(centred.square().sum((0, 2, 3))) / count
        self._remember(mean.detach(), variance.detach() * count / (count - 1))
        scale = torch.rsqrt(variance + self.eps)[:, None, None]
        normalised = centred * scale
        if self.weight is not None:
            normalised = normalised * self.weight[:, None, None] + self.bias[:, None, None]
        return normalised.to(input.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(variance.to(self.running_var.dtype), share)


def _total(values: Tensor) -> Tensor:
    """The sum over processes; gradients find their way back."""
    total: Tensor = shared.all_reduce(values)  # type: ignore[no-untyped-call]
    return total
