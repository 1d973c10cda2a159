"""The networks that a model is made of: read from finished runs, from bundles and from ensembles."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from glioseg.atomic import check_writable, clear_unfinished
from glioseg.dataset.splits import Split, load_split
from glioseg.dataset.store import ArrayStore
from glioseg.errors import GliosegError
from glioseg.inference.bundle import load_bundle
from glioseg.inference.contract import CONTRACT, ENSEMBLE, SPLIT, Contract, load_ensemble_contract
from glioseg.study.plan import fold_name
from glioseg.training.run_folder import RunFolder


@dataclass(frozen=True)
class Member:
    """A trained network, what it needs, who trained it, and the folder that it was read from."""

    network: nn.Module
    contract: Contract
    split: Split
    folder: Path


@dataclass(frozen=True)
class Fold:
    """The members of one split.

    Attributes:
        split: Who trained, chose and is tested.
        names: The members' names.
    """

    split: Split
    names: tuple[str, ...]


def read_members(folders: Sequence[Path]) -> dict[str, Member]:
    """Read networks and give each the name of its folder in the model, as ``unet-16`` or ``unet-16_fold-4``.

    Args:
        folders: Finished runs, bundles that ``glioseg bundle`` has made, and ensembles, whose members are taken.

    Raises:
        GliosegError: If a folder is none of these or damaged, or a split holds no test patients.
    """
    found = [member for folder in folders for member in _members(folder)]
    if not found:
        raise GliosegError("no run is given", expected="the folder of one finished run or more")
    several = len({member.split.sha256 for member in found}) > 1
    members: dict[str, Member] = {}
    for member in found:
        name = f"{member.contract.network}-{member.contract.width}"
        if several:
            name = f"{name}_{fold_name(member.split)}"
        alike = sum(other == name or other.startswith(f"{name}-") for other in members)
        members[f"{name}-{alike + 1}" if alike else name] = member
    return members


def read_refit(folder: Path) -> Member:
    """Read the network of a finished run that held no patient back.

    Raises:
        GliosegError: If the folder is no finished run, or its split holds test patients.
    """
    run = RunFolder(folder)
    if not run.scores.exists():
        raise GliosegError(f"{folder} is no finished run", remedy="Give what 'glioseg train' has finished")
    split = load_split(run.split)
    if split.test:
        raise GliosegError(
            f"{folder} has test patients of its own", found=f"split {split.name!r}", remedy="Leave --siblings out"
        )
    return Member(*load_bundle(run.bundle), split, run.bundle)


def folds_of(members: Mapping[str, Member]) -> tuple[Fold, ...]:
    """Put members of one split together.

    Raises:
        GliosegError: If a patient is tested by two splits: no score would say which of the two it came from.
    """
    names: dict[str, list[str]] = {}
    splits: dict[str, Split] = {}
    for name, member in members.items():
        splits[member.split.sha256] = member.split
        names.setdefault(member.split.sha256, []).append(name)
    tested: dict[str, str] = {}
    for split in splits.values():
        for patient in split.test:
            if patient in tested:
                raise GliosegError(
                    f"{patient} is tested by {tested[patient]!r} and by {split.name!r}",
                    expected="runs of one split, or of the folds of one cross-validation",
                    remedy="Make a model of each split",
                )
            tested[patient] = split.name
    return tuple(Fold(split, tuple(names[key])) for key, split in splits.items())


def architecture_of(name: str) -> str:
    """A member's name without its fold: unet-16_fold-4 and unet-16_fold-0 are one kind, trained on other patients."""
    return name.partition("_")[0]


def check_new(out: Path) -> None:
    """Refuse a folder that holds something, or that cannot be written; take away what a killed command left beside it.

    A model takes its folder's name when it is finished, which no folder can take that somebody works in.
    """
    check_writable(out.absolute().parent, file=out)
    clear_unfinished(out.absolute().parent, out.name)
    if out.exists() and not out.is_dir():
        raise GliosegError(f"{out} is a file", remedy="Name a new folder")
    if out.exists() and any(out.iterdir()):
        raise GliosegError(f"{out} is not empty", remedy="Name a new folder")
    if out.exists() and (out.is_mount() or out.samefile(Path.cwd())):
        raise GliosegError(f"{out} cannot be replaced", remedy="Name a new folder")


def check_same_data(member: Member, store: ArrayStore) -> None:
    """Refuse data other than a network was trained on."""
    if member.contract.data_fingerprint != store.fingerprint:
        raise GliosegError("the data is other than the runs were trained on", remedy="Give the same folder")


def shared_folder(members: Mapping[str, Member], out: Path) -> Path:
    """The ensemble beside a new model that holds all of its members.

    Raises:
        GliosegError: If they lie elsewhere, apart, or under other names.
    """
    folders = {member.folder.resolve().parent for member in members.values()}
    names = {member.folder.resolve().name for member in members.values()}
    folder = folders.pop()
    if folders or folder.parent != out.resolve().parent or names != members.keys() or len(names) < 2:
        raise GliosegError(
            f"{out} cannot share these networks",
            expected="two or more of the members of one ensemble, in a folder beside it",
            found=", ".join(str(member.folder) for member in members.values()),
            remedy="Leave --shared out, and they are copied",
        )
    return folder


def _members(folder: Path) -> Iterator[Member]:
    run = RunFolder(folder)
    if (folder / ENSEMBLE).exists():
        contract = load_ensemble_contract(folder)
        for place in (contract.member_folder(folder, name) for name in contract.members):
            yield _member(place, place / SPLIT)
    elif (folder / CONTRACT).exists():
        yield _member(folder, folder / SPLIT)
    elif run.scores.exists():
        yield _member(run.bundle, run.split)
    else:
        raise GliosegError(
            f"{folder} is no finished run",
            remedy="Give what 'glioseg train' or 'study' has finished, or models that 'glioseg bundle' has made",
        )


def _member(bundle: Path, split_file: Path) -> Member:
    split = load_split(split_file)
    if not split.test:
        raise GliosegError(
            f"split {split.name!r} holds no test patients to score",
            remedy="Train with --folds, or name with --siblings networks of the same recipe that held patients back",
        )
    return Member(*load_bundle(bundle), split, bundle)
