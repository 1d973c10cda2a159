"""A graph in eight bits: weights and what flows between layers as whole numbers, scaled by what patients show.

Post-training static quantisation after Jacob et al., CVPR 2018, by ONNX Runtime: signed weights by channel, unsigned
activations between their least and greatest on the patients. Sums, the first input and the logits stay float32.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from glioseg.inference.contract import MODEL_INT8, MODEL_ONNX


class _Images(CalibrationDataReader):  # type: ignore[misc]
    """What the network sees, one image or batch after the other."""

    def __init__(self, images: Iterable[NDArray[np.float32]]) -> None:
        self._left = iter(images)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        image = next(self._left, None)
        return None if image is None else {"images": np.ascontiguousarray(image)}


def quantised(folder: Path, images: Iterable[NDArray[np.float32]]) -> bytes:
    """The float32 graph of a folder in eight bits, with its weights inside.

    Args:
        folder: Holds the graph and its weights; files of the work are left in it.
        images: As the network sees them, shape (slice, channel, row, column).
    """
    joined, small = folder / "joined.onnx", folder / MODEL_INT8
    # Symbolic shapes are for transformers, and it stumbles over free rows and columns.
    quant_pre_process(onnx.load(folder / MODEL_ONNX), joined, skip_symbolic_shape=True)
    quantize_static(
        joined,
        small,
        _Images(images),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
    )
    return small.read_bytes()
