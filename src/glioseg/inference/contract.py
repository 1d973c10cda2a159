"""What a trained network, or several together, promise and need: the part of a model that a person can read."""

import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from glioseg.atomic import write_text_atomically
from glioseg.errors import BadFileError, GliosegError, fault_in_words
from glioseg.former_names import with_present_names
from glioseg.inference.postprocessing import Decision
from glioseg.inference.preprocessing import Preprocessing
from glioseg.inference.presence import PresenceRule
from glioseg.volume import CHANNELS

WEIGHTS, CONTRACT, CARD, SPLIT = "weights.safetensors", "contract.json", "card.md", "split.json"
ENSEMBLE = "ensemble.json"
MODEL_ONNX, MODEL_OPENVINO, MODEL_OPENVINO_WEIGHTS = "model.onnx", "model.xml", "model.bin"
MODEL_INT8 = "model.int8.onnx"
LARGEST_PX = 4096
"""No slice or patch has more rows or columns: a damaged contract is not to take all memory."""
DAMAGED = "Copy the bundle again, all its files together"


_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"


def _beside(path: str) -> str:
    if not re.fullmatch(rf"\.\./{_NAME}", path):
        raise ValueError("siblings lie in a folder beside this one (../NAME)")
    return path


class InferenceSettings(Decision):
    """How a network is used on a scan; the same while it is trained as after.

    Attributes:
        flip: Whether prediction averages each slice with its left-right mirror image.
        through_plane_smoothing: Weight of each of the two slices beside a slice in its probabilities.
        patch_px: Rows and columns of the patches that the network sees, in pixels after downsampling: those of the
            crops that it was trained on. Null where it sees whole slices.
    """

    flip: bool = True
    through_plane_smoothing: float = Field(0.0, ge=0, lt=1 / 3)
    patch_px: int | None = Field(None, ge=8, le=LARGEST_PX)

    @model_validator(mode="before")
    @classmethod
    def _as_now(cls, content: Any) -> Any:
        return with_present_names(content)


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
        format: ``onnx`` or ``openvino``.
        precision: Of its numbers.
        rows: Rows of the images that it takes; downsampling lets a slice have more. Null where it takes any multiple
            of 16.
        columns: Their columns.
        files_sha256: Hash of each file.
        parity: How far its answers lie from the original's.
        eight_bits: How far those of the graph in eight bits lie from them, which is used on processors that have
            instructions for it; null where there is none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["onnx", "openvino"]
    precision: Literal["32", "int8"]
    rows: int | None = Field(ge=1, le=LARGEST_PX)
    columns: int | None = Field(ge=1, le=LARGEST_PX)
    files_sha256: dict[str, str]
    parity: Parity
    eight_bits: Parity | None = None

    @property
    def size_px(self) -> tuple[int, int] | None:
        """Rows and columns of the images that it takes; None if any."""
        return None if self.rows is None or self.columns is None else (self.rows, self.columns)


class Contract(InferenceSettings):
    """All that is needed to use the weights as they were trained, and to know where they come from.

    Attributes:
        bundle_format: Version of the bundle's layout.
        network: A name of the table of networks.
        width: Channels of its first level.
        channels: The sequence of each input channel, in order.
        preprocessing: How a slice becomes what the network sees.
        feature_ranges: The range of each feature of the training scans, as :mod:`glioseg.inference.out_of_distribution`
            measures them; empty where nobody measured.
        weights_sha256: Hash of ``weights.safetensors``.
        split_sha256: Hash of the split of patients it was trained under.
        data_fingerprint: Hash of the pixels it was trained on.
        training_patients: How many patients the weights were fitted to.
        versions: Versions of glioseg and of the libraries that decide results.
        siblings: For a network that was trained on every patient, the model beside this one, ``../NAME``, whose
            networks were trained by the same recipe with a fold of the patients held back: what they reach out of fold
            stands for this one. Null where the network has test patients of its own.
        exported: What the model was exported to; null in a bundle with weights.
        presence: How it is told whether there is a tumour at all; null where that was not fitted.
    """

    bundle_format: Literal[1] = 1
    network: str
    width: int = Field(ge=1, le=1024)
    channels: tuple[str, ...] = CHANNELS
    preprocessing: Preprocessing
    feature_ranges: dict[str, tuple[float, float]] = Field(default_factory=dict)
    weights_sha256: str = ""
    split_sha256: str
    data_fingerprint: str
    training_patients: int
    versions: dict[str, str]
    siblings: Annotated[str, AfterValidator(_beside)] | None = None
    exported: Exported | None = None
    presence: PresenceRule | None = None


def _folder_name(name: str) -> str:
    if not re.fullmatch(_NAME, name):
        raise ValueError("a member is the name of a folder, without a path")
    return name


def _here_or_beside(path: str) -> str:
    if not re.fullmatch(rf"\.|\.\./{_NAME}", path):
        raise ValueError("members lie here (.) or in a folder beside this one (../NAME)")
    return path


class EnsembleContract(Decision):
    """What a model of several networks is made of, and how the mean of their probabilities becomes a mask.

    Attributes:
        bundle_format: Version of the folder's layout.
        members: For the folder of each network the hash of its weights.
        members_in: Where these folders lie: ``.``, or ``../NAME`` for those of a model beside this one.
        folds: Where the networks come from several splits, what those of one decide together, by the split's hash.
        flips_in_turn: Whether the networks see a scan and its left-right mirror image in turn, the first the scan,
            the second the mirror image and so on: half the work of showing each of them both. A network by itself
            sees both.
        crop_to_head: Whether fully convolutional networks see each slice once, cropped to the head, instead of in
            patches that overlap: a third less to compute. A network by itself sees its patches.
        presence: As in :class:`Contract`.
    """

    bundle_format: Literal[1] = 1
    members: dict[Annotated[str, AfterValidator(_folder_name)], str] = Field(min_length=2)
    members_in: Annotated[str, AfterValidator(_here_or_beside)] = "."
    folds: dict[str, Decision] = Field(default_factory=dict)
    flips_in_turn: bool = False
    crop_to_head: bool = False
    presence: PresenceRule | None = None

    def member_folder(self, folder: Path, name: str) -> Path:
        """Where a network of the model in a folder lies."""
        return folder / self.members_in / name


def load_contract(folder: Path) -> Contract:
    """Read the contract of one network.

    Raises:
        GliosegError: If it is missing or damaged.
    """
    if not (folder / CONTRACT).exists():
        if (folder / ENSEMBLE).exists():
            ensemble = load_ensemble_contract(folder)
            one = ensemble.member_folder(folder, next(iter(ensemble.members)))
            raise GliosegError(
                f"{folder} is a model of {len(ensemble.members)} networks",
                expected="one network",
                remedy=f"Name one of them, as {one.resolve()}",
            )
        raise GliosegError(
            f"{folder} is no model bundle",
            expected=f"a folder with {WEIGHTS}, {CONTRACT} and {CARD}",
            found="no such folder" if not folder.is_dir() else f"no {CONTRACT}",
        )
    return _read(folder / CONTRACT, Contract)


def load_ensemble_contract(folder: Path) -> EnsembleContract:
    """Read ``ensemble.json``.

    Raises:
        GliosegError: If it is missing or damaged.
    """
    return _read(folder / ENSEMBLE, EnsembleContract)


def save_ensemble(folder: Path, contract: EnsembleContract, card: str) -> None:
    """Write what makes bundles in folders of this one a model; the contract comes last.

    Raises:
        GliosegError: If a file cannot be written.
    """
    write_text_atomically(folder / CARD, card)
    write_text_atomically(folder / ENSEMBLE, contract.model_dump_json(indent=2) + "\n")


_Kind = TypeVar("_Kind", Contract, EnsembleContract)


def _read(path: Path, kind: type[_Kind]) -> _Kind:
    try:
        return kind.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise BadFileError(path, f"is damaged at {fault_in_words(error)}", remedy=DAMAGED) from error
    except (OSError, ValueError, RecursionError) as error:
        raise BadFileError(path, f"cannot be read: {error}", remedy=DAMAGED) from error


def check_exported(folder: Path, contract: Contract, graph: str | None = None) -> Exported:
    """What the contract says of an exported model, once its files have been found to be those it describes.

    Args:
        folder: Of the bundle.
        contract: Its contract.
        graph: The graph that is used: :data:`MODEL_INT8` holds its own weights, and nothing else needs it. All files
            are looked at if None.

    Raises:
        GliosegError: If the contract knows of no export, or a file is missing or another one.
    """
    if contract.exported is None:
        raise GliosegError(f"{folder / CONTRACT} describes no exported model", remedy=DAMAGED)
    for name, expected in contract.exported.files_sha256.items():
        if graph is not None and (name == MODEL_INT8) != (graph == MODEL_INT8):
            continue
        path = folder / name
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise BadFileError(path, f"cannot be read: {error.strerror}", remedy=DAMAGED) from error
        if found != expected:
            raise BadFileError(path, f"is not the file that {CONTRACT} describes", remedy=DAMAGED)
    return contract.exported
