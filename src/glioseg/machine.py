"""What this machine computes fast, and how to make it compute fast.

PyTorch is imported where it is asked and not before: use with another backend needs none.
"""

import ctypes
import os
import platform
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from glioseg.errors import GliosegError

if TYPE_CHECKING:
    import torch

Precision = Literal["auto", "32", "bf16"]
Item = TypeVar("Item")
Done = TypeVar("Done")
TRAINING_LIBRARIES = ("torch", "lightning-fabric", "kornia", "monai")
EIGHT_BIT_INSTRUCTIONS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})
LARGE_BLOCK = 12 * 2**20
"""Bytes from which memory goes back to the system once it is free; to fetch smaller blocks anew costs too much time."""
LARGE_PX = 192
"""From this side on an image is large to :func:`choose_memory_format`; measured on two cores."""


def choose_device(wish: Literal["auto", "cpu", "cuda"] = "auto") -> "torch.device":
    """The device to compute on: the GPU where there is one and nothing else is wished.

    Raises:
        GliosegError: If a GPU is wished and PyTorch finds none.
    """
    import torch

    there = torch.cuda.is_available()
    if wish == "cuda" and not there:
        raise GliosegError(
            "PyTorch finds no GPU",
            expected="an NVIDIA GPU with its driver, and a build of PyTorch for CUDA",
            found=f"PyTorch {torch.__version__}",
            remedy="Ask for the device auto or cpu",
        )
    return torch.device("cuda" if there and wish != "cpu" else "cpu")


def choose_precision(wish: Precision, device: "torch.device") -> Literal["32", "bf16"]:
    """The arithmetic of convolutions: bfloat16 where the device has it in hardware, float32 elsewhere.

    A CPU without bfloat16 instructions emulates them at a tenth of the speed of float32.
    """
    import torch

    if wish != "auto":
        return wish
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "32"
    able = torch.cpu.get_capabilities()
    return "bf16" if able.get("avx512_bf16") or able.get("amx_bf16") else "32"


def choose_memory_format(
    precision: Literal["32", "bf16"], device: "torch.device", side_px: int, planes: bool
) -> "torch.memory_format":
    """How images lie in memory while a network trains on them: channels last, with one exception.

    Float32 convolutions of a CPU without AVX-512 may take large images faster plane by plane: a step by up to 4 % at
    192 pixels and by 16 to 22 % at 256. Small ones they take slower, by 7 to 46 % at 96 pixels.

    Args:
        precision: Arithmetic of the convolutions.
        device: Where they are computed.
        side_px: Rows and columns of the images.
        planes: Whether the network gains by it, as :attr:`glioseg.networks.table.NetworkEntry.planes` says.
    """
    import torch

    narrow = device.type == "cpu" and precision == "32" and not torch.cpu.get_capabilities().get("avx512_f")
    return torch.contiguous_format if planes and narrow and side_px >= LARGE_PX else torch.channels_last


def keep_freed_memory() -> None:
    """Let the C library keep freed blocks for the next step instead of giving them back to the system.

    Activations of a step are large, and by default glibc maps and unmaps each of them; the page faults cost a third
    of the speed of training on a CPU. Does nothing where the C library is another.
    """
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return
    trim_threshold, mmap_max = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h
    libc = ctypes.CDLL(None)
    libc.mallopt(mmap_max, 0)
    libc.mallopt(trim_threshold, -1)


@cache
def has_eight_bit_instructions() -> bool:
    """Whether the processor multiplies eight-bit numbers several times as fast as others; told by Linux alone."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return not EIGHT_BIT_INSTRUCTIONS.isdisjoint(told.split())


def share_freed_memory() -> None:
    """Let what one thread has freed serve the others, and the system where it is large: a fifth of a scan's memory.

    Else each thread keeps its own, and all of them blocks as large as a sequence. For a process that predicts; does
    nothing where the C library is another than glibc.
    """
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return
    # M_ARENA_MAX, M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of malloc.h; without the last, what is freed at the end of the
    # heap would go back in small blocks too.
    arena_max, mmap_threshold, trim_threshold = -8, -3, -1
    libc = ctypes.CDLL(None)
    libc.mallopt(arena_max, 1)
    libc.mallopt(mmap_threshold, LARGE_BLOCK)
    libc.mallopt(trim_threshold, 2 * LARGE_BLOCK)


def peak_memory_mb() -> float:
    """The most memory that this process has held so far, in megabytes."""
    if sys.platform == "linux":
        # ru_maxrss would count what the process that started this one had held by then.
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts bytes, other systems kilobytes.
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def library_versions() -> dict[str, str]:
    """The installed versions of the program and of the libraries that decide its results."""
    names = ("glioseg", "numpy", "scipy", "tifffile", "onnxruntime", "openvino", *TRAINING_LIBRARIES)
    return {"python": platform.python_version(), **{name: v for name in names if (v := _version(name)) is not None}}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def use_threads(number: int | None = None) -> None:
    """Settle how many threads compute; call it before any library loads.

    Args:
        number: As many; what the variable ``OMP_NUM_THREADS`` says, or a thread for each core of this process, if None.

    Raises:
        GliosegError: If it is below 1.
    """
    if number is not None and number < 1:
        raise GliosegError("the number of threads is too small", expected="1 or more", found=str(number))
    if number is not None:
        os.environ["OMP_NUM_THREADS"] = str(number)


def share_threads(processes: int) -> None:
    """Divide the cores among processes that begin from here; what ``OMP_NUM_THREADS`` says holds for each of them."""
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, _cores() // processes)))


def threads() -> int:
    """How many threads compute, as :func:`use_threads` or :func:`share_threads` has settled it."""
    wish = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return int(wish) if wish.isdecimal() and int(wish) > 0 else _cores()


def _cores() -> int:
    """The cores that this process may use; a container or a queue may have left it fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def side_by_side(do: Callable[[Item], Done], items: Iterable[Item]) -> list[Done]:
    """Do something with each item, on as many threads as compute: for work of libraries that let others run meanwhile.

    Returns:
        What came of each, in their order; the first exception is raised.
    """
    items = list(items)
    if min(threads(), len(items)) <= 1:
        return [do(item) for item in items]
    with ThreadPoolExecutor(threads()) as pool:
        return list(pool.map(do, items))


def describe_machine() -> dict[str, str]:
    """The device and the arithmetic of its convolutions, in words, whether PyTorch is there or not."""
    if find_spec("torch") is None:
        return {"device": f"{platform.processor() or platform.machine()}, {threads()} threads", "precision": "32"}
    device = choose_device()
    return {"device": describe_device(device), "precision": choose_precision("auto", device)}


def describe_device(device: "torch.device") -> str:
    """The device in words, for a run's manifest."""
    import torch

    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    name = torch.cpu.get_capabilities().get("cpu_name") or platform.processor() or platform.machine()
    return f"{name}, {torch.get_num_threads()} threads"
