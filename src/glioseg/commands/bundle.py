"""``glioseg bundle``: finished runs become one model for others, small, calibrated, scored, with a card."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glioseg.atomic import write_text_atomically
from glioseg.commands.bundle_members import Fold, Member, folds_of, read_members, shared_folder
from glioseg.dataset.splits import check_patients_present, save_split
from glioseg.dataset.store import ArrayStore, open_store
from glioseg.errors import GliosegError
from glioseg.evaluation.calibration import LogitCounts
from glioseg.evaluation.scores import PatientScores, Scores
from glioseg.evaluation.trust import Trust
from glioseg.experiment import scored
from glioseg.inference.backends.torch_backend import TorchBackend
from glioseg.inference.bundle import load_bundle, save_bundle
from glioseg.inference.calibration import calibrated
from glioseg.inference.card import CardScores, write_card
from glioseg.inference.confidence import expected_dice
from glioseg.inference.contract import CARD, SPLIT, Contract, load_contract
from glioseg.inference.ensemble import Decision, Ensemble, EnsembleContract, mean_of, save_ensemble
from glioseg.inference.predictor import Predictor
from glioseg.inference.segmenter import Segmenter
from glioseg.inference.unseen import unseen_by
from glioseg.report.trust_figures import save_reliability
from glioseg.training.selection import brain_of, choose_decision
from glioseg.training.stand_in_validation import stand_in_dice

SCORES, TRUST, RELIABILITY, STAND_IN = "scores.csv", "trust.csv", "reliability.png", "stand_in.csv"
Probabilities = dict[str, NDArray[np.float32]]
"""By patient, each of shape (slice, row, column)."""


@dataclass
class _Record:
    """What a model does on the test patients, patient after patient."""

    scores: list[PatientScores] = field(default_factory=list)
    expected: dict[str, float | None] = field(default_factory=dict)
    counts: LogitCounts = field(default_factory=LogitCounts.none)
    elsewhere: dict[str, float | None] = field(default_factory=dict)

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

    def extend(self, other: "_Record") -> None:
        """Take over what another one holds of other patients."""
        self.scores += other.scores
        self.expected |= other.expected
        self.counts += other.counts

    @property
    def all_scores(self) -> Scores:
        """In the order of the patients."""
        return Scores(tuple(sorted(self.scores, key=lambda entry: entry.patient)))

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
    runs: Sequence[Path],
    data: Path,
    out: Path,
    *,
    stand_ins: bool = True,
    shared: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> BundleOutcome:
    """Make a model of finished runs: of one a bundle, of several an ensemble.

    Weights are kept in half precision. Temperature, threshold and component rule are chosen on the runs' validation
    patients, for each network, for those of a split together, and for all. The test patients are predicted with what
    was written, each by the networks of the split that tests it.

    Args:
        runs: Folders of finished runs, or of models made earlier; of one split, or of folds of one cross-validation.
        data: The folder in the dataset's layout that they were trained on.
        out: A new folder.
        stand_ins: Whether the test patients are also scored as scans from elsewhere, which takes as long again.
        shared: Use the networks where they lie, in an ensemble beside ``out``, as they were settled there, instead of
            copying them.
        say: Takes a line for each step.

    Raises:
        GliosegError: If a run is unfinished, two splits test the same patient, the data is other than they were
            trained on, ``out`` holds something, or networks to share do not lie beside it.
    """
    if out.exists() and any(out.iterdir()):
        raise GliosegError(f"{out} is not empty", remedy="Name a new folder")
    members = read_members(runs)
    folds, store = folds_of(members), open_store(data)
    _check_data(store, folds, members)
    members_in = shared_folder(members, out) if shared else None
    places = {name: (members_in or out) / name if len(members) > 1 else out for name in members}
    if members_in is None:
        _copy(members, places)
    if len(folds) == 1:
        save_split(folds[0].split, out / SPLIT)
    say("choosing temperature, threshold and component rule on the validation patients")
    contract = _settle(places, folds, store, shared)
    networks = {name: Predictor.from_bundle(place, backend="torch") for name, place in places.items()}
    if contract is None:
        model: Segmenter = next(iter(networks.values()))
    else:
        where = "." if members_in is None else f"../{members_in.name}"
        contract = contract.model_copy(update={"members_in": where})
        save_ensemble(out, contract, "")
        model = Ensemble(networks, contract)
    tested = sum(len(fold.split.test) for fold in folds)
    say(f"predicting {tested} test patients{', and their stand-ins from elsewhere' if stand_ins else ''}")
    return _score(model, out, networks, folds, store, stand_ins)


def _copy(members: Mapping[str, Member], places: Mapping[str, Path]) -> None:
    for name, member in members.items():
        save_bundle(places[name], member.network, member.contract, "", half=True)
        save_split(member.split, places[name] / SPLIT)


def _check_data(store: ArrayStore, folds: Sequence[Fold], members: Mapping[str, Member]) -> None:
    for fold in folds:
        check_patients_present(fold.split, [entry.patient for entry in store.patients])
    for member in members.values():
        if member.contract.data_fingerprint != store.fingerprint:
            raise GliosegError("the data is other than the runs were trained on", remedy="Give the same folder")


def _settle(
    places: Mapping[str, Path], folds: Sequence[Fold], store: ArrayStore, shared: bool
) -> EnsembleContract | None:
    """Choose how probabilities become masks, and write it into the contracts of networks that are not shared.

    Returns:
        The contract of all of them together; None for one alone.
    """
    hashes: dict[str, str] = {}
    decisions: dict[str, Decision] = {}
    pooled: dict[str, list[NDArray[np.float32]]] = {}
    for fold in folds:
        found: dict[str, list[NDArray[np.float32]]] = {patient: [] for patient in fold.split.validation}
        for name in fold.names:
            own, hashes[name] = (_settled_network if shared else _settle_network)(places[name], fold, store)
            for patient, values in own.items():
                found[patient].append(values)
        together = {patient: mean_of(values) for patient, values in found.items()}
        if len(fold.names) > 1:
            decisions[fold.split.sha256] = _decide(together, store, places[fold.names[0]])
        for patient, values in together.items():
            pooled.setdefault(patient, []).append(values)
    if len(places) == 1:
        return None
    if len(folds) == 1:
        (whole,) = decisions.values()
        return EnsembleContract(members=hashes, **dict(whole))
    # A validation patient of several folds is predicted by the networks of each, none of which was fitted to it.
    whole = _decide({p: mean_of(values) for p, values in pooled.items()}, store, next(iter(places.values())))
    return EnsembleContract(members=hashes, folds=decisions, **dict(whole))


def _settle_network(place: Path, fold: Fold, store: ArrayStore) -> tuple[Probabilities, str]:
    """One network's calibrated probabilities of its validation patients, and the hash of its weights."""
    network, contract = load_bundle(place)
    plain = Predictor(TorchBackend(network), contract.model_copy(update={"temperature": 1.0}))
    found = {patient: plain.probabilities(store.volume(patient)) for patient in fold.split.validation}
    temperature, rule = choose_decision(found.items(), store, plain.head_above)
    settled = contract.model_copy(update={"temperature": temperature, "postprocessing": rule})
    weights_sha256 = save_bundle(place, network, settled, "", half=True).weights_sha256
    return {patient: calibrated(values, temperature) for patient, values in found.items()}, weights_sha256


def _settled_network(place: Path, fold: Fold, store: ArrayStore) -> tuple[Probabilities, str]:
    """The same of a network that was settled already."""
    model = Predictor.from_bundle(place, backend="torch")
    return {patient: model.probabilities(store.volume(patient)) for patient in fold.split.validation}, model.identity


def _decide(found: Probabilities, store: ArrayStore, place: Path) -> Decision:
    temperature, rule = choose_decision(found.items(), store, load_contract(place).preprocessing.head_above)
    return Decision(temperature=temperature, postprocessing=rule)


def _score(
    model: Segmenter,
    out: Path,
    networks: Mapping[str, Predictor],
    folds: Sequence[Fold],
    store: ArrayStore,
    stand_ins: bool,
) -> BundleOutcome:
    """Predict the test patients, and write what the model and each of its networks reaches beside it."""
    whole, parts = _Record(), unseen_by(model, out)
    by_network: dict[str, _Record] = {}
    for fold in folds:
        records = {name: _Record() for name in fold.names}
        for patient in fold.split.test:
            part, volume = parts[patient], store.volume(patient)
            brain = brain_of(store, patient, part.head_above)
            found = {name: networks[name].probabilities(volume) for name in fold.names}
            for name, probabilities in found.items():
                records[name].add(networks[name], probabilities, store, patient, brain)
            if isinstance(part, Ensemble):
                whole.add(part, part.combine(list(found.values())), store, patient, brain)
            if stand_ins:
                whole.elsewhere |= stand_in_dice(part, store, [patient])
        if len(fold.names) == 1:
            whole.extend(records[fold.names[0]])
        for name, record in records.items():
            # unet-16_fold-4 and unet-16_fold-0 are one network, of which each fold tells its own patients.
            by_network.setdefault(name.partition("_")[0], _Record()).extend(record)
            # Shared ones have their scores where they lie, and one alone those of the model.
            if (out / name).is_dir():
                _write(out / name, networks[name], record, [fold])
    return _write(out, model, whole, folds, by_network if len(networks) > 1 else {})


def _write(
    place: Path, model: Segmenter, record: _Record, folds: Sequence[Fold], networks: Mapping[str, _Record] | None = None
) -> BundleOutcome:
    outcome = BundleOutcome(place, model.title, _part(folds), record.all_scores, record.trust)
    write_text_atomically(place / SCORES, outcome.scores.to_csv())
    write_text_atomically(place / TRUST, outcome.trust.to_csv())
    if record.elsewhere:
        write_text_atomically(place / STAND_IN, _as_csv(record.elsewhere))
    save_reliability(outcome.trust.reliability, place / RELIABILITY)
    evidence = CardScores(
        outcome.scores,
        outcome.part,
        outcome.trust,
        record.elsewhere,
        {name: network.all_scores for name, network in (networks or {}).items()},
    )
    patients = {patient for fold in folds for patient in fold.split.train}
    card = write_card(_card_contract(model), sorted(patients), evidence, title=outcome.title)
    write_text_atomically(place / CARD, card)
    return outcome


def _card_contract(model: Segmenter) -> Contract:
    """Of an ensemble its first network's, with the rule of all."""
    if isinstance(model, Ensemble):
        first = next(iter(model.members.values())).contract
        return first.model_copy(update={"postprocessing": model.contract.postprocessing})
    assert isinstance(model, Predictor)
    return model.contract


def _as_csv(dice: Mapping[str, float | None]) -> str:
    rows = [f"{patient},{'' if value is None else f'{value:.4f}'}" for patient, value in sorted(dice.items())]
    return "\n".join(["patient,dice", *rows]) + "\n"


def _part(folds: Sequence[Fold]) -> str:
    patients = sum(len(fold.split.test) for fold in folds)
    if len(folds) == 1:
        return f"{patients} patients of {folds[0].split.name}, unseen in training and in every choice"
    names = ", ".join(fold.split.name for fold in folds)
    return f"{patients} patients of {names}, each predicted by the networks of the fold that had held it back"
