"""``glioseg study``: every network under the same conditions, compared by patient, in one report."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from glioseg.dataset.splits import Split, check_patients_present, fold_splits, load_split, published_split
from glioseg.dataset.store import ArrayStore, open_store
from glioseg.errors import GliosegError
from glioseg.evaluation.metrics import dice
from glioseg.evaluation.scores import Scores
from glioseg.experiment import load_cost, load_masks
from glioseg.machine import library_versions
from glioseg.report.study_cases import StudyCase, choose_patients
from glioseg.report.study_figures import History
from glioseg.report.study_report import StudyReport, write_study_report
from glioseg.report.study_verdict import verdict
from glioseg.study.analysis import StudyAnalysis, analyse
from glioseg.study.cost import CandidateCost, candidate_costs
from glioseg.study.executor import Executor, LocalExecutor
from glioseg.study.folder import StudyFolder
from glioseg.study.plan import Candidate, StudyPlan, keep_plan
from glioseg.study.run import is_finished, run_job
from glioseg.study.table import StudyTable
from glioseg.training.config import TrainingConfig
from glioseg.training.engine import find_skulls
from glioseg.training.run_folder import read_history
from glioseg.volume import Mask


@dataclass(frozen=True)
class StudyOutcome:
    """What a study leaves.

    Attributes:
        folder: The study's folder with its runs, tables and report.
        plan: What was compared under which conditions.
        table: Every score.
        analysis: What the scores say.
        costs: What each network costs.
        verdict: The result in words.
    """

    folder: StudyFolder
    plan: StudyPlan
    table: StudyTable
    analysis: StudyAnalysis
    costs: dict[Candidate, CandidateCost]
    verdict: str

    @property
    def part(self) -> str:
        """On whom the networks were compared, in words."""
        return f"{len(self.analysis.patients)} patients"


@dataclass(frozen=True)
class SplitsChoice:
    """Which splits a study runs on.

    Attributes:
        file: A split file; it goes before the others.
        folds: K for K folds, or None for the published split.
        only_folds: Numbers of the folds to run, from 0; all of them where empty.
    """

    file: Path | None = None
    folds: int | None = None
    only_folds: tuple[int, ...] = ()

    def splits(self, patients: Sequence[str]) -> tuple[Split, ...]:
        """The splits of these patients.

        Raises:
            GliosegError: If the file is no split, or there is no such fold.
        """
        if self.only_folds and (self.folds is None or self.file is not None):
            raise GliosegError("--only-folds chooses among folds", remedy="Give --folds as well, and no --split")
        if self.file is not None:
            return (load_split(self.file),)
        if self.folds is None:
            return (published_split(patients),)
        splits = fold_splits(patients, folds=self.folds)
        for number in self.only_folds:
            if not 0 <= number < self.folds:
                raise GliosegError(f"there is no fold {number}", expected=f"0 to {self.folds - 1}")
        return tuple(splits[number] for number in self.only_folds or range(self.folds))


def study(
    data: Path,
    out: Path,
    *,
    networks: Sequence[Candidate],
    config: TrainingConfig,
    splits: SplitsChoice | None = None,
    seeds: Sequence[int] = (0,),
    executor: Executor | None = None,
    command: Sequence[str] = (),
    say: Callable[[str], None] = lambda line: None,
) -> StudyOutcome:
    """Train and score every network on every split from every seed, then compare them.

    A study that was broken off goes on when it is called again: finished runs are not repeated, and the run that was
    under way continues from its checkpoint.

    Args:
        data: A folder in the dataset's layout.
        out: The study's folder.
        networks: What to compare.
        config: Settings that all runs share, the budget among them.
        splits: The published split if None.
        seeds: Each network is trained from each of them.
        executor: Where runs are done; one after the other in this process if None.
        command: The command line, for the report.
        say: Takes a line after each run.

    Raises:
        GliosegError: If ``out`` holds a study under another plan, data or settings are unusable, a loss is no number,
            or a file cannot be written.
    """
    store, folder = open_store(data), StudyFolder(out)
    chosen = (splits or SplitsChoice()).splits([entry.patient for entry in store.patients])
    for split in chosen:
        check_patients_present(split, [entry.patient for entry in store.patients])
        if not (split.test or split.validation):
            raise GliosegError(f"split {split.name!r} holds nobody to compare on", remedy="Give it test patients")
    plan = StudyPlan(tuple(networks), chosen, tuple(seeds), config, store.fingerprint)
    keep_plan(plan, folder.plan)
    _do_runs(plan, data, store, folder, executor or LocalExecutor(), say)
    return _compare(plan, store, folder, command)


def _do_runs(
    plan: StudyPlan, data: Path, store: ArrayStore, folder: StudyFolder, executor: Executor, say: Callable[[str], None]
) -> None:
    jobs = list(plan.jobs())
    waiting = [job for job in jobs if not is_finished(folder.run(job))]
    done = len(jobs) - len(waiting)
    if done:
        say(f"{done} of {len(jobs)} runs are finished already")
    if waiting:
        # Kept beside the arrays: runs in several processes would each seek them, for a minute or more.
        find_skulls(plan.config, store)
    for job in executor.run(waiting, partial(run_job, plan=plan, data=data, out=folder.root)):
        done += 1
        say(f"run {done} of {len(jobs)} finished: {job.key}")


def _compare(plan: StudyPlan, store: ArrayStore, folder: StudyFolder, command: Sequence[str]) -> StudyOutcome:
    jobs = list(plan.jobs())
    scores = [Scores.from_json(folder.run(job).scores.read_text(encoding="utf-8")) for job in jobs]
    table = StudyTable.of_runs(zip(jobs, scores, strict=True))
    table.write(folder.scores, folder.patients)
    analysis = analyse(table)
    known = ((job, cost) for job in jobs if (cost := load_cost(folder.run(job))) is not None)
    costs = candidate_costs(known, plan.config.preprocessing.binning)
    histories: dict[Candidate, list[History]] = {candidate: [] for candidate in plan.networks}
    for job in jobs:
        histories[job.candidate].append(read_history(folder.run(job).log))
    report = StudyReport(
        title=_title(plan),
        subtitle=_subtitle(plan, analysis),
        facts=_facts(plan, costs),
        analysis=analysis,
        costs=costs,
        metrics=scores[0].metrics(),
        libraries=scores[0].libraries,
        histories=histories,
        cases=study_cases(plan, analysis, store, folder),
        command=shlex.join(command) or "a Python call of glioseg.commands.study.study",
        notes=_notes(plan),
        cases_note="" if len(plan.seeds) == 1 else f"The masks are those of seed {plan.seeds[0]}.",
    )
    write_study_report(folder.report, folder.tables, report)
    return StudyOutcome(folder, plan, table, analysis, costs, verdict(analysis, costs))


def study_cases(plan: StudyPlan, analysis: StudyAnalysis, store: ArrayStore, folder: StudyFolder) -> list[StudyCase]:
    """The patients to show, with every network's mask from the first seed."""
    chosen = choose_patients(analysis)
    masks: dict[str, dict[Candidate, Mask]] = {patient: {} for patient in chosen}
    for job in plan.jobs():
        if job.seed == plan.seeds[0]:
            run = load_masks(folder.run(job))
            for patient in chosen.keys() & run.keys():
                masks[patient].setdefault(job.candidate, run[patient])
    cases = []
    for patient, label in chosen.items():
        truth = store.mask(patient)
        predicted = {candidate: masks[patient][candidate] for candidate in analysis.candidates}
        scores = {candidate: dice(mask.voxels, truth.voxels) for candidate, mask in predicted.items()}
        cases.append(StudyCase(label, patient, store.volume(patient), truth, predicted, scores))
    return cases


def as_json(outcome: StudyOutcome) -> dict[str, Any]:
    """The result as plain values: networks with scores and costs, pairs, the result in words."""
    analysis = outcome.analysis
    networks = [
        {
            "network": candidate.name,
            "width": candidate.width,
            "scores": {name: asdict(summary) for name, summary in analysis.summaries[candidate].items()},
            "cost": asdict(outcome.costs[candidate]),
            "ranks": analysis.ranks.get(candidate),
            "spread": asdict(analysis.spread[candidate]),
        }
        for candidate in analysis.candidates
    ]
    pairs = [
        {"metric": metric, **asdict(pair), "more_than_chance": pair.is_shown}
        for metric, compared in analysis.pairs.items()
        for pair in compared
    ]
    return {"networks": networks, "pairs": pairs, "verdict": outcome.verdict, "report": str(outcome.folder.report)}


def _title(plan: StudyPlan) -> str:
    names = [candidate.title for candidate in plan.networks]
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _subtitle(plan: StudyPlan, analysis: StudyAnalysis) -> str:
    runs = len(list(plan.jobs()))
    splits = plan.splits[0].name + " split" if len(plan.splits) == 1 else f"{len(plan.splits)} folds"
    seeds = f"{len(plan.seeds)} seed{'s' if len(plan.seeds) > 1 else ''}"
    return f"Compared on {len(analysis.patients)} patients: {splits}, {seeds}, {runs} runs, {_budget(plan)} a run"


def _budget(plan: StudyPlan) -> str:
    budget = plan.config.budget
    name, amount = next((n, a) for n, a in budget.model_dump().items() if a is not None)
    return f"{amount:,g} {name.removesuffix('s') if amount == 1 else name}"


def _facts(plan: StudyPlan, costs: dict[Candidate, CandidateCost]) -> list[tuple[str, str]]:
    config, splits = plan.config, plan.splits
    sizes = "; ".join(
        f"{s.name}: {len(s.train)} train, {len(s.validation)} validation, {len(s.test)} test" for s in splits
    )
    spent = "; ".join(
        f"{c.title} {cost.training_minutes:.1f} minutes, {cost.training_steps:,.0f} steps" for c, cost in costs.items()
    )
    optimisation = config.optimisation
    return [
        ("Budget of each run", f"{_budget(plan)}, the same for every network"),
        ("Spent by a run", spent),
        ("Patients", sizes),
        ("Seeds", ", ".join(map(str, plan.seeds))),
        ("Batch", config.batch_in_words),
        ("Slices with tumour", f"{config.sampling.tumour_share:.0%} of a batch are drawn from them"),
        (
            "Optimiser",
            f"AdamW, learning rate {optimisation.learning_rate:g} with warm-up and cosine decay, "
            f"weight decay {optimisation.weight_decay:g}, average of the weights with decay {optimisation.ema_decay:g}",
        ),
        ("Loss", "Dice with cross-entropy; ResUNet-a: Tanimoto with complement over its four tasks, as in its paper"),
        (
            "After the network",
            "threshold and component rule chosen on the validation patients, alike for every network",
        ),
        ("Trained on", "; ".join(sorted({device for cost in costs.values() for device in cost.training_devices}))),
        ("Predictions timed on", "; ".join(sorted({cpu for cost in costs.values() for cpu in cost.cpus}))),
        ("Data", plan.data_fingerprint[:16]),
        ("Versions", ", ".join(f"{name} {number}" for name, number in library_versions().items())),
    ]


def _notes(plan: StudyPlan) -> list[str]:
    notes = ["No patient of the dataset is free of tumour, so a specificity by patient cannot be estimated."]
    if any(not split.test for split in plan.splits):
        notes.append(
            "A split holds no test patient of this data. There the validation patients are scored, on whom threshold "
            "and component rule were chosen, so the figures flatter; they flatter every network alike."
        )
    return notes
