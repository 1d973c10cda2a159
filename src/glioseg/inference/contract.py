"""What a trained network promises and needs: the part of a bundle that a person can read."""

import hashlib
import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from glioseg.errors import GliosegError
from glioseg.inference.postprocessing import Postprocessing
from glioseg.inference.preprocessing import Preprocessing
from glioseg.volume import CHANNELS

WEIGHTS, CONTRACT, CARD, SPLIT = "weights.safetensors", "contract.json", "card.md", "split.json"
MODEL_ONNX, MODEL_OPENVINO, MODEL_OPENVINO_WEIGHTS = "model.onnx", "model.xml", "model.bin"
DAMAGED = "Copy the bundle again, all its files together"


class Parity(BaseModel):
    """How far an exported model's answers lie from those of PyTorch in float32.

    Attributes:
        slices: Slices compared.
        source: What they show.
        largest_difference: Of any probability.
        mean_difference: Of the probabilities.
        mask_disagreement: Share of the voxels inside either mask at a threshold of one half that lie inside one alone.
        dice_loss: Mean per-patient Dice that is lost; null where no patients with masks were given.
        patients: Patients with masks that were compared.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    slices: int
    source: str
    largest_difference: float
    mean_difference: float
    mask_disagreement: float
    dice_loss: float | None = None
    patients: int = 0


class Exported(BaseModel):
    """What a model was exported to.

    Attributes:
        format: Of the file.
        precision: Of its numbers.
        rows: Rows of the images that it takes; binning lets a slice have more.
        columns: Their columns.
        files_sha256: Hash of each file.
        parity: How far its answers lie from the original's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["onnx", "openvino"]
    precision: Literal["32", "int8"]
    rows: int = Field(ge=1)
    columns: int = Field(ge=1)
    files_sha256: dict[str, str]
    parity: Parity


class Contract(BaseModel):
    """All that is needed to use the weights as they were trained, and to know where they come from.

    Attributes:
        bundle_format: Version of the bundle's layout.
        network: A name of the table of networks.
        width: Channels of its first level.
        channels: The role of each input channel, in order.
        preprocessing: How a slice becomes what the network sees.
        flip: Whether prediction averages each slice with its left-right mirror image.
        neighbour_weight: Weight of each of the two slices beside a slice in its probabilities.
        window_px: Rows and columns of the windows that the network sees, in pixels after binning: those of the crops
            that it was trained on. Null where it sees whole slices.
        temperature: Divides the logit of each probability, so that of the voxels that get 0.8 four in five are tumour;
            found on patients that the weights were not fitted to (Guo 2017).
        postprocessing: How the mask is cut out of the probabilities.
        familiar: The range of each trait of the training scans, as :mod:`glioseg.inference.familiarity` measures them;
            empty where nobody measured.
        weights_sha256: Hash of ``weights.safetensors``.
        split_sha256: Hash of the split of patients it was trained under.
        data_fingerprint: Hash of the pixels it was trained on.
        training_patients: How many patients the weights were fitted to.
        versions: Versions of glioseg and of the libraries that decide results.
        exported: What the model was exported to; null in a bundle with weights.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    bundle_format: Literal[1] = 1
    network: str
    width: int = Field(ge=1)
    channels: tuple[str, ...] = CHANNELS
    preprocessing: Preprocessing
    flip: bool = True
    neighbour_weight: float = Field(0.0, ge=0, lt=1 / 3)
    window_px: int | None = Field(None, ge=1)
    temperature: float = Field(1.0, gt=0, allow_inf_nan=False)
    postprocessing: Postprocessing = Postprocessing()
    familiar: dict[str, tuple[float, float]] = {}
    weights_sha256: str = ""
    split_sha256: str
    data_fingerprint: str
    training_patients: int
    versions: dict[str, str]
    exported: Exported | None = None


def load_contract(folder: Path) -> Contract:
    """Read the contract alone; errors as :func:`load_bundle`."""
    path = folder / CONTRACT
    try:
        return Contract.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise GliosegError(
            f"{folder} is no model bundle",
            expected=f"a folder with {WEIGHTS}, {CONTRACT} and {CARD}",
            found="no such folder" if not folder.is_dir() else f"no {CONTRACT}",
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise GliosegError(f"{path} is damaged at {where}: {first['msg']}", remedy=DAMAGED) from error
    except (OSError, ValueError) as error:
        raise GliosegError(f"{path} cannot be read: {error}", remedy=DAMAGED) from error


def check_exported(folder: Path, contract: Contract) -> Exported:
    """What the contract says of an exported model, once its files have been found to be those it describes.

    Raises:
        GliosegError: If the contract knows of no export, or a file is missing or another one.
    """
    if contract.exported is None:
        raise GliosegError(f"{folder / CONTRACT} describes no exported model", remedy=DAMAGED)
    for name, expected in contract.exported.files_sha256.items():
        path = folder / name
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise GliosegError(f"{path} cannot be read: {error.strerror}", remedy=DAMAGED) from error
        if found != expected:
            raise GliosegError(f"{path} is not the file that {CONTRACT} describes", remedy=DAMAGED)
    return contract.exported
