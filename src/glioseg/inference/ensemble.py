"""Several networks as one model: the mean of their probabilities, and one rule that cuts the mask.

An ensemble on disk is a folder with ``ensemble.json``, ``card.md``, and a bundle in a folder for each member; or it
shares members of an ensemble beside it, so that no weights lie there twice. Members may come from several folds of
cross-validation: all of them predict a new scan, and those of one fold the patients that this fold has held back.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from glioseg.atomic import write_text_atomically
from glioseg.errors import GliosegError
from glioseg.inference.backends import BackendName, BackendPrecision, Device
from glioseg.inference.calibration import calibrated
from glioseg.inference.contract import CARD, DAMAGED
from glioseg.inference.postprocessing import Postprocessing
from glioseg.inference.predictor import Predictor, mask_on_grid
from glioseg.inference.segmenter import Segmenter
from glioseg.volume import Mask, Volume

ENSEMBLE = "ensemble.json"


_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"


def _folder_name(name: str) -> str:
    if not re.fullmatch(_NAME, name):
        raise ValueError("a member is the name of a folder, without a path")
    return name


def _here_or_beside(path: str) -> str:
    if not re.fullmatch(rf"\.|\.\./{_NAME}", path):
        raise ValueError("members lie here (.) or in a folder beside this one (../NAME)")
    return path


class Decision(BaseModel):
    """How an answer becomes a mask.

    Attributes:
        temperature: Divides the logit of the members' mean probability.
        postprocessing: How the mask is cut out of the probabilities.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float = Field(1.0, gt=0, allow_inf_nan=False)
    postprocessing: Postprocessing = Postprocessing()


class EnsembleContract(Decision):
    """What an ensemble is made of, and how its answer becomes a mask.

    Attributes:
        bundle_format: Version of the folder's layout.
        members: For the folder of each member the hash of its weights.
        members_in: Where these folders lie: ``.``, or ``../NAME`` for those of an ensemble beside this one.
        folds: Where members come from several splits, what the members of one decide together, by the split's hash.
    """

    bundle_format: Literal[1] = 1
    members: dict[Annotated[str, AfterValidator(_folder_name)], str] = Field(min_length=2)
    members_in: Annotated[str, AfterValidator(_here_or_beside)] = "."
    folds: dict[str, Decision] = {}

    def member_folder(self, folder: Path, name: str) -> Path:
        """Where a member of the ensemble in a folder lies."""
        return folder / self.members_in / name


class Ensemble:
    """Several networks ready for use.

    Args:
        members: By the name of their folder.
        contract: How their answers become one.
    """

    def __init__(self, members: dict[str, Predictor], contract: EnsembleContract) -> None:
        self.members = members
        self.contract = contract

    @classmethod
    def from_folder(
        cls,
        folder: Path,
        *,
        backend: BackendName | Literal["auto"] = "auto",
        device: Device = "auto",
        precision: BackendPrecision = "auto",
    ) -> Self:
        """Load an ensemble.

        Raises:
            GliosegError: If a file is missing or damaged, or a member is another than the ensemble was made of.
        """
        contract = load_ensemble_contract(folder)
        members = {}
        for name, weights_sha256 in contract.members.items():
            place = contract.member_folder(folder, name)
            member = Predictor.from_bundle(place, backend=backend, device=device, precision=precision)
            if member.identity != weights_sha256:
                raise GliosegError(f"{place} is not the network that {ENSEMBLE} names", remedy=DAMAGED)
            members[name] = member
        return cls(members, contract)

    @property
    def title(self) -> str:
        """The members in words; a network that comes from several folds stands there once."""
        titles = [member.title for member in self.members.values()]
        if len({member.split_sha256 for member in self.members.values()}) == 1:
            return joined(titles)
        return joined(
            [f"{title} ({number} folds)" if number > 1 else title for title, number in Counter(titles).items()]
        )

    def part(self, names: Sequence[str], split_sha256: str) -> Segmenter:
        """Some members by themselves, with what was decided for them.

        Args:
            names: The members' folders.
            split_sha256: Their common split.
        """
        members = {name: self.members[name] for name in names}
        if len(members) == 1:
            return members[names[0]]
        decision = self.contract.folds.get(split_sha256, self.contract)
        hashes = {name: self.contract.members[name] for name in names}
        settings = {"temperature": decision.temperature, "postprocessing": decision.postprocessing}
        return Ensemble(members, EnsembleContract(members=hashes, **settings))

    @property
    def identity(self) -> str:
        """Hash of the members' hashes."""
        return hashlib.sha256("".join(member.identity for member in self.members.values()).encode()).hexdigest()

    @property
    def split_sha256(self) -> str:
        """Hash of the split that all members were trained under; of all hashes where they differ."""
        hashes = dict.fromkeys(member.split_sha256 for member in self.members.values())
        return next(iter(hashes)) if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()

    @property
    def head_above(self) -> float:
        """The first member's."""
        return self._first.head_above

    def probabilities(self, volume: Volume) -> NDArray[np.float32]:
        """The members' mean; raises as :meth:`glioseg.inference.predictor.Predictor.probabilities`."""
        return self.combine(member.probabilities(volume) for member in self.members.values())

    def combine(self, found: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
        """The ensemble's probabilities from those of its members, all of one shape."""
        return calibrated(mean_of(found), self.contract.temperature)

    def mask(self, volume: Volume) -> Mask:
        """The tumour's mask on the scan's own grid; raises as :meth:`probabilities`."""
        return self.cut(volume, self.probabilities(volume))

    def cut(self, volume: Volume, probabilities: NDArray[np.float32]) -> Mask:
        """The mask that the ensemble's rule cuts out of probabilities on the scan's own grid."""
        return mask_on_grid(volume, probabilities, self.contract.postprocessing)

    def unfamiliar(self, volume: Volume) -> tuple[str, ...]:
        """By the ranges of the first member, which was trained on the same scans."""
        return self._first.unfamiliar(volume)

    def facts(self) -> dict[str, Any]:
        """As :meth:`glioseg.inference.segmenter.Segmenter.facts`."""
        networks = {name: member.facts()["model"] for name, member in self.members.items()}
        return {**self._first.facts(), "model": {**self.contract.model_dump(mode="json"), "networks": networks}}

    @property
    def _first(self) -> Predictor:
        return next(iter(self.members.values()))


def mean_of(found: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The mean of several networks' probabilities, all of one shape; one after the other, so that memory holds two."""
    parts = iter(found)
    total, count = next(parts).copy(), 1
    for part in parts:
        total += part
        count += 1
    total /= np.float32(count)
    return total


def save_ensemble(folder: Path, contract: EnsembleContract, card: str) -> None:
    """Write what makes bundles in folders of this one an ensemble; the contract comes last.

    Raises:
        GliosegError: If a file cannot be written.
    """
    write_text_atomically(folder / CARD, card)
    write_text_atomically(folder / ENSEMBLE, contract.model_dump_json(indent=2) + "\n")


def load_ensemble_contract(folder: Path) -> EnsembleContract:
    """Read ``ensemble.json``.

    Raises:
        GliosegError: If it is missing or damaged.
    """
    path = folder / ENSEMBLE
    try:
        return EnsembleContract.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise GliosegError(f"{path} is damaged at {where}: {first['msg']}", remedy=DAMAGED) from error
    except (OSError, ValueError) as error:
        raise GliosegError(f"{path} cannot be read: {error}", remedy=DAMAGED) from error


def joined(words: Sequence[str]) -> str:
    """Words as a list in a sentence."""
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)
