"""``glioseg bundle``: finished runs become one model for others, small, calibrated, scored, with a card."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glioseg.atomic import write_text_atomically
from glioseg.dataset.splits import Split, check_patients_present, load_split, save_split
from glioseg.dataset.store import ArrayStore, open_store
from glioseg.errors import GliosegError
from glioseg.evaluation.calibration import LogitCounts
from glioseg.evaluation.scores import PatientScores, Scores
from glioseg.evaluation.trust import Trust
from glioseg.experiment import scored
from glioseg.inference.backends.torch_backend import TorchBackend
from glioseg.inference.bundle import load_bundle, save_bundle
from glioseg.inference.calibration import calibrated
from glioseg.inference.card import write_card
from glioseg.inference.confidence import expected_dice
from glioseg.inference.contract import CARD, Contract, load_contract
from glioseg.inference.ensemble import Ensemble, EnsembleContract, mean_of, save_ensemble
from glioseg.inference.familiarity import Range
from glioseg.inference.predictor import Predictor
from glioseg.inference.segmenter import Segmenter
from glioseg.report.trust_figures import save_reliability
from glioseg.training.config import load_config
from glioseg.training.familiar_ranges import familiar_ranges
from glioseg.training.run_folder import RunFolder
from glioseg.training.selection import brain_of, choose_decision

SCORES, TRUST, RELIABILITY, SPLIT = "scores.csv", "trust.csv", "reliability.png", "split.json"


@dataclass
class _Record:
    """What a model does on the test patients, patient after patient."""

    scores: list[PatientScores] = field(default_factory=list)
    expected: dict[str, float | None] = field(default_factory=dict)
    counts: LogitCounts = field(default_factory=LogitCounts.none)

    def add(
        self,
        model: Segmenter,
        probabilities: NDArray[np.float32],
        store: ArrayStore,
        patient: str,
        brain: NDArray[np.bool_],
    ) -> None:
        mask = model.cut(store.volume(patient), probabilities)
        self.scores.append(scored(mask, store))
        self.expected[patient] = expected_dice(probabilities, mask.voxels)
        self.counts += LogitCounts.of(probabilities, store.mask(patient).voxels, brain)

    @property
    def trust(self) -> Trust:
        dice = {entry.patient: entry.values["dice"] for entry in self.scores}
        return Trust(self.expected, dice, self.counts.reliability())


@dataclass(frozen=True)
class BundleOutcome:
    """What bundling leaves.

    Attributes:
        folder: The model's folder.
        title: The model in words.
        part: On whom it was scored, in words.
        scores: There.
        trust: There.
    """

    folder: Path
    title: str
    part: str
    scores: Scores
    trust: Trust


def bundle(
    runs: Sequence[Path], data: Path, out: Path, *, say: Callable[[str], None] = lambda line: None
) -> BundleOutcome:
    """Make a model of finished runs: of one a bundle, of several an ensemble.

    Weights are kept in half precision. Temperature, threshold and component rule are chosen on the runs' validation
    patients, for each network and for all together. The test patients are predicted with what was written.

    Args:
        runs: Run folders of one split.
        data: The folder in the dataset's layout that they were trained on.
        out: A new folder.
        say: Takes a line for each step.

    Raises:
        GliosegError: If a run is unfinished, runs come from several splits, the data is other than they were trained
            on, or ``out`` holds something.
    """
    if out.exists() and any(out.iterdir()):
        raise GliosegError(f"{out} is not empty", remedy="Name a new folder")
    folders = [RunFolder(run) for run in runs]
    split, contracts, store = _common_split(folders), _by_name(folders), open_store(data)
    _check_data(store, split, contracts.values())
    places = {name: out / name if len(folders) > 1 else out for name in contracts}
    for folder, (name, contract) in zip(folders, contracts.items(), strict=True):
        familiar = contract.familiar or _familiar(folder, split, store)
        network = load_bundle(folder.bundle)[0]
        save_bundle(places[name], network, contract.model_copy(update={"familiar": familiar}), "", half=True)

    say(f"choosing temperature, threshold and component rule on {len(split.validation)} validation patients")
    together = _settle(places, split, store)
    say(f"predicting {len(split.test)} test patients")
    members = {name: Predictor.from_bundle(place, backend="torch") for name, place in places.items()}
    ensemble = None
    if together is not None:
        save_ensemble(out, together, "")
        ensemble = Ensemble(members, together)
    return _score(out, places, members, ensemble, split, store)


def _familiar(folder: RunFolder, split: Split, store: ArrayStore) -> dict[str, Range]:
    """For runs of a time when bundles had no ranges."""
    return familiar_ranges(store, split.train, load_config(folder.config))


def _common_split(folders: Sequence[RunFolder]) -> Split:
    splits = []
    for folder in folders:
        if not folder.scores.exists():
            raise GliosegError(
                f"{folder.root} is no finished run", remedy="Give folders that 'glioseg train' or 'study' has finished"
            )
        splits.append(load_split(folder.split))
    if not splits:
        raise GliosegError("no run is given", expected="the folder of one finished run or more")
    for folder, split in zip(folders, splits, strict=True):
        if split.sha256 != splits[0].sha256:
            raise GliosegError(
                f"{folder.root} was trained on another split than {folders[0].root}",
                expected="runs of one split, else patients tested by one have trained another",
            )
    if not splits[0].test:
        raise GliosegError(f"split {splits[0].name!r} holds no test patients to score", remedy="Train with --folds")
    return splits[0]


def _by_name(folders: Sequence[RunFolder]) -> dict[str, Contract]:
    """Each run's contract under the name of its folder in the ensemble, as unet-16."""
    contracts: dict[str, Contract] = {}
    for folder in folders:
        contract = load_contract(folder.bundle)
        name = f"{contract.network}-{contract.width}"
        alike = sum(other == name or other.startswith(f"{name}-") for other in contracts)
        contracts[f"{name}-{alike + 1}" if alike else name] = contract
    return contracts


def _check_data(store: ArrayStore, split: Split, contracts: Iterable[Contract]) -> None:
    check_patients_present(split, [entry.patient for entry in store.patients])
    for contract in contracts:
        if contract.data_fingerprint != store.fingerprint:
            raise GliosegError("the data is other than the runs were trained on", remedy="Give the same folder")


def _settle(places: Mapping[str, Path], split: Split, store: ArrayStore) -> EnsembleContract | None:
    """Choose how probabilities become masks and write it into the contracts of the networks.

    Returns:
        The contract of all of them together; None for one alone.
    """
    found: dict[str, list[NDArray[np.float32]]] = {patient: [] for patient in split.validation}
    hashes = {}
    for name, place in places.items():
        network, contract = load_bundle(place)
        plain = Predictor(TorchBackend(network), contract.model_copy(update={"temperature": 1.0}))
        own = {patient: plain.probabilities(store.volume(patient)) for patient in split.validation}
        temperature, rule = choose_decision(own.items(), store, plain.head_above)
        settled = contract.model_copy(update={"temperature": temperature, "postprocessing": rule})
        hashes[name] = save_bundle(place, network, settled, "", half=True).weights_sha256
        for patient, values in own.items():
            found[patient].append(calibrated(values, temperature))
    if len(places) == 1:
        return None
    combined = ((patient, mean_of(values)) for patient, values in found.items())
    temperature, rule = choose_decision(combined, store, plain.head_above)
    return EnsembleContract(members=hashes, temperature=temperature, postprocessing=rule)


def _score(
    out: Path,
    places: Mapping[str, Path],
    members: Mapping[str, Predictor],
    ensemble: Ensemble | None,
    split: Split,
    store: ArrayStore,
) -> BundleOutcome:
    """Predict the test patients, and write what each model reaches beside it."""
    records = {name: _Record() for name in members}
    whole = _Record()
    for patient in split.test:
        volume = store.volume(patient)
        brain = brain_of(store, patient, next(iter(members.values())).head_above)
        found = {name: member.probabilities(volume) for name, member in members.items()}
        for name, member in members.items():
            records[name].add(member, found[name], store, patient, brain)
        if ensemble is not None:
            whole.add(ensemble, ensemble.combine(list(found.values())), store, patient, brain)
    for name, member in members.items():
        outcome = _write(places[name], member.title, member.contract, records[name], split)
    if ensemble is not None:
        first = next(iter(members.values())).contract
        rule = {"postprocessing": ensemble.contract.postprocessing}
        outcome = _write(out, ensemble.title, first.model_copy(update=rule), whole, split)
    return outcome


def _write(place: Path, title: str, contract: Contract, record: _Record, split: Split) -> BundleOutcome:
    part = f"{len(split.test)} patients of {split.name}, unseen in training and in every choice"
    outcome = BundleOutcome(place, title, part, Scores(tuple(record.scores)), record.trust)
    save_split(split, place / SPLIT)
    write_text_atomically(place / SCORES, outcome.scores.to_csv())
    write_text_atomically(place / TRUST, outcome.trust.to_csv())
    save_reliability(outcome.trust.reliability, place / RELIABILITY)
    card = write_card(contract, split.train, outcome.scores, part, title=title, trust=outcome.trust)
    write_text_atomically(place / CARD, card)
    return outcome
