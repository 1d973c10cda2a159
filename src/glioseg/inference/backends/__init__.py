"""What computes a network: PyTorch, OpenVINO or ONNX Runtime, behind one interface.

Only the one that is used is imported. An exported model needs no PyTorch.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from glioseg.errors import GliosegError, MissingLibraryError
from glioseg.inference.contract import MODEL_ONNX, MODEL_OPENVINO, WEIGHTS, Contract
from glioseg.machine import Precision, has_eight_bit_instructions

BackendName = Literal["torch", "openvino", "onnxruntime"]
Device = Literal["auto", "cpu", "cuda"]

FASTEST_FIRST: tuple[BackendName, ...] = ("openvino", "onnxruntime", "torch")
"""On a CPU; ``make bench`` measures them side by side."""
FASTEST_IN_EIGHT_BITS: tuple[BackendName, ...] = ("onnxruntime", "openvino", "torch")
"""OpenVINO computes a batch faster, but takes longer to begin, and far longer on a busy machine."""
_GPU_FIRST: tuple[BackendName, ...] = ("torch", "onnxruntime")
CUDA_PROVIDER = "CUDAExecutionProvider"
"""What computes on a GPU in a build of ONNX Runtime for CUDA."""
_FILES: dict[BackendName, tuple[str, ...]] = {
    "torch": (WEIGHTS,),
    "openvino": (MODEL_OPENVINO, MODEL_ONNX),
    "onnxruntime": (MODEL_ONNX,),
}

_BROUGHT_BY: dict[BackendName, str] = {
    "torch": "glioseg[train]",
    "openvino": "glioseg[openvino]",
    "onnxruntime": "onnxruntime",
}


class Backend(Protocol):
    """A network ready to compute."""

    @property
    def name(self) -> BackendName:
        """Which of the backends."""

    @property
    def device(self) -> str:
        """Where it computes, in words."""

    @property
    def precision(self) -> str:
        """Arithmetic of its convolutions, in words."""

    def logits(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Normalised images (slice, channel, row, column) to logits (slice, 1, row, column), both float32."""


def load_backend(
    folder: Path,
    contract: Contract,
    name: BackendName | Literal["auto"] = "auto",
    *,
    device: Device = "auto",
    precision: Precision = "auto",
) -> Backend:
    """Load a bundle's network into a backend.

    Args:
        folder: The bundle.
        contract: Its contract.
        name: Which backend; ``auto`` takes the fastest that is installed and has its file in the bundle.
        device: Where to compute; a GPU is used through PyTorch, or through ONNX Runtime where its build for CUDA is
            installed.
        precision: Arithmetic of the convolutions.

    Raises:
        GliosegError: If the backend is not installed or does not compute so, the bundle lacks its file, or the file is
            damaged.
    """
    chosen = _fastest(folder, contract, device, precision) if name == "auto" else name
    _check(folder, chosen, device, precision)
    if chosen == "torch":
        from glioseg.inference.backends.torch_backend import TorchBackend

        return TorchBackend.from_bundle(folder, contract, device=device, precision=precision)
    if chosen == "openvino":
        from glioseg.inference.backends.openvino_backend import OpenVinoBackend

        return OpenVinoBackend.from_bundle(folder, contract, precision=precision)
    from glioseg.inference.backends.onnxruntime_backend import OnnxRuntimeBackend

    return OnnxRuntimeBackend.from_bundle(folder, contract, device=device, precision=precision)


def is_installed(name: BackendName) -> bool:
    """Whether the backend's library can be imported; nothing is imported to find out."""
    return find_spec(name) is not None


def onnxruntime_has_cuda() -> bool:
    """Whether the ONNX Runtime that is installed can compute on a GPU of NVIDIA."""
    if not is_installed("onnxruntime"):
        return False
    from onnxruntime import get_available_providers

    return CUDA_PROVIDER in get_available_providers()


def _has_file(folder: Path, name: BackendName) -> bool:
    return any((folder / file).is_file() for file in _FILES[name])


def takes_eight_bits(contract: Contract, precision: Precision) -> bool:
    """Whether the graph in eight bits is computed: there is one, no other precision is wished, and it is faster."""
    known = contract.exported is not None and contract.exported.eight_bits is not None
    return known and precision == "auto" and has_eight_bit_instructions()


def _fastest(folder: Path, contract: Contract, device: Device, precision: Precision) -> BackendName:
    order = FASTEST_IN_EIGHT_BITS if takes_eight_bits(contract, precision) else FASTEST_FIRST
    present = [name for name in order if _has_file(folder, name) and is_installed(name)]
    if precision == "bf16" and present[1:]:
        present = [name for name in present if name != "onnxruntime"]
    if device == "cuda" or (device == "auto" and _has_gpu()):
        on_gpu = [name for name in _GPU_FIRST if name in present and (name == "torch" or onnxruntime_has_cuda())]
        if on_gpu or device == "cuda":
            return next(iter(on_gpu), "onnxruntime" if "onnxruntime" in present else "torch")
    there = [name for name in FASTEST_FIRST if _has_file(folder, name)]
    return next(iter(present or there), "torch")


def _has_gpu() -> bool:
    # The driver's own file tells without importing PyTorch, which takes seconds.
    return Path("/dev/nvidiactl").exists()


def _check(folder: Path, name: BackendName, device: Device, precision: Precision) -> None:
    if not is_installed(name):
        raise MissingLibraryError(f"the backend {name} is not installed", remedy=f"pip install '{_BROUGHT_BY[name]}'")
    if not _has_file(folder, name):
        form = "openvino" if name == "openvino" else "onnx"
        others = [other for other in get_args(BackendName) if _has_file(folder, other)]
        raise GliosegError(
            f"{folder} holds no model for the backend {name}",
            expected=" or ".join(str(folder / file) for file in _FILES[name]),
            found=f"a model for {' and '.join(others)}" if others else "no model at all",
            remedy=f"glioseg export {folder} --to {form} --out NEW, then use NEW",
        )
    if device == "cuda" and name == "openvino":
        raise GliosegError(
            "the backend openvino computes on the CPU alone", remedy="Use --backend onnxruntime or torch for a GPU"
        )
    if device == "cuda" and name == "onnxruntime" and not onnxruntime_has_cuda():
        raise GliosegError(
            "the ONNX Runtime that is installed computes on the CPU alone",
            remedy="pip uninstall onnxruntime, then pip install onnxruntime-gpu; or pip install 'glioseg[train]'",
        )
    if precision == "bf16" and name == "onnxruntime":
        raise GliosegError(
            f"the backend {name} computes in float32 alone",
            remedy="Leave out --precision, or use --backend openvino or torch",
        )
