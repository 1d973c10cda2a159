"""What a bundled model reaches on its test patients, written beside it: scores, trust, reliability and the card."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glioseg.atomic import write_text_atomically
from glioseg.commands.bundle_members import Fold, architecture_of
from glioseg.dataset.store import ArrayStore
from glioseg.evaluation.calibration import LogitCounts
from glioseg.evaluation.failure_detection import FailureDetection
from glioseg.evaluation.scores import PatientScores, Scores
from glioseg.execution.experiment import scored
from glioseg.inference.card import CardScores, write_card
from glioseg.inference.contract import CARD
from glioseg.inference.model import Model
from glioseg.inference.postprocessing import expected_dice
from glioseg.report.failure_figures import save_reliability
from glioseg.training.validation import brain_of, domain_shift_dice

SCORES, FAILURE_DETECTION, RELIABILITY, DOMAIN_SHIFT = (
    "scores.csv",
    "failure_detection.csv",
    "reliability.png",
    "domain_shift.csv",
)


@dataclass
class _Record:
    """What a model does on the test patients, patient after patient."""

    scores: list[PatientScores] = field(default_factory=list)
    expected: dict[str, float | None] = field(default_factory=dict)
    counts: LogitCounts = field(default_factory=LogitCounts.none)
    domain_shift: dict[str, float | None] = field(default_factory=dict)

    def add(
        self,
        model: Model,
        probabilities: NDArray[np.float32],
        store: ArrayStore,
        patient: str,
        brain: NDArray[np.bool_],
    ) -> None:
        mask = model.binarise(store.volume(patient), probabilities)
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
    def failure_detection(self) -> FailureDetection:
        dice = {entry.patient: entry.values["dice"] for entry in self.scores}
        return FailureDetection(self.expected, dice, self.counts.reliability())


@dataclass(frozen=True)
class BundleOutcome:
    """What bundling leaves.

    Attributes:
        folder: The model's folder.
        title: The model in words.
        part: On whom it was scored, in words.
        scores: Of every patient, by models that had not seen them.
        failure_detection: How well the expected Dice tells masks that failed.
    """

    folder: Path
    title: str
    part: str
    scores: Scores
    failure_detection: FailureDetection


def score_model(
    model: Model,
    out: Path,
    folds: Sequence[Fold],
    store: ArrayStore,
    domain_shift: bool,
) -> BundleOutcome:
    """Predict the test patients, and write what the model and each of its networks reaches beside it.

    Args:
        model: Loaded from ``out``.
        out: The model's folder.
        folds: Whom each network is scored on.
        store: Holds scans and masks.
        domain_shift: Whether the patients are also scored as external scans.
    """
    whole, unseen = _Record(), model.out_of_fold()
    by_network: dict[str, _Record] = {}
    for fold in folds:
        records = {name: _Record() for name in fold.names}
        for patient in fold.split.test:
            subset, volume = unseen[patient], store.volume(patient)
            brain = brain_of(store, patient)
            found = list(subset.network_probabilities(volume))
            for record, network, probabilities in zip(records.values(), subset.networks.values(), found, strict=True):
                record.add(network.model, probabilities, store, patient, brain)
            whole.add(subset, subset.combine(found), store, patient, brain)
            if domain_shift:
                whole.domain_shift |= domain_shift_dice(subset, store, [patient])
        for name, record in records.items():
            by_network.setdefault(architecture_of(name), _Record()).extend(record)
            # Shared ones have their scores where they lie, and one alone those of the model.
            if (out / name).is_dir():
                _write(out / name, model.networks[name].model, record, sorted(fold.split.train), _part([fold]))
    trained_on = sorted({patient for fold in folds for patient in fold.split.train})
    return _write(out, model, whole, trained_on, _part(folds), by_network if len(model.networks) > 1 else {})


def score_refit(
    model: Model, siblings: Mapping[str, Model], out: Path, store: ArrayStore, domain_shift: bool
) -> BundleOutcome:
    """Write beside a network that was trained on every patient what its siblings reach on those they held back.

    Args:
        model: The network, loaded from ``out``.
        siblings: By patient what had not seen it.
        out: The network's folder.
        store: Holds scans and masks.
        domain_shift: Whether the patients are also scored as external scans.
    """
    record = _Record()
    for patient, sibling in siblings.items():
        probabilities = sibling.probabilities(store.volume(patient))
        record.add(sibling, probabilities, store, patient, brain_of(store, patient))
        if domain_shift:
            record.domain_shift |= domain_shift_dice(sibling, store, [patient])
    part = f"{len(siblings)} patients, each predicted by a network of the same recipe that had not seen it"
    return _write(out, model, record, sorted(model.first.split().train), part)


def _write(
    place: Path,
    model: Model,
    record: _Record,
    trained_on: Sequence[str],
    part: str,
    networks: Mapping[str, _Record] | None = None,
) -> BundleOutcome:
    outcome = BundleOutcome(place, model.title, part, record.all_scores, record.failure_detection)
    write_text_atomically(place / SCORES, outcome.scores.to_csv())
    write_text_atomically(place / FAILURE_DETECTION, outcome.failure_detection.to_csv())
    if record.domain_shift:
        write_text_atomically(place / DOMAIN_SHIFT, _as_csv(record.domain_shift))
    save_reliability(outcome.failure_detection.reliability, place / RELIABILITY)
    evidence = CardScores(
        outcome.scores,
        outcome.part,
        outcome.failure_detection,
        record.domain_shift,
        {name: network.all_scores for name, network in (networks or {}).items()},
    )
    contract = model.first.contract.model_copy(update={"postprocessing": model.decision.postprocessing})
    card = write_card(contract, trained_on, evidence, title=outcome.title)
    write_text_atomically(place / CARD, card)
    return outcome


def _as_csv(dice: Mapping[str, float | None]) -> str:
    rows = [f"{patient},{'' if value is None else f'{value:.4f}'}" for patient, value in sorted(dice.items())]
    return "\n".join(["patient,dice", *rows]) + "\n"


def _part(folds: Sequence[Fold]) -> str:
    patients = sum(len(fold.split.test) for fold in folds)
    if len(folds) == 1:
        return f"{patients} patients of {folds[0].split.name}, unseen in training and in every choice"
    names = ", ".join(fold.split.name for fold in folds)
    return f"{patients} patients of {names}, each predicted by the networks of the fold that had held it back"
