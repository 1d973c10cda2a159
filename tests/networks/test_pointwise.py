"""The skipping 1x1 convolution is PyTorch's, and the process outlives its backward pass."""

import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from glioseg.networks.pointwise import StridedPointwise

CHECKED_HEAP = "libc_malloc_debug.so.0"
"""glibc's own check of every block that is freed; without it a write beyond a buffer may go unnoticed."""

TRAIN = """
import torch
from glioseg.networks import build_network
network = build_network({name!r}, 8).to(memory_format=torch.channels_last)
for _ in range(2):
    images = torch.randn(4, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    network(images).square().mean().backward()
print("alive")
"""


@pytest.mark.parametrize(("rows", "columns"), [(8, 8), (7, 10), (1, 3)])
@pytest.mark.parametrize("skip", [1, 2, 3])
def test_equals_the_strided_convolution_and_its_gradients(rows: int, columns: int, skip: int) -> None:
    torch.manual_seed(0)
    ours, theirs = StridedPointwise(5, 6, skip), nn.Conv2d(5, 6, 1, stride=skip)
    ours.load_state_dict(theirs.state_dict())
    inputs = [torch.randn(2, 5, rows, columns).requires_grad_()]
    inputs.append(inputs[0].detach().clone().requires_grad_())
    outputs = [layer(x) for layer, x in zip((ours, theirs), inputs, strict=True)]
    torch.testing.assert_close(*outputs)
    for output in outputs:
        output.square().sum().backward()
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)


@pytest.mark.skipif(sys.platform != "linux", reason="the heap is checked by glibc")
@pytest.mark.parametrize("name", ["unet", "resunet-a", "resunet-pp"])
def test_training_stays_within_its_memory(name: str) -> None:
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "LD_PRELOAD": CHECKED_HEAP,
        "GLIBC_TUNABLES": "glibc.malloc.check=3",
    }
    done = subprocess.run(
        [sys.executable, "-c", TRAIN.format(name=name)], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "alive"), done.stderr
