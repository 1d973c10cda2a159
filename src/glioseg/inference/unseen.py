"""Which part of a model has not seen a patient: what honest scores on a model's own data are made with."""

from collections import defaultdict
from pathlib import Path

from glioseg.dataset.splits import Split, load_split
from glioseg.errors import GliosegError
from glioseg.inference.contract import SPLIT
from glioseg.inference.ensemble import Ensemble
from glioseg.inference.segmenter import Segmenter


def unseen_by(model: Segmenter, folder: Path) -> dict[str, Segmenter]:
    """The patients that a model was not trained on, and for each what predicts it.

    Of an ensemble of folds those are the networks of the fold that tests the patient; the others were trained on it.

    Args:
        model: Loaded from the folder.
        folder: Holds ``split.json``, as the folders of an ensemble's members do.

    Raises:
        GliosegError: If a split file is missing or damaged.
    """
    if not isinstance(model, Ensemble):
        return dict.fromkeys(_split(folder).test, model)
    names: dict[str, list[str]] = defaultdict(list)
    splits: dict[str, Split] = {}
    for name in model.members:
        split = _split(model.contract.member_folder(folder, name))
        splits[split.sha256] = split
        names[split.sha256].append(name)
    parts: dict[str, Segmenter] = {}
    for key, split in splits.items():
        parts |= dict.fromkeys(split.test, model.part(names[key], key))
    return parts


def _split(folder: Path) -> Split:
    if not (folder / SPLIT).exists():
        raise GliosegError(
            f"{folder} does not tell which patients it has not seen",
            expected=f"{SPLIT} beside its contract",
            remedy="Make it with 'glioseg bundle'",
        )
    return load_split(folder / SPLIT)
