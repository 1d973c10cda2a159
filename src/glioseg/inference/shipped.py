"""The models that come with glioseg, and how a name or a path becomes one; nothing heavy is imported for it."""

from dataclasses import dataclass
from pathlib import Path

from glioseg.errors import GliosegError

MODELS_FOLDER = Path(__file__).parents[1] / "models"
_ALL = MODELS_FOLDER / "all"
DEFAULT = "unet"
MORE_MODELS = "glioseg-models"
"""The distribution of the models that the package itself does not hold."""


@dataclass(frozen=True)
class ShippedModel:
    """A model that comes with glioseg.

    Attributes:
        name: What ``--model`` takes.
        path: Its bundle.
        purpose: When to take it, in words.
    """

    name: str
    path: Path
    purpose: str

    @property
    def is_installed(self) -> bool:
        """Whether it is there; large ones come with a distribution of their own."""
        return any((self.path / name).exists() for name in ("contract.json", "ensemble.json"))


SHIPPED = {
    model.name: model
    for model in (
        ShippedModel(DEFAULT, MODELS_FOLDER / "unet-16", "the default: U-Net 16 of five folds together"),
        ShippedModel("best", _ALL, "U-Net 16, ResUNet-a 8 and ResUNet++ 16 of five folds, six times the work"),
        ShippedModel("fast", _ALL / "unet-16_fold-1", "one U-Net 16, a fifth of the work"),
        ShippedModel("resunet-a", _ALL / "resunet-a-8_fold-1", "one ResUNet-a 8"),
        ShippedModel("resunet-pp", _ALL / "resunet-pp-16_fold-1", "one ResUNet++ 16"),
    )
}


def find_model(model: str | Path = DEFAULT) -> Path:
    """The folder of a model.

    Args:
        model: A name of :data:`SHIPPED`, or the path of a bundle or an ensemble. Of two by one name the shipped one
            is taken; write ``./fast`` for the folder.

    Raises:
        GliosegError: If there is neither such a name nor such a folder, or the model of that name is not installed.

    Example:
        >>> (find_model("fast") / "contract.json").is_file()
        True
    """
    shipped = SHIPPED.get(str(model))
    if shipped is not None:
        if not shipped.is_installed:
            there = [name for name, model in SHIPPED.items() if model.is_installed]
            raise GliosegError(
                f"the model {shipped.name} is not installed",
                remedy=f"pip install {MORE_MODELS}, or take --model {' or '.join(there)}",
            )
        return shipped.path
    path = Path(model)
    if not path.is_dir():
        raise GliosegError(
            f"there is no model {model}",
            expected=f"one of {', '.join(SHIPPED)}, or a bundle's folder",
            found="no such folder" if not path.exists() else "a file",
            remedy="Train one with 'glioseg train', or leave --model out",
        )
    return path
