"""ONNX Runtime: CPUs of any maker, GPUs of NVIDIA with its build for them, and without PyTorch."""

from functools import cache
from pathlib import Path
from typing import Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from glioseg.errors import BadFileError, GliosegError
from glioseg.inference.backends import (
    CUDA_PROVIDER,
    BackendName,
    Device,
    onnxruntime_has_cuda,
    takes_eight_bits,
)
from glioseg.inference.backends.fixed_size import at_fixed_size
from glioseg.inference.contract import CONTRACT, DAMAGED, MODEL_INT8, MODEL_ONNX, Contract, check_exported
from glioseg.machine import Precision, side_by_side, threads

_PROVIDER = "CPUExecutionProvider"
_CUDA_OPTIONS = {"cudnn_conv_algo_search": "HEURISTIC"}
"""Crops to the head come in some dozen sizes, for each of which CUDA would otherwise time all its convolutions anew."""


def _options() -> "onnxruntime.SessionOptions":
    options = onnxruntime.SessionOptions()
    # Threads that share each layer wait for the slowest in each; beside a busy neighbour one of them is always slow.
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    # What one network needs while it computes serves the next, and each thread as long as it does so.
    _share_memory()
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.enable_mem_pattern = False
    return options


@cache
def _share_memory() -> None:
    """One memory for all sessions of the process, in place of one for each: a quarter for five networks."""
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    # Grown by what is asked for; by powers of two it holds tens of megabytes that nobody uses.
    onnxruntime.create_and_register_allocator(memory, onnxruntime.OrtArenaCfg({"arena_extend_strategy": 1}))


def _tries_gpu(device: Device) -> bool:
    return device != "cpu" and onnxruntime_has_cuda()


def _providers(device: Device) -> list[str | tuple[str, dict[str, str]]]:
    """What may compute, the first that can, with its options."""
    return [(CUDA_PROVIDER, _CUDA_OPTIONS), _PROVIDER] if _tries_gpu(device) else [_PROVIDER]


class OnnxRuntimeBackend:
    """A session of ONNX Runtime.

    Args:
        session: With any number of slices.
        size: Rows and columns that it takes; None if any.
        downsampling_factor: Of the slices, for messages.
        folder: The bundle, for messages.
        precision: Its arithmetic, in words.
    """

    name: BackendName = "onnxruntime"

    def __init__(
        self,
        session: "onnxruntime.InferenceSession",
        size: tuple[int, int] | None,
        downsampling_factor: int,
        folder: Path,
        precision: str = "32",
    ) -> None:
        self.precision = precision
        self.is_on_gpu = CUDA_PROVIDER in session.get_providers()
        self.device = "GPU, CUDA" if self.is_on_gpu else f"CPU, {threads()} threads"
        self._session, self._size, self._downsampling_factor, self._folder = session, size, downsampling_factor, folder

    @classmethod
    def from_bundle(
        cls, folder: Path, contract: Contract, *, device: Device = "auto", precision: Precision = "auto"
    ) -> Self:
        """Load a bundle's model.

        Raises:
            GliosegError: If the file is damaged or not the one that the contract describes, or the GPU that is wished
                cannot be used.
        """
        eight_bits = not _tries_gpu(device) and takes_eight_bits(contract, precision)
        found = cls.of_graph(folder, contract, MODEL_INT8 if eight_bits else MODEL_ONNX, device)
        # It goes on with the CPU where a library of CUDA is missing.
        if device == "cuda" and not found.is_on_gpu:
            raise GliosegError(
                "ONNX Runtime cannot use the GPU",
                remedy="Install the versions of CUDA and cuDNN that onnxruntime-gpu names, or leave --device out",
            )
        return found

    @classmethod
    def of_graph(cls, folder: Path, contract: Contract, graph: str, device: Device = "cpu") -> Self:
        """Load one of a bundle's graphs, :data:`MODEL_ONNX` or :data:`MODEL_INT8`; raises as :meth:`from_bundle`."""
        exported = check_exported(folder, contract, graph)
        path = folder / graph
        try:
            session = onnxruntime.InferenceSession(path, _options(), providers=_providers(device))
        # Its errors share no base class but Exception.
        except Exception as error:
            raise BadFileError(path, f"cannot be loaded: {str(error).splitlines()[0]}") from error
        taken = [size for size in session.get_inputs()[0].shape[2:] if isinstance(size, int)]
        if taken and taken != list(exported.size_px or ()):
            size = "any size" if exported.size_px is None else f"{exported.rows} x {exported.columns} pixels"
            raise BadFileError(
                path,
                f"does not fit {CONTRACT}",
                expected=f"images of {size}",
                found=" x ".join(map(str, taken)),
                remedy=DAMAGED,
            )
        precision = "int8" if graph == MODEL_INT8 else "32"
        return cls(session, exported.size_px, contract.preprocessing.downsampling_factor, folder, precision)

    def logits(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Normalised images (slice, channel, row, column) to logits (slice, 1, row, column), both float32."""
        return at_fixed_size(self._compute, images, self._size, self._downsampling_factor, self._folder)

    def _compute(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        parts = 1 if self.is_on_gpu else min(threads(), len(images))
        return np.concatenate(side_by_side(self._run, np.array_split(images, parts)))

    def _run(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        (found,) = self._session.run(None, {"images": np.ascontiguousarray(images)})
        return np.asarray(found, np.float32)
