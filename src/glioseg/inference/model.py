"""A model ready for use: one network or several, and one decision that makes a mask of what they find.

On disk it is a bundle; or a folder with ``ensemble.json``, ``card.md``, and a bundle in a folder for each network, or
with networks that lie in a model beside it, so that no weights lie there twice. Networks may come from several folds of
cross-validation: all of them predict a new scan, and those of one fold the patients that this fold has held back.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from glioseg.dataset.splits import Split, load_split
from glioseg.errors import GliosegError
from glioseg.head import FOREGROUND_THRESHOLD, no_head
from glioseg.inference.backends import Backend, BackendName, Device, load_backend
from glioseg.inference.contract import (
    DAMAGED,
    ENSEMBLE,
    SPLIT,
    Contract,
    EnsembleContract,
    load_contract,
    load_ensemble_contract,
)
from glioseg.inference.evidence import find_evidence
from glioseg.inference.out_of_distribution import check_distribution, image_features
from glioseg.inference.postprocessing import Decision, binarise, calibrated, expected_dice
from glioseg.inference.prediction import Extent, Side, batches, predict_batches, side_shown
from glioseg.inference.presence import Finding
from glioseg.machine import Precision
from glioseg.networks.table import find_network
from glioseg.volume import Mask, Volume


@dataclass(frozen=True)
class Network:
    """A trained network ready to compute.

    Attributes:
        backend: It with its weights.
        contract: What it needs.
        folder: Its bundle; None where it was not read from one.
    """

    backend: Backend
    contract: Contract
    folder: Path | None = None

    @property
    def title(self) -> str:
        """The network in words, as "U-Net 32"."""
        return find_network(self.contract.network).titled(self.contract.width)

    @property
    def model(self) -> "Model":
        """A model of this network alone."""
        return Model({"": self})

    @property
    def uncalibrated(self) -> "Model":
        """A model of this network alone, with its probabilities as they are."""
        contract = self.contract.model_copy(update={"temperature": 1.0})
        return Model({"": Network(self.backend, contract, self.folder)})

    def split(self) -> Split:
        """Whom it was trained on.

        Raises:
            GliosegError: If no split lies in its folder, or a damaged one.
        """
        if self.folder is None or not (self.folder / SPLIT).exists():
            raise GliosegError(
                f"{self.folder or self.title} does not tell which patients it has not seen",
                expected=f"{SPLIT} beside its contract",
                remedy="Make it with 'glioseg bundle'",
            )
        return load_split(self.folder / SPLIT)


@dataclass(frozen=True)
class Prediction:
    """What a model finds in a scan.

    Attributes:
        volume: The scan as it was read.
        probabilities: Of tumour at each of its voxels, shape (slice, row, column), 0 to 1.
        mask: Of the tumour, on the same grid.
        remarks: What a reader of the result should know, a sentence each.
        finding: Whether there is a tumour at all; None where the model does not tell.
        candidate: What the mask would have been, where it is empty because there is no tumour.
        preparation: What was read and how it was fitted, a sentence each; no reason to look twice.
    """

    volume: Volume
    probabilities: NDArray[np.float32] = field(repr=False)
    mask: Mask
    remarks: tuple[str, ...] = ()
    finding: Finding | None = None
    candidate: Mask | None = None
    preparation: tuple[str, ...] = ()

    @property
    def expected_dice(self) -> float | None:
        """The Dice that the model expects of the mask; None for an empty one."""
        return expected_dice(self.probabilities, self.mask.voxels)

    def judged(self, finding: Finding | None) -> "Prediction":
        """With the decision whether there is a tumour: where there is none, the mask is emptied."""
        if finding is None or finding.presence != "none" or not self.mask.voxels.any():
            return replace(self, finding=finding)
        empty = replace(self.mask, voxels=np.zeros_like(self.mask.voxels))
        return replace(self, mask=empty, candidate=self.mask, finding=finding)


class Model:
    """One network or several: the mean of their probabilities, and one rule that cuts the mask.

    Args:
        networks: By the name of their folder.
        contract: How the answers of several become one; None for one network, whose own contract says all.
    """

    def __init__(self, networks: Mapping[str, Network], contract: EnsembleContract | None = None) -> None:
        self.networks = dict(networks)
        self.contract = contract
        self.presence = (contract or self.first.contract).presence

    @classmethod
    def of(cls, backend: Backend, contract: Contract) -> Self:
        """A model of one network in memory."""
        return cls({"": Network(backend, contract)})

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        backend: BackendName | Literal["auto"] = "auto",
        device: Device = "auto",
        precision: Precision = "auto",
    ) -> Self:
        """Load a model.

        Args:
            folder: Of a bundle, or with ``ensemble.json``.
            backend: What computes; the fastest that is installed and for which there is a file, if ``auto``.
            device: Where to compute.
            precision: Arithmetic of the convolutions.

        Raises:
            GliosegError: As :func:`glioseg.inference.backends.load_backend`; or if the folder is no model, a file is
                damaged, or a network is another than the model was made of.

        Example:
            >>> from glioseg.dataset.phantom import make_phantom
            >>> from glioseg.inference.shipped import find_model
            >>> model = Model.load(find_model("fast"))
            >>> volume, truth = make_phantom(seed=1, size=96, slices=10)
            >>> found = model.predict(volume)
            >>> found.mask.voxels.shape, found.probabilities.dtype
            ((10, 96, 96), dtype('float32'))
        """
        contract = load_ensemble_contract(folder) if (folder / ENSEMBLE).exists() else None
        names = {"": folder} if contract is None else {n: contract.member_folder(folder, n) for n in contract.members}
        networks = {}
        for name, place in names.items():
            own = load_contract(place)
            computing = load_backend(place, own, backend, device=device, precision=precision)
            if contract is not None and own.weights_sha256 != contract.members[name]:
                raise GliosegError(f"{place} is not the network that {ENSEMBLE} names", remedy=DAMAGED)
            networks[name] = Network(computing, own, place)
        return cls(networks, contract)

    @property
    def first(self) -> Network:
        """The first network, or the only one."""
        return next(iter(self.networks.values()))

    @property
    def decision(self) -> Decision:
        """How the mean of the networks' calibrated probabilities becomes a mask."""
        return self.contract or Decision(postprocessing=self.first.contract.postprocessing)

    @property
    def title(self) -> str:
        """The networks in words; one that comes from several folds stands there once."""
        titles = [network.title for network in self.networks.values()]
        if len(self._splits) == 1:
            return joined(titles)
        return joined(
            [f"{title} ({number} folds)" if number > 1 else title for title, number in Counter(titles).items()]
        )

    @property
    def identity(self) -> str:
        """Hash of the weights; of several networks of their hashes."""
        return _one_hash([network.contract.weights_sha256 for network in self.networks.values()])

    @property
    def split_sha256(self) -> str:
        """Hash of the split that all networks were trained under; of all hashes where they differ."""
        return _one_hash(self._splits)

    @property
    def _splits(self) -> list[str]:
        return list(dict.fromkeys(network.contract.split_sha256 for network in self.networks.values()))

    def without_presence(self) -> "Model":
        """The same model, which gives masks alone."""
        masks_alone = Model(self.networks, self.contract)
        masks_alone.presence = None
        return masks_alone

    def subset(self, names: Sequence[str], split_sha256: str) -> "Model":
        """Some networks by themselves, with what was decided for them.

        Args:
            names: The networks.
            split_sha256: Their common split.
        """
        found = self.networks[names[0]].model if len(names) == 1 else self._several(names, split_sha256)
        found.presence = self.presence
        return found

    def _several(self, names: Sequence[str], split_sha256: str) -> "Model":
        assert self.contract is not None
        decision = self.contract.folds.get(split_sha256, self.contract)
        contract = EnsembleContract(
            members={name: self.contract.members[name] for name in names},
            temperature=decision.temperature,
            postprocessing=decision.postprocessing,
            flips_in_turn=self.contract.flips_in_turn,
            crop_to_head=self.contract.crop_to_head,
        )
        return Model({name: self.networks[name] for name in names}, contract)

    def out_of_fold(self) -> dict[str, "Model"]:
        """The patients that the model was not trained on, and for each what predicts it.

        Of networks of several folds those are the networks of the fold that tests the patient; the others were trained
        on it. For a network that was trained on every patient its siblings stand. What honest scores on a model's own
        data are made with.

        Raises:
            GliosegError: If a network's split or its siblings are missing or damaged.
        """
        siblings = self._siblings
        if siblings is not None:
            if not siblings.is_dir():
                raise GliosegError(
                    "the model alone cannot tell patients that it has not seen",
                    expected=f"the networks that held patients back in {siblings.resolve()}",
                    remedy="pip install glioseg-models for a model that comes with glioseg, or copy that folder too",
                )
            known = Model.load(siblings)
            known.presence = self.presence
            return known.out_of_fold()
        names: dict[str, list[str]] = defaultdict(list)
        splits: dict[str, Split] = {}
        for name, network in self.networks.items():
            split = network.split()
            splits[split.sha256] = split
            names[split.sha256].append(name)
        by_patient: dict[str, Model] = {}
        for key, split in splits.items():
            by_patient |= dict.fromkeys(split.test, self.subset(names[key], key))
        return by_patient

    @property
    def _siblings(self) -> Path | None:
        """The folder of the networks that stand for the only one of this model out of fold."""
        network = self.first
        if self.contract is not None or network.folder is None or network.contract.siblings is None:
            return None
        return network.folder / network.contract.siblings

    def network_probabilities(self, volume: Volume) -> Iterator[NDArray[np.float32]]:
        """The calibrated probabilities of one network after the other.

        What networks have in common is done once for all of them: statistics, normalisation, downsampling, patches.

        Args:
            volume: The scan.

        Yields:
            Shape (slice, row, column), 0 to 1.

        Raises:
            GliosegError: If the scan lacks a channel that a network needs.
        """
        prepared: dict[Any, Any] = {}
        for network, side in zip(self.networks.values(), self._sides(), strict=True):
            contract = network.contract
            _check_channels(volume, contract)
            shared = contract.preprocessing, self._extent(contract)
            if shared not in prepared:
                found = batches(volume, *shared)
                # One network takes batch after batch, so that no more than one is held.
                prepared[shared] = list(found) if len(self.networks) > 1 else found
            # Held by no name here while the next is computed.
            yield _calibrated_in_place(
                predict_batches(
                    network.backend,
                    prepared[shared],
                    volume,
                    contract.preprocessing,
                    side,
                    contract.through_plane_smoothing,
                ),
                contract.temperature,
            )

    def _extent(self, network: Contract) -> Extent:
        """What a network sees of a slice."""
        # An export from before takes patches of one size.
        takes_any = network.exported is None or network.exported.size_px is None
        cropped = self.contract is not None and self.contract.crop_to_head and takes_any
        return "head" if cropped and find_network(network.network).fully_convolutional else network.patch_px

    def _sides(self) -> list[Side]:
        """What each network is shown."""
        own = [side_shown(network.contract) for network in self.networks.values()]
        if self.contract is None or not self.contract.flips_in_turn:
            return own
        in_turn: tuple[Side, Side] = "scan", "mirror image"
        return [in_turn[index % 2] if side == "both" else side for index, side in enumerate(own)]

    def probabilities(self, volume: Volume) -> NDArray[np.float32]:
        """Tumour probability of each voxel, shape (slice, row, column), 0 to 1; raises as
        :meth:`network_probabilities`."""
        return self.combine(self.network_probabilities(volume), overwrite=True)

    def combine(
        self, network_probabilities: Iterable[NDArray[np.float32]], *, overwrite: bool = False
    ) -> NDArray[np.float32]:
        """The model's probabilities from those of its networks, all of one shape; arguments as of :func:`mean_of`."""
        return _calibrated_in_place(mean_of(network_probabilities, overwrite=overwrite), self.decision.temperature)

    def predict(self, volume: Volume) -> Prediction:
        """Predict a scan as it lies, an image of the dataset's kind.

        Raises:
            GliosegError: If the FLAIR shows no head, of which nobody could say that it has no tumour; or as
                :meth:`network_probabilities`.
        """
        if not (volume.channel("flair") > FOREGROUND_THRESHOLD).any():
            raise no_head(volume.patient)
        probabilities = self.probabilities(volume)
        found = Prediction(volume, probabilities, self.binarise(volume, probabilities), self.check_distribution(volume))
        return found.judged(self.find_presence(volume, probabilities))

    def find_presence(
        self, volume: Volume, probabilities: NDArray[np.float32], step_mm: float | None = None
    ) -> Finding | None:
        """Whether there is a tumour; None where the model does not tell.

        Args:
            volume: The scan as the networks see it.
            probabilities: What they found there.
            step_mm: From one of its slices to the next; None where nobody knows.
        """
        if self.presence is None:
            return None
        inside = binarise(probabilities, self.decision.postprocessing)
        return self.presence.judge(find_evidence(volume, probabilities, inside, step_mm))

    def mask(self, volume: Volume) -> Mask:
        """The tumour's mask on the scan's own grid; raises as :meth:`network_probabilities`."""
        return self.binarise(volume, self.probabilities(volume))

    def binarise(self, volume: Volume, probabilities: NDArray[np.float32]) -> Mask:
        """The mask that the model's rule cuts out of probabilities on the scan's own grid."""
        inside = binarise(probabilities, self.decision.postprocessing)
        return Mask(volume.patient, inside, slice_names=volume.slice_names, affine=volume.affine)

    def check_distribution(self, volume: Volume) -> tuple[str, ...]:
        """What of a scan is unlike those of training, a sentence each; the scan as the networks see it.

        By the ranges of the first network; the others were trained on scans of the same kind.
        """
        return check_distribution(
            image_features(volume, self.first.contract.preprocessing), self.first.contract.feature_ranges
        )

    def facts(self) -> dict[str, Any]:
        """What a record of a run holds: under ``model`` the contract, and what computed it."""
        contracts = {name: network.contract.model_dump(mode="json") for name, network in self.networks.items()}
        if self.contract is None:
            (model,) = contracts.values()
        else:
            model = {**self.contract.model_dump(mode="json"), "networks": contracts}
        backend = self.first.backend
        return {"model": model, "backend": backend.name, "device": backend.device, "precision": backend.precision}


def _check_channels(volume: Volume, contract: Contract) -> None:
    if volume.channels != contract.channels:
        raise GliosegError(
            f"patient {volume.patient} does not fit the model",
            expected=f"channels {', '.join(contract.channels)}",
            found=", ".join(volume.channels),
        )


def _one_hash(hashes: Sequence[str]) -> str:
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def mean_of(found: Iterable[NDArray[np.float32]], *, overwrite: bool = False) -> NDArray[np.float32]:
    """The mean of several networks' probabilities, all of one shape; one after the other, so that memory holds two.

    Of one network it is the very array.

    Args:
        found: The probabilities.
        overwrite: Whether the mean may take the first one's place in memory.
    """
    others = iter(found)
    total, count = next(others), 1
    while (other := next(others, None)) is not None:
        total = np.add(total, other, out=total if overwrite or count > 1 else None)
        # Not held while the next is computed.
        del other
        count += 1
    return total if count == 1 else np.divide(total, np.float32(count), out=total)


def _calibrated_in_place(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    return calibrated(probabilities, temperature, out=probabilities)


def joined(words: Sequence[str]) -> str:
    """Words as a list in a sentence."""
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)
