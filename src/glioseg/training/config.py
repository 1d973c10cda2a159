"""Every setting of a training in one tree: defaults, then a file, then the command line."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from glioseg.errors import BadOptionError, GliosegError
from glioseg.former_names import with_present_names
from glioseg.inference.contract import load_contract
from glioseg.inference.preprocessing import Preprocessing, without_head_threshold
from glioseg.inference.shipped import find_model


class _Settings(BaseModel):
    # JSON has no infinity: a configuration that holds one could not be read again.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _as_now(cls, content: Any) -> Any:
        return with_present_names(content)


class NetworkSettings(_Settings):
    """Which network, and how wide.

    Attributes:
        name: A name that ``glioseg info`` lists.
        width: Channels of the first level; null takes the published width.
        pretrained: Folder of a bundle from whose weights training starts; null starts from random ones. The bundle may
            lack ``preprocessing.context``, whose weights then start at zero.
    """

    name: str = "unet"
    width: int | None = Field(None, ge=1)
    pretrained: str | None = None


class Sampling(_Settings):
    """Which slices a batch is made of.

    Attributes:
        batch_size: Slices in a batch.
        crop_size: Rows and columns of the square that is cut out of each slice, in the slice's pixels; more where the
            network's size has to be a multiple of 8, 16 or 32, which it would otherwise pad. In use the network sees
            patches of that size, laid over the head.
        foreground_fraction: Share of a batch that is drawn from slices with tumour; the rest is drawn from all slices.
        pole_share: Share of a batch that is drawn from slices without tumour in the lowest and highest quarter of the
            scans.
        progressive_resizing_fraction: Share of the budget, at its start, in which slices are seen at half the
            resolution in crops of half the pixels. A coarse step costs a quarter, so that a short budget sees more
            patients more often.
    """

    batch_size: int = Field(16, ge=1)
    crop_size: int = Field(192, ge=16)
    foreground_fraction: float = Field(0.6, ge=0, le=1)
    pole_share: float = Field(0.0, ge=0, le=1)
    progressive_resizing_fraction: float = Field(0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if self.foreground_fraction + self.pole_share > 1:
            raise ValueError("foreground_fraction and pole_share must not exceed 1 together")
        return self


class Augmentation(_Settings):
    """How slices are varied; every amount is the largest, drawn anew for each slice.

    Attributes:
        flip: Probability of a left-right flip.
        rotation_degrees: Rotation to either side.
        scale: Smallest and largest magnification.
        shift_pixels: How far the middle of the crop lies from the middle of the slice, along rows and columns.
        brightness: Added to normalised intensities, for each sequence.
        contrast: Share by which normalised intensities are spread or drawn together, for each sequence.
        gamma: Exponent, as a share around 1, applied to intensities between 0 and 1.
        histogram_warp: How far a random rising curve of eight straight pieces bends the intensities of each sequence:
            half the natural logarithm of the greatest factor between two of its slopes.
        random_convolution: Probability that a slice is mixed with its convolution by random kernels of 3 x 3 pixels,
            one for each sequence, which changes contrast and texture (Xu 2021, section 3).
        noise: Standard deviation of Gaussian noise on normalised intensities.
        sequence_dropout: Probability that post, or pre and post, are filled by the FLAIR, as in the patients who
            lack them.
        skull_stripping: Probability that skull and scalp are taken off, as archives do.
        skull_stripping_px: Least and greatest depth in pixels that is taken off where it is not the brain alone that is
            kept.
        bias_field: How far a smooth field, as of a coil, brightens or darkens parts of a slice: the natural logarithm
            of its greatest factor.
        low_resolution: Probability that a slice is seen at a lower resolution.
        lowest_resolution: Share of the pixels along rows and columns that is left at the least.
        slice_thickness: Probability that a slice is mixed with the one after it, as a thicker slice and one between the
            two would show them.
        hard_negatives: Probability of each of four changes: lesions that are no tumour, on a slice without tumour; a
            part brightened by a coil; a ghost of motion; a slice brighter than its neighbours.
        context_dropout: Probability that a slice stands in for those beside it, where ``preprocessing.context`` shows
            them.
    """

    flip: float = Field(0.5, ge=0, le=1)
    rotation_degrees: float = Field(20.0, ge=0, le=180)
    scale: tuple[float, float] = (0.78, 1.28)
    shift_pixels: float = Field(40.0, ge=0)
    brightness: float = Field(0.3, ge=0)
    contrast: float = Field(0.25, ge=0, lt=1)
    gamma: float = Field(0.25, ge=0, lt=1)
    histogram_warp: float = Field(0.0, ge=0, le=3)
    random_convolution: float = Field(0.0, ge=0, le=1)
    noise: float = Field(0.15, ge=0)
    sequence_dropout: float = Field(0.3, ge=0, le=1)
    skull_stripping: float = Field(0.0, ge=0, le=1)
    skull_stripping_px: tuple[Annotated[int, Field(ge=1, le=100)], Annotated[int, Field(ge=1, le=100)]] = (8, 22)
    bias_field: float = Field(0.0, ge=0, le=2)
    low_resolution: float = Field(0.0, ge=0, le=1)
    lowest_resolution: float = Field(0.4, gt=0, le=1)
    slice_thickness: float = Field(0.0, ge=0, le=1)
    hard_negatives: float = Field(0.0, ge=0, le=1)
    context_dropout: float = Field(0.1, ge=0, le=1)

    @model_validator(mode="after")
    def _scale_is_a_range(self) -> Self:
        if not 0 < self.scale[0] <= self.scale[1]:
            raise ValueError("scale must be two positive numbers, the smaller first")
        return self

    @model_validator(mode="after")
    def _skull_stripping_is_a_range(self) -> Self:
        if self.skull_stripping_px[0] > self.skull_stripping_px[1]:
            raise ValueError("skull_stripping_px must be two numbers, the smaller first")
        return self


class Optimisation(_Settings):
    """AdamW with warm-up and cosine decay, and an average of the weights.

    Attributes:
        learning_rate: The highest, after warm-up.
        weight_decay: Decoupled decay of AdamW.
        warmup_share: Share of the budget over which the learning rate rises.
        final_share: Share of the highest learning rate that is left at the end.
        clip_norm: Gradients are scaled down to this norm.
        region_loss: What is added to cross-entropy; ResUNet-a keeps the loss of its paper.
        ema_decay: Decay of the exponential moving average of the weights, which is what validates and ships.
    """

    learning_rate: float = Field(2e-3, gt=0)
    weight_decay: float = Field(1e-2, ge=0)
    warmup_share: float = Field(0.05, ge=0, lt=1)
    final_share: float = Field(0.01, ge=0, le=1)
    clip_norm: float = Field(1.0, gt=0)
    region_loss: Literal["dice", "focal_tversky"] = "dice"
    ema_decay: float = Field(0.995, ge=0, lt=1)


class Distillation(_Settings):
    """What trained networks say of the training patients becomes a part of what the network shall answer.

    Attributes:
        teacher: Folder of a model, of whose networks those teach that were trained on nobody whom the run holds back;
            null for none.
        weight: Share of their mean probability in the target; the rest is the mask's.
    """

    teacher: str | None = None
    weight: float = Field(0.5, ge=0, le=1)


class Budget(_Settings):
    """When training ends: exactly one of the three.

    Attributes:
        epochs: Passes over as many slices as the training patients have.
        steps: Batches.
        minutes: Minutes of this machine, spent on training steps. The schedule follows the clock, so that such
            a run cannot be repeated bit for bit.
    """

    epochs: int | None = Field(None, ge=1)
    steps: int | None = Field(None, ge=1)
    minutes: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [name for name in ("epochs", "steps", "minutes") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of epochs, steps and minutes, not {' and '.join(given) or 'none'}")
        return self


class Validation(_Settings):
    """When the validation patients are predicted during training.

    Attributes:
        every_epochs: Epochs from one validation to the next; the last epoch is always validated.
        flip: Whether prediction averages a slice and its left-right mirror image; goes into the contract.
        through_plane_smoothing: Weight of each of the two slices beside a slice in its probabilities; goes into the
            contract.
        domain_shift: Whether the validation patients are also predicted, at the end, as external scans: stripped,
            turned, in another size and contrast, with fewer sequences. ``RUN/stand_in.json`` holds the scores.
    """

    every_epochs: int = Field(5, ge=1)
    flip: bool = True
    through_plane_smoothing: float = Field(0.1, ge=0, lt=1 / 3)
    domain_shift: bool = False


def _number_as_text(value: Any) -> Any:
    return str(value) if type(value) is int else value


class Machine(_Settings):
    """Where and how the arithmetic is done.

    Attributes:
        device: ``auto`` takes the GPU where there is one.
        precision: ``auto`` takes bfloat16 where the device computes it in hardware, and float32 elsewhere.
        deterministic: Ask PyTorch for deterministic algorithms, on a GPU at some cost of speed.
        compile: Let PyTorch compile network and loss into fewer, larger kernels; the first step then takes a minute.
        tensorboard: Write TensorBoard files too; needs the extra of that name.
        devices: How many of each node train one network together; each sees some slices of every batch.
        nodes: How many machines do; torchrun or srun starts them.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    # A file or the command line gives 32 as a number.
    precision: Annotated[Literal["auto", "32", "bf16"], BeforeValidator(_number_as_text)] = "auto"
    deterministic: bool = False
    compile: bool = False
    tensorboard: bool = False
    devices: int = Field(1, ge=1)
    nodes: int = Field(1, ge=1)

    @property
    def processes(self) -> int:
        """How many processes train one network."""
        return self.devices * self.nodes


class TrainingConfig(_Settings):
    """The whole tree; ``config.json`` in a run's folder holds it as it was in effect."""

    seed: int = Field(0, ge=0)
    network: NetworkSettings = NetworkSettings()
    preprocessing: Preprocessing = Preprocessing()
    sampling: Sampling = Sampling()
    augmentation: Augmentation = Augmentation()
    optimisation: Optimisation = Optimisation()
    distillation: Distillation = Distillation()
    budget: Budget = Budget(epochs=60)
    validation: Validation = Validation()
    machine: Machine = Machine()

    @property
    def batch_in_words(self) -> str:
        """What a step sees, for reports."""
        seen = "" if self.preprocessing.downsampling_factor == 1 else ", seen at half the resolution"
        return f"{self.sampling.batch_size} crops of {self.sampling.crop_size} pixels{seen}"


def load_config(
    file: Path | None = None, assignments: Iterable[str] = (), *, pretrained: Path | None = None
) -> TrainingConfig:
    """Build the configuration: defaults, then those of a bundle to go on from, then a file, then assignments.

    Args:
        file: JSON or TOML with any part of the tree.
        assignments: Each ``section.key=value``, as ``optimisation.learning_rate=1e-3``; values as in JSON.
        pretrained: A bundle whose weights training starts from. Network and preprocessing are its own, and the
            schedule is short: a quarter of the usual learning rate, a quarter of the epochs.

    Raises:
        GliosegError: If a key is unknown (the message offers the nearest), a value is not allowed, or the bundle is
            unusable.
    """
    tree = TrainingConfig().model_dump()
    if pretrained is not None:
        _merge(tree, _going_on(pretrained), str(pretrained))
    if file is not None:
        _merge(tree, _read(file), str(file))
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise BadOptionError(f"--set {assignment} has no value", expected="section.key=value")
        _merge(tree, _nested(key.strip(), _value(value.strip())), f"--set {assignment}")
    try:
        return TrainingConfig.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if isinstance(part, str)) or "the configuration"
        raise GliosegError(
            f"setting {where} is not allowed",
            expected=first["msg"].removeprefix("Input should be "),
            found=repr(first["input"]),
        ) from None


def _going_on(model: Path) -> dict[str, Any]:
    bundle = find_model(model)
    contract, usual = load_contract(bundle), TrainingConfig()
    return {
        "network": {"name": contract.network, "width": contract.width, "pretrained": str(bundle.resolve())},
        "preprocessing": contract.preprocessing.model_dump(),
        "optimisation": {"learning_rate": usual.optimisation.learning_rate / 4},
        "budget": {"epochs": (usual.budget.epochs or 4) // 4},
    }


def save_config(config: TrainingConfig) -> str:
    """The effective configuration as JSON text."""
    return config.model_dump_json(indent=2) + "\n"


def _read(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
        content = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise GliosegError(f"{file} cannot be read", expected="JSON, or TOML named .toml", found=str(error)) from error
    if not isinstance(content, dict):
        raise GliosegError(f"{file} is no configuration", expected="sections with keys", found=type(content).__name__)
    if "preprocessing" in content:
        content["preprocessing"] = without_head_threshold(content["preprocessing"])
    return content


def _value(text: str) -> Any:
    """A value as JSON writes it; anything else is a plain string."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _nested(key: str, value: Any) -> dict[str, Any]:
    for name in reversed(key.split(".")):
        value = {name: value}
    return dict(value)


def _merge(tree: dict[str, Any], changes: Mapping[str, Any], origin: str, path: str = "") -> None:
    """Lay changes over the tree, in place. The budget is replaced whole, since its keys exclude each other."""
    for key, value in with_present_names(changes).items():
        name = f"{path}{key}"
        if key not in tree:
            near = get_close_matches(key, tree, n=1)
            raise GliosegError(
                f"{origin}: there is no setting {name!r}",
                expected=f"one of {', '.join(tree)}",
                remedy=f"Use {path + near[0]!r}, the nearest name" if near else None,
            )
        if isinstance(tree[key], dict) and isinstance(value, Mapping):
            if name == "budget":
                tree[key] = dict.fromkeys(tree[key])
            _merge(tree[key], value, origin, f"{name}.")
        else:
            tree[key] = value
