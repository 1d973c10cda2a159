"""``glioseg train``: from a data folder to a scored model bundle and its report."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from glioseg.atomic import write_text_atomically
from glioseg.dataset.splits import Split, fold_splits, load_split, published_split
from glioseg.dataset.store import ArrayStore, open_store
from glioseg.errors import GliosegError
from glioseg.evaluation.scores import PatientScores, Scores, score_patient
from glioseg.inference.bundle import CARD, save_bundle
from glioseg.inference.card import write_card
from glioseg.inference.contract import Contract
from glioseg.inference.predictor import Predictor
from glioseg.machine import choose_device, describe_device, library_versions
from glioseg.networks.table import find_network
from glioseg.report.figures import save_learning_curve
from glioseg.report.run_report import Case, RunReport, write_run_report
from glioseg.training.config import TrainingConfig, load_config
from glioseg.training.engine import TrainedNetwork, train_network, validation_probabilities
from glioseg.training.run_folder import RunFolder
from glioseg.training.selection import choose_postprocessing
from glioseg.volume import Mask


@dataclass(frozen=True)
class TrainingOutcome:
    """What a training leaves.

    Attributes:
        folder: The run's folder with bundle, log, scores and report.
        scores: Scores on the test patients, or on the validation patients where the split has no test.
        part: On which patients, in words.
    """

    folder: RunFolder
    scores: Scores
    part: str


@dataclass(frozen=True)
class SplitChoice:
    """How the user wants patients to be split.

    Attributes:
        file: A split file; it goes before the others.
        folds: K for K folds, or None for the published split.
        fold: Which of the K folds is tested, from 0.
        seed: Another seed deals the patients otherwise.
    """

    file: Path | None = None
    folds: int | None = None
    fold: int = 0
    seed: int = 0

    def split(self, patients: Sequence[str]) -> Split:
        """The split of these patients.

        Raises:
            GliosegError: If the file is no split, or there are fewer folds than asked for.
        """
        if self.file is not None:
            return load_split(self.file)
        if self.folds is None:
            return published_split(patients, seed=self.seed)
        if not 0 <= self.fold < self.folds:
            raise GliosegError(f"there is no fold {self.fold}", expected=f"0 to {self.folds - 1}")
        return fold_splits(patients, folds=self.folds, seed=self.seed)[self.fold]


def train(
    data: Path,
    out: Path,
    *,
    config: TrainingConfig | None = None,
    split: SplitChoice | None = None,
    resume: bool = False,
    command: Sequence[str] = (),
) -> TrainingOutcome:
    """Train a network, choose threshold and component rule, score it, and write bundle and report.

    Args:
        data: A folder in the dataset's layout.
        out: The run's folder.
        config: Every setting; when resuming, the run's own if None.
        split: How patients are split; when resuming, the run's own if None.
        resume: Go on with the run that ``out`` holds.
        command: The command line, for the report.

    Raises:
        GliosegError: If data, settings or split are unusable, the loss is no number, or a file cannot be written.
    """
    folder = RunFolder(out)
    store = open_store(data)
    goes_on = resume and folder.config.exists()
    if config is None:
        config = load_config(folder.config if goes_on else None)
    if split is None and goes_on:
        split = SplitChoice(file=folder.split)
    chosen = (split or SplitChoice()).split([entry.patient for entry in store.patients])
    trained = train_network(config, store, chosen, folder, resume=resume)
    save_learning_curve(trained.state.history, folder.learning_curve)
    contract = _ship(trained.network, config, store, chosen, folder)
    return _score_and_report(folder, config, store, chosen, trained, contract, command)


def _ship(network: nn.Module, config: TrainingConfig, store: ArrayStore, split: Split, folder: RunFolder) -> Contract:
    device = choose_device(config.machine.device)
    predicted = dict(validation_probabilities(network, store, split.validation, config, device))
    truths = {patient: store.mask(patient).voxels for patient in split.validation}
    entry = find_network(config.network.name)
    contract = Contract(
        network=config.network.name,
        width=config.network.width or entry.published_width,
        preprocessing=config.preprocessing,
        flip=config.validation.flip,
        postprocessing=choose_postprocessing(predicted, truths),
        split_sha256=split.sha256,
        data_fingerprint=store.fingerprint,
        training_patients=len(split.train),
        versions=library_versions(),
    )
    return save_bundle(folder.bundle, network, contract, write_card(contract, split.train))


def _score_and_report(
    folder: RunFolder,
    config: TrainingConfig,
    store: ArrayStore,
    split: Split,
    trained: TrainedNetwork,
    contract: Contract,
    command: Sequence[str],
) -> TrainingOutcome:
    """Score the bundle as a user would load it, not the network in memory."""
    patients, part = _scored_part(split)
    masks: dict[str, Mask] = {}
    scored: list[PatientScores] = []
    predictor = Predictor.from_bundle(folder.bundle, device=config.machine.device, precision=config.machine.precision)
    for patient in patients:
        entry = store.entry(patient)
        masks[patient] = predictor.mask(store.volume(patient))
        truth = store.mask(patient)
        scored.append(score_patient(masks[patient], truth, site=entry.site, missing_sequences=entry.missing_sequences))
    scores = Scores(tuple(scored))
    write_text_atomically(folder.scores, scores.to_json())
    write_text_atomically(folder.bundle / CARD, write_card(contract, split.train, scores, part))
    report = RunReport(
        title=f"{find_network(contract.network).title} on {part}",
        subtitle=f"Trained on {len(split.train)} patients, {split.name} split",
        facts=_facts(trained, contract, split, config),
        scores=scores,
        history=list(trained.state.history),
        cases=_cases(scores, store, masks),
        command=shlex.join(command) or "a Python call of glioseg.commands.train.train",
        part=part,
        notes=_notes(split),
    )
    write_run_report(folder.report, report)
    return TrainingOutcome(folder, scores, part)


def _scored_part(split: Split) -> tuple[tuple[str, ...], str]:
    if split.test:
        return split.test, f"{len(split.test)} test patients of the {split.name} split"
    return split.validation, f"{len(split.validation)} validation patients of the {split.name} split"


def _notes(split: Split) -> list[str]:
    notes = ["No patient of the dataset is free of tumour, so a specificity by patient cannot be estimated."]
    if not split.test:
        notes.append(
            "The data holds no test patient of this split. Threshold and component rule were chosen on the very "
            "patients scored here, so the figures flatter."
        )
    return notes


def _cases(scores: Scores, store: ArrayStore, masks: dict[str, Mask]) -> list[Case]:
    """Best, median and worst patient; fewer where there are fewer."""
    ranked = [entry for entry in scores.ranked() if entry.values["dice"] is not None]
    if not ranked:
        return []
    picked: dict[str, tuple[str, PatientScores]] = {}
    for label, entry in (("best", ranked[-1]), ("median", ranked[len(ranked) // 2]), ("worst", ranked[0])):
        picked.setdefault(entry.patient, (label, entry))
    return [
        Case(label, name, store.volume(name), store.mask(name), masks[name], entry.values["dice"])
        for name, (label, entry) in picked.items()
    ]


def _facts(trained: TrainedNetwork, contract: Contract, split: Split, config: TrainingConfig) -> list[tuple[str, str]]:
    entry = find_network(contract.network)
    parameters = sum(parameter.numel() for parameter in trained.network.parameters())
    post = contract.postprocessing
    return [
        ("Network", f"{entry.title}, width {contract.width}"),
        ("Parameters", f"{parameters:,}"),
        ("Training patients", str(len(split.train))),
        ("Validation patients", str(len(split.validation))),
        ("Training time", f"{trained.state.seconds / 60:.1f} minutes, {trained.state.step:,} steps"),
        ("Batch", f"{config.sampling.batch_size} crops of {config.sampling.crop_size} pixels"),
        ("Device", describe_device(choose_device(config.machine.device))),
        ("Threshold", f"{post.threshold}, components: {post.components}"),
        ("Seed", str(config.seed)),
        ("Split", f"{split.name}, {split.sha256[:16]}"),
        ("Data", contract.data_fingerprint[:16]),
        ("Versions", ", ".join(f"{name} {number}" for name, number in contract.versions.items())),
    ]
