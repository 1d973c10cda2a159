"""``glioseg study``: every network under the same conditions, compared by patient, in one report."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from glioseg.atomic import check_writable
from glioseg.dataset.splits import SplitChoice, check_patients_present
from glioseg.dataset.store import ArrayStore, open_store
from glioseg.errors import GliosegError
from glioseg.execution.executor import Executor, LocalExecutor
from glioseg.execution.run import is_finished, task_of
from glioseg.execution.study_result import StudyOutcome, compare_runs
from glioseg.execution.watch import Watch
from glioseg.study.folder import StudyFolder
from glioseg.study.plan import ModelConfiguration, StudyPlan, keep_plan
from glioseg.training.config import TrainingConfig
from glioseg.training.engine import find_skull_stripping


def study(
    data: Path,
    out: Path,
    *,
    networks: Sequence[ModelConfiguration],
    config: TrainingConfig,
    splits: SplitChoice | None = None,
    seeds: Sequence[int] = (0,),
    executor: Executor | None = None,
    command: Sequence[str] = (),
    progress: Callable[[str], None] = lambda line: None,
    json_lines: bool = False,
) -> StudyOutcome:
    """Train and score every network on every split from every seed, then compare them.

    A study that was broken off goes on when it is called again: finished runs are not repeated, and those that were
    under way are found again, or continue from their checkpoints. A run that fails holds no other up.

    Args:
        data: A folder in the dataset's layout.
        out: The study's folder.
        networks: What to compare.
        config: Settings that all runs share, the budget among them.
        splits: The published split if None.
        seeds: Each network is trained from each of them.
        executor: Where runs are done; one after the other in this process if None.
        command: The command line, for the report.
        progress: Takes a line whenever a run begins or ends.
        json_lines: Whether these lines are JSON.

    Raises:
        GliosegError: If ``out`` holds a study under another plan, data or settings are unusable, a loss is no number,
            or a file cannot be written.
    """
    check_writable(out)
    store, folder = open_store(data), StudyFolder(out)
    chosen = (splits or SplitChoice()).splits([entry.patient for entry in store.patients])
    for split in chosen:
        check_patients_present(split, [entry.patient for entry in store.patients])
        if not (split.test or split.validation):
            raise GliosegError(f"split {split.name!r} holds nobody to compare on", remedy="Give it test patients")
    if config.machine.processes > 1:
        raise GliosegError(
            "a study trains each network on one device", remedy="Do several runs at once with --workers or --engine"
        )
    plan = StudyPlan(tuple(networks), chosen, tuple(seeds), config, store.fingerprint)
    keep_plan(plan, folder.plan)
    _do_runs(plan, data, store, folder, executor or LocalExecutor(), progress, json_lines)
    return compare_runs(plan, store, folder, command)


def _do_runs(
    plan: StudyPlan,
    data: Path,
    store: ArrayStore,
    folder: StudyFolder,
    executor: Executor,
    progress: Callable[[str], None],
    json_lines: bool,
) -> None:
    runs = list(plan.runs())
    waiting = [run for run in runs if not is_finished(folder.run(run))]
    if waiting:
        # Kept beside the arrays: runs in several processes would each seek them, for a minute or more.
        find_skull_stripping(plan.config, store)
    tasks = [task_of(run, plan=plan, data=data, out=folder.root) for run in waiting]
    watch = Watch(len(runs), progress, as_json=json_lines, done=len(runs) - len(waiting))
    for _ in watch.follow(executor.run(tasks)):
        pass
    watch.raise_failures("Repeat the command to try them again; finished runs are not repeated")


def as_json(outcome: StudyOutcome) -> dict[str, Any]:
    """The result as plain values: networks with scores and costs, pairs, the result in words."""
    analysis = outcome.analysis
    networks = [
        {
            "network": configuration.name,
            "width": configuration.width,
            "scores": {name: asdict(summary) for name, summary in analysis.summaries[configuration].items()},
            "cost": asdict(outcome.costs[configuration]),
            "ranks": analysis.ranks.get(configuration),
            "spread": asdict(analysis.spread[configuration]),
        }
        for configuration in analysis.configurations
    ]
    pairs = [
        {"metric": metric, **asdict(pair), "more_than_chance": pair.is_shown}
        for metric, compared in analysis.pairs.items()
        for pair in compared
    ]
    return {"networks": networks, "pairs": pairs, "verdict": outcome.verdict, "report": str(outcome.folder.report)}
