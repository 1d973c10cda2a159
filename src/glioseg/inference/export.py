"""A bundle's network, exported for runtimes that need no PyTorch, with proof that its answers are the same."""

import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from glioseg.atomic import (
    check_writable,
    clear_unfinished,
    unfinished_folder,
    write_bytes_atomically,
    write_text_atomically,
)
from glioseg.errors import BadOptionError, GliosegError, MissingLibraryError
from glioseg.evaluation.metrics import dice
from glioseg.files import entries
from glioseg.inference.backends import BackendName
from glioseg.inference.backends.fixed_size import padded_to
from glioseg.inference.backends.telemetry import keep_quiet
from glioseg.inference.backends.torch_backend import TorchBackend
from glioseg.inference.bundle import load_bundle
from glioseg.inference.contract import (
    CARD,
    CONTRACT,
    MODEL_INT8,
    MODEL_ONNX,
    MODEL_OPENVINO,
    MODEL_OPENVINO_WEIGHTS,
    WEIGHTS,
    Contract,
    Exported,
    Parity,
)
from glioseg.inference.model import Model
from glioseg.inference.postprocessing import binarise
from glioseg.inference.prediction import network_images, network_patches
from glioseg.inference.preprocessing import intensity_statistics
from glioseg.inference.sliding_window import CROP_MULTIPLE_PX
from glioseg.networks import find_network
from glioseg.volume import Mask, Volume

SIZE_PX = 256
"""Rows and columns of the slices that an exported model takes, unless told otherwise."""
SAME_ANSWER = 1e-3
"""A probability may differ by so much from PyTorch's in float32."""
CALIBRATED_ON = 12
"""Patients, evenly taken, on whom the range of eight bits is found at most."""
AFFORDABLE_DICE_LOSS = 0.002
"""What eight-bit arithmetic may cost in mean Dice on patients with masks."""

Form = Literal["onnx", "openvino"]
Item = TypeVar("Item")
_WRITTEN = {MODEL_ONNX, MODEL_INT8, MODEL_OPENVINO, MODEL_OPENVINO_WEIGHTS, WEIGHTS, CARD}
"""Beside the contract, which comes last."""
_RUNTIME: dict[Form, BackendName] = {"onnx": "onnxruntime", "openvino": "openvino"}


@dataclass(frozen=True)
class Patient:
    """A patient to calibrate and compare on."""

    volume: Volume
    truth: Mask


def export_bundle(
    bundle: Path,
    out: Path,
    form: Form,
    *,
    size_px: int | None = None,
    int8: bool = False,
    patients: Sequence[Patient] = (),
    calibration: Sequence[Patient] = (),
    affordable_dice_loss: float = AFFORDABLE_DICE_LOSS,
) -> Contract:
    """Export a bundle's network, compare its answers with the original's, and write a bundle without PyTorch.

    Args:
        bundle: A bundle with weights.
        out: The new bundle's folder, which must hold neither another one nor other files; the bundle's own takes an
            ONNX graph beside the weights.
        form: The exported file's format.
        size_px: Rows and columns of the slices that it will take; ``SIZE_PX`` if None. One that sees patches takes
            slices of any size.
        int8: Compute in eight bits: with OpenVINO always, with ONNX by a second graph that is used on processors that
            have instructions for it.
        patients: Patients to compare masks on; none of the ten test patients.
        calibration: Patients to find the range of eight bits on; some of those that are compared, if empty.
        affordable_dice_loss: What eight-bit arithmetic may cost in mean Dice on them.

    Returns:
        The new bundle's contract; its ``exported.parity`` holds the comparison.

    Raises:
        GliosegError: If a library is missing, the folder holds a bundle or other files, a size is named for a network
            that sees patches, or the answers differ too much; then nothing is written.
    """
    _check(bundle, out, form, int8, patients)
    network, contract = load_bundle(bundle)
    side = _side(contract, size_px)
    with _workshop(out) as workshop:
        weights = (bundle / WEIGHTS).read_bytes()
        files = _write_model(
            network, workshop, form, side, (calibration or patients) if int8 else (), contract, weights
        )
        second = int8 and form == "onnx"
        exported = Exported(
            format=form,
            precision="int8" if int8 and not second else "32",
            rows=side,
            columns=side,
            files_sha256={name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
            parity=Parity(slices=0, source="", largest_difference=0, mean_difference=0, mask_disagreement=0),
        )
        trial = contract.model_copy(update={"exported": exported})
        _write(workshop / "trial", files, trial, "")
        original = Model.of(TorchBackend(network, device="cpu", precision="32"), contract)
        exported_model = Model.load(workshop / "trial", backend=_RUNTIME[form], precision="32")
        parity = _compare(original, exported_model, patients)
        small = None
        if second:
            small = _compare(original, _eight_bit_model(workshop / "trial", trial), patients)
            _check_parity(small, affordable_dice_loss)
    _check_parity(parity, affordable_dice_loss if int8 and not second else None)
    compared = exported.model_copy(update={"parity": parity, "eight_bits": small})
    contract = contract.model_copy(update={"exported": compared})
    _write(out, files, contract, (bundle / CARD).read_text(encoding="utf-8"))
    return contract


def _eight_bit_model(folder: Path, contract: Contract) -> Model:
    """The second graph of a bundle, on whatever processor."""
    from glioseg.inference.backends.onnxruntime_backend import OnnxRuntimeBackend

    return Model.of(OnnxRuntimeBackend.of_graph(folder, contract, MODEL_INT8), contract)


def evenly(items: Sequence[Item], most: int) -> Sequence[Item]:
    """At most so many of some items, at even distances."""
    return items[:: max(1, -(-len(items) // most))]


@contextmanager
def _workshop(out: Path) -> Iterator[Path]:
    """A hidden folder in the new bundle's, which is gone afterwards, as is that one if nothing came to lie there."""
    was_there = out.exists()
    clear_unfinished(out)
    try:
        with unfinished_folder(out / "workshop") as folder:
            yield folder
    finally:
        if not was_there:
            with suppress(OSError):
                out.rmdir()


def _side(contract: Contract, size_px: int | None) -> int | None:
    """Rows and columns of the images that the exported network takes; None where it takes any multiple of 16."""
    if contract.patch_px is None:
        return -(-(size_px or SIZE_PX) // contract.preprocessing.downsampling_factor)
    if size_px is not None:
        raise GliosegError("this network sees patches, and takes slices of any size", remedy="Leave --size out")
    return None if find_network(contract.network).fully_convolutional else contract.patch_px


def check_output(bundle: Path, out: Path, form: Form) -> None:
    """See that a bundle may be exported into a folder; arguments as for :func:`export_bundle`.

    Raises:
        GliosegError: If it holds another bundle, or files that no export writes, or cannot be written into.
    """
    check_writable(out)
    if form == "onnx" and out.resolve() == bundle.resolve():
        return
    if (out / CONTRACT).exists():
        raise GliosegError(f"{out} holds a bundle already", remedy="Name a new folder")
    # What an export left that was killed is written again.
    foreign = [path.name for path in (entries(out) if out.is_dir() else ()) if path.name not in _WRITTEN]
    if foreign:
        raise BadOptionError(
            f"--out {out} holds other files, among which a bundle would get lost",
            expected="a folder that is new or empty, or for --to onnx that of MODEL",
            found=", ".join(foreign[:3]) + (", ..." if len(foreign) > 3 else ""),
            remedy="Name a new folder",
        )


def _check(bundle: Path, out: Path, form: Form, int8: bool, patients: Sequence[Patient]) -> None:
    check_output(bundle, out, form)
    if int8 and not patients:
        raise GliosegError(
            "eight-bit arithmetic must be calibrated on patients with masks",
            remedy="Name a folder in the dataset's layout with --patients, without the test patients",
        )
    needed = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "openvino": ("openvino",)}[form]
    also = ("nncf",) if int8 and form == "openvino" else ()
    missing = [name for name in (*needed, *also) if find_spec(name) is None]
    if missing:
        raise MissingLibraryError(
            f"{' and '.join(missing)} must be installed to export", remedy="pip install 'glioseg[export]'"
        )


def _write_model(
    network: nn.Module,
    folder: Path,
    form: Form,
    side: int | None,
    calibration: Sequence[Patient],
    contract: Contract,
    weights: bytes,
) -> dict[str, bytes]:
    """The exported model's files by name."""
    images = list(_calibration_images(evenly(calibration, CALIBRATED_ON), contract, side))
    if form == "onnx":
        files = {MODEL_ONNX: _onnx(network, contract.preprocessing.input_channels, side, weights), WEIGHTS: weights}
        return files | _in_eight_bits(folder, files, images) if images else files
    return _openvino(network, folder, contract.preprocessing.input_channels, side, images)


def _in_eight_bits(folder: Path, files: dict[str, bytes], images: Sequence[NDArray[np.float32]]) -> dict[str, bytes]:
    from glioseg.inference.eight_bits import quantised

    for name, content in files.items():
        (folder / name).write_bytes(content)
    return {MODEL_INT8: quantised(folder, images)}


def _onnx(network: nn.Module, channels: int, side: int | None, weights: bytes) -> bytes:
    """A graph that takes its weights from the file beside it, as they lie there."""
    free = {0: torch.export.Dim("slice", min=1)}
    if side is None:
        free |= {axis: CROP_MULTIPLE_PX * torch.export.Dim(name) for axis, name in ((2, "rows"), (3, "columns"))}
    with redirect_stdout(sys.stderr):
        program = torch.onnx.export(
            network,
            (_example(channels, side),),
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes=(free,),
            dynamo=True,
            verbose=False,
            # Weights keep their names and values; the runtime folds them itself when it loads them.
            optimize=False,
        )
    assert program is not None
    model = program.model_proto
    _drop_zero_biases(model.graph)
    _refer_to_weights(model.graph, weights)
    for node in (*model.graph.node, *model.graph.value_info, *model.graph.initializer):
        del node.metadata_props[:]
        node.doc_string = ""
    return bytes(model.SerializeToString())


def _example(channels: int, side: int | None) -> torch.Tensor:
    """Images as the network takes them; two rectangles where it takes any."""
    rows, columns = (6 * CROP_MULTIPLE_PX, 5 * CROP_MULTIPLE_PX) if side is None else (side, side)
    return torch.zeros(2, channels, rows, columns)


def _drop_zero_biases(graph: Any) -> None:
    """Take off the biases that the exporter adds to convolutions without one: computed zeros, which keep a runtime from
    joining a convolution with the normalisation behind it.
    """
    given = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Conv" and len(node.input) == 3 and node.input[2] not in given:
            del node.input[2]
    used = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):
        if used & set(node.output):
            used |= set(node.input)
            kept.append(node)
    kept.reverse()
    del graph.node[:]
    graph.node.extend(kept)


def _refer_to_weights(graph: Any, weights: bytes) -> None:
    """Replace the values of a graph's tensors by their place in a file of safetensors; half precision is widened.

    Args:
        graph: An ``onnx.GraphProto`` whose initializers have the names of the network's tensors.
        weights: The content of the file.
    """
    import onnx

    header_bytes = int.from_bytes(weights[:8], "little")
    places = json.loads(weights[8 : 8 + header_bytes])
    widened = []
    for tensor in graph.initializer:
        place = places.get(tensor.name)
        if place is None:
            continue
        begin, end = place["data_offsets"]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", WEIGHTS), ("offset", 8 + header_bytes + begin), ("length", end - begin)):
            tensor.external_data.add(key=key, value=str(value))
        if place["dtype"] == "F16":
            tensor.data_type = onnx.TensorProto.FLOAT16
            widened.append(tensor.name)
    wide = {name: f"{name}.wide" for name in widened}
    for node in graph.node:
        node.input[:] = [wide.get(name, name) for name in node.input]
    casts = [onnx.helper.make_node("Cast", [name], [to], to=onnx.TensorProto.FLOAT) for name, to in wide.items()]
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _openvino(
    network: nn.Module, folder: Path, channels: int, side: int | None, calibration: list[NDArray[np.float32]]
) -> dict[str, bytes]:
    keep_quiet()
    import openvino

    model = openvino.convert_model(network, example_input=_example(channels, side))
    model.reshape([-1, channels, side or -1, side or -1])
    if calibration:
        # NNCF shows its progress on the standard output, which belongs to the command's result.
        with redirect_stdout(sys.stderr):
            import nncf

            model = nncf.quantize(model, nncf.Dataset(calibration), subset_size=len(calibration))
    openvino.save_model(model, folder / MODEL_OPENVINO, compress_to_fp16=False)
    return {name: (folder / name).read_bytes() for name in (MODEL_OPENVINO, MODEL_OPENVINO_WEIGHTS)}


def _calibration_images(
    patients: Sequence[Patient], contract: Contract, side: int | None
) -> Iterator[NDArray[np.float32]]:
    """Slices as the network sees them: from each patient some, with tumour and without."""
    for patient in patients:
        statistics = intensity_statistics(patient.volume, contract.preprocessing)
        for index in np.linspace(0, len(patient.volume.voxels) - 1, 8).astype(int):
            slices = np.array([index])
            images = network_images(patient.volume, slices, statistics, contract.preprocessing)
            patches = network_patches(patient.volume, slices, contract.preprocessing, contract.patch_px)
            if patches is not None:
                yield from (patch[None] for patch in patches.extract(images))
            elif side is not None:
                yield padded_to(images, (side, side))


def _compare(original: Model, exported: Model, patients: Sequence[Patient]) -> Parity:
    volumes = [patient.volume for patient in patients] or [_noise(exported.first.contract)]
    pairs = [(original.probabilities(volume), exported.probabilities(volume)) for volume in volumes]
    differences = np.concatenate([np.abs(one - other).ravel() for one, other in pairs])
    either = sum(int(((one >= 0.5) | (other >= 0.5)).sum()) for one, other in pairs)
    unlike = sum(int(((one >= 0.5) != (other >= 0.5)).sum()) for one, other in pairs)
    return Parity(
        slices=sum(len(volume.voxels) for volume in volumes),
        source=f"{len(patients)} patients" if patients else "noise",
        largest_difference=float(differences.max()),
        mean_difference=float(differences.mean()),
        mask_disagreement=unlike / either if either else 0.0,
        dice_loss=_dice_loss(pairs, patients, original.first.contract) if patients else None,
        patients=len(patients),
    )


def _dice_loss(
    pairs: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]], patients: Sequence[Patient], contract: Contract
) -> float:
    losses = []
    for probabilities, patient in zip(pairs, patients, strict=True):
        one, other = (dice(binarise(p, contract.postprocessing), patient.truth.voxels) for p in probabilities)
        if one is not None and other is not None:
            losses.append(one - other)
    return float(np.mean(losses)) if losses else 0.0


def _noise(contract: Contract) -> Volume:
    """An image that no network was made for: what agrees on it agrees elsewhere."""
    assert contract.exported is not None
    rows = contract.exported.rows
    size_px = SIZE_PX if rows is None else rows * contract.preprocessing.downsampling_factor
    voxels = np.random.default_rng(0).integers(0, 256, (4, size_px, size_px, 3), dtype=np.uint8)
    return Volume("noise", voxels)


def _check_parity(parity: Parity, affordable_dice_loss: float | None) -> None:
    if affordable_dice_loss is not None:
        assert parity.dice_loss is not None
        if parity.dice_loss >= affordable_dice_loss:
            raise GliosegError(
                "eight-bit arithmetic costs this network too much",
                expected=f"a loss of mean Dice below {affordable_dice_loss}",
                found=f"{parity.dice_loss:.4f} on {parity.patients} patients",
                remedy="Calibrate on more patients, or export without --int8",
            )
    elif parity.largest_difference > SAME_ANSWER:
        raise GliosegError(
            "the exported model does not answer as the original does",
            expected=f"probabilities within {SAME_ANSWER}",
            found=f"a difference of {parity.largest_difference:.4f}",
            remedy="Report this with the output of 'glioseg doctor'",
        )


def _write(folder: Path, files: dict[str, bytes], contract: Contract, card: str) -> None:
    for name, content in files.items():
        write_bytes_atomically(folder / name, content)
    write_text_atomically(folder / CARD, card)
    # Last, so that a folder without it is no bundle.
    write_text_atomically(folder / CONTRACT, contract.model_dump_json(indent=2) + "\n")
