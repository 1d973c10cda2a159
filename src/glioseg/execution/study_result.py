"""From the finished runs of a study, or of a single one, to its tables, its report and its result."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from glioseg.atomic import clear_unfinished
from glioseg.dataset.store import ArrayStore
from glioseg.evaluation.metrics import dice
from glioseg.evaluation.score_files import read_scores
from glioseg.execution.experiment import load_cost, load_masks
from glioseg.machine import library_versions
from glioseg.report.study_cases import StudyCase, choose_patients
from glioseg.report.study_figures import History
from glioseg.report.study_report import StudyReport, write_study_report
from glioseg.report.study_verdict import verdict
from glioseg.study.analysis import StudyAnalysis, analyse
from glioseg.study.cost import ConfigurationCost, configuration_costs
from glioseg.study.folder import StudyFolder
from glioseg.study.plan import ModelConfiguration, StudyPlan
from glioseg.study.table import StudyTable
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
    costs: dict[ModelConfiguration, ConfigurationCost]
    verdict: str

    @property
    def part(self) -> str:
        """On whom the networks were compared, in words."""
        return f"{len(self.analysis.patients)} patients"


def compare_runs(plan: StudyPlan, store: ArrayStore, folder: StudyFolder, command: Sequence[str] = ()) -> StudyOutcome:
    """Compare the networks of a plan whose runs are all finished, and write tables and report.

    Args:
        plan: What was compared.
        store: The data, for the patients that are shown.
        folder: Where the runs lie, and where tables and report go.
        command: The command line, for the report.

    Raises:
        GliosegError: If a file cannot be written.
    """
    clear_unfinished(folder.root)
    clear_unfinished(folder.tables)
    runs = list(plan.runs())
    scores = [read_scores(folder.run(run).scores) for run in runs]
    table = StudyTable.of_runs(zip(runs, scores, strict=True))
    table.write(folder.scores, folder.patients)
    analysis = analyse(table)
    known = ((run, cost) for run in runs if (cost := load_cost(folder.run(run))) is not None)
    costs = configuration_costs(known, plan.config.preprocessing.downsampling_factor)
    histories: dict[ModelConfiguration, list[History]] = {configuration: [] for configuration in plan.networks}
    for run in runs:
        histories[run.configuration].append(read_history(folder.run(run).log))
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
        command=shlex.join(command) or "a Python call",
        notes=_notes(plan),
        cases_note="" if len(plan.seeds) == 1 else f"The masks are those of seed {plan.seeds[0]}.",
    )
    write_study_report(folder.report, folder.tables, report)
    return StudyOutcome(folder, plan, table, analysis, costs, verdict(analysis, costs))


def study_cases(plan: StudyPlan, analysis: StudyAnalysis, store: ArrayStore, folder: StudyFolder) -> list[StudyCase]:
    """The patients to show, with every network's mask from the first seed."""
    chosen = choose_patients(analysis)
    masks: dict[str, dict[ModelConfiguration, Mask]] = {patient: {} for patient in chosen}
    for run in plan.runs():
        if run.seed == plan.seeds[0]:
            own_masks = load_masks(folder.run(run))
            for patient in chosen.keys() & own_masks.keys():
                masks[patient].setdefault(run.configuration, own_masks[patient])
    cases = []
    for patient, label in chosen.items():
        truth = store.mask(patient)
        predicted = {configuration: masks[patient][configuration] for configuration in analysis.configurations}
        scores = {configuration: dice(mask.voxels, truth.voxels) for configuration, mask in predicted.items()}
        cases.append(StudyCase(label, patient, store.volume(patient), truth, predicted, scores))
    return cases


def _title(plan: StudyPlan) -> str:
    names = [configuration.title for configuration in plan.networks]
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _subtitle(plan: StudyPlan, analysis: StudyAnalysis) -> str:
    runs = len(list(plan.runs()))
    splits = plan.splits[0].name + " split" if len(plan.splits) == 1 else f"{len(plan.splits)} folds"
    seeds = f"{len(plan.seeds)} seed{'s' if len(plan.seeds) > 1 else ''}"
    patients = f"{len(analysis.patients)} patient{'s' if len(analysis.patients) > 1 else ''}"
    if runs == 1:
        return f"Scored on {patients}: {splits}, seed {plan.seeds[0]}, {_budget(plan)}"
    return f"Compared on {patients}: {splits}, {seeds}, {runs} runs, {_budget(plan)} a run"


def _budget(plan: StudyPlan) -> str:
    budget = plan.config.budget
    name, amount = next((n, a) for n, a in budget.model_dump().items() if a is not None)
    return f"{amount:,g} {name.removesuffix('s') if amount == 1 else name}"


def _facts(plan: StudyPlan, costs: dict[ModelConfiguration, ConfigurationCost]) -> list[tuple[str, str]]:
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
        ("Slices with tumour", f"{config.sampling.foreground_fraction:.0%} of a batch are drawn from them"),
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
