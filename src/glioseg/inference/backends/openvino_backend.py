"""OpenVINO: the fastest on CPUs, and without PyTorch."""

from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from glioseg.errors import BadFileError
from glioseg.inference.backends import BackendName, takes_eight_bits
from glioseg.inference.backends.fixed_size import at_fixed_size
from glioseg.inference.backends.telemetry import keep_quiet
from glioseg.inference.contract import MODEL_INT8, MODEL_ONNX, MODEL_OPENVINO, Contract, check_exported
from glioseg.machine import Precision, threads

keep_quiet()
import openvino  # noqa: E402


class OpenVinoBackend:
    """A compiled model of OpenVINO.

    Args:
        model: Compiled, with any number of slices.
        size: Rows and columns that it takes; None if any.
        precision: Its arithmetic, in words.
        downsampling_factor: Of the slices, for messages.
        folder: The bundle, for messages.
    """

    name: BackendName = "openvino"

    def __init__(
        self,
        model: "openvino.CompiledModel",
        size: tuple[int, int] | None,
        downsampling_factor: int,
        precision: str,
        folder: Path,
    ) -> None:
        self._model, self._size, self._downsampling_factor, self._folder = model, size, downsampling_factor, folder
        self.precision = precision
        self.device = f"CPU, {threads()} threads"

    @classmethod
    def from_bundle(cls, folder: Path, contract: Contract, *, precision: Precision = "auto") -> Self:
        """Compile a bundle's model.

        Raises:
            GliosegError: If the file is damaged or not the one that the contract describes.
        """
        exported = check_exported(folder, contract)
        eight_bits = takes_eight_bits(contract, precision)
        graph = MODEL_OPENVINO if (folder / MODEL_OPENVINO).is_file() else MODEL_ONNX
        path = folder / (MODEL_INT8 if eight_bits else graph)
        # "auto" leaves the choice to OpenVINO, which takes bfloat16 where the processor has it.
        wanted = {"32": {"INFERENCE_PRECISION_HINT": "f32"}, "bf16": {"INFERENCE_PRECISION_HINT": "bf16"}}
        try:
            model = openvino.Core().compile_model(
                path,
                "CPU",
                {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads(), **wanted.get(precision, {})},
            )
        except RuntimeError as error:
            raise BadFileError(path, f"cannot be loaded: {str(error).splitlines()[0]}") from error
        arithmetic = str(model.get_property("INFERENCE_PRECISION_HINT").get_type_name())
        whole = eight_bits or exported.precision == "int8"
        words = "int8" if whole else {"bf16": "bf16", "f32": "32"}.get(arithmetic, arithmetic)
        return cls(model, exported.size_px, contract.preprocessing.downsampling_factor, words, folder)

    def logits(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Normalised images (slice, channel, row, column) to logits (slice, 1, row, column), both float32."""
        return at_fixed_size(self._compute, images, self._size, self._downsampling_factor, self._folder)

    def _compute(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(self._model(np.ascontiguousarray(images))[0], np.float32)
