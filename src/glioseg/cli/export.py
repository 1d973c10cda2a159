"""``glioseg export``: its options."""

from pathlib import Path
from typing import Annotated, Literal

from glioseg.cli.options import Flag, Json, WholeNumber


def export(
    model: Path,
    *,
    to: Literal["onnx", "openvino"],
    out: Path,
    size: WholeNumber | None = None,
    int8: Annotated[bool, Flag] = False,
    patients: Path | None = None,
    json_output: Json = False,
) -> None:
    """Write a bundle for ONNX Runtime or OpenVINO, and prove that it answers as the original does.

    Parameters
    ----------
    model
        A bundle's folder, or the name of a network that comes with glioseg.
    out
        The new bundle's folder; --to onnx also takes that of MODEL, where the graph goes beside the weights.
    size
        Rows and columns of the slices that the exported model takes, in pixels, 256 unless told otherwise; smaller ones
        are padded. A network that sees windows takes slices of any size.
    int8
        Compute in eight bits; refused where it costs 0.002 of Dice or more. With ONNX a second graph, which is used on
        processors with instructions for it.
    patients
        A folder in the dataset's layout to compare masks on, and to calibrate eight-bit arithmetic. The ten test
        patients in it are left out.
    """
    from glioseg.commands.export import export

    exported = export(model, to, out, size_px=size, int8=int8, patients=patients).exported
    assert exported is not None
    if json_output:
        print(exported.model_dump_json(indent=2))
        return
    parity = exported.parity
    print(f"{to} model in {out}, compared on {parity.source}, {parity.slices} slices:")
    mean, most = parity.mean_difference, parity.largest_difference
    print(f"probabilities differ by {mean:.2g} on average and {most:.2g} at most")
    if parity.dice_loss is not None:
        print(f"mean Dice lost: {parity.dice_loss:.4f}")
    if exported.eight_bits is not None:
        print(f"mean Dice lost in eight bits: {exported.eight_bits.dice_loss:.4f}")
