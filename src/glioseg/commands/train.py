"""``glioseg train``: from a data folder to a scored model bundle and its report: a study of one run."""

from collections.abc import Sequence
from pathlib import Path

from glioseg.atomic import check_writable
from glioseg.dataset.splits import SplitChoice
from glioseg.dataset.store import open_store
from glioseg.execution.experiment import TrainingOutcome, train_and_score
from glioseg.execution.study_result import compare_runs
from glioseg.networks.table import find_network
from glioseg.study.folder import StudyFolder
from glioseg.study.plan import ModelConfiguration, StudyPlan
from glioseg.training.config import TrainingConfig, load_config
from glioseg.training.run_folder import RunFolder


def train(
    data: Path,
    out: Path,
    *,
    config: TrainingConfig | None = None,
    split: SplitChoice | None = None,
    resume: bool = False,
    command: Sequence[str] = (),
) -> TrainingOutcome:
    """Train a network, choose threshold and component rule, score it, and write bundle, tables and report.

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
    check_writable(out)
    folder = RunFolder(out)
    store = open_store(data)
    goes_on = resume and folder.config.exists()
    if config is None:
        config = load_config(folder.config if goes_on else None)
    if split is None and goes_on:
        split = SplitChoice(file=folder.split)
    chosen = (split or SplitChoice()).split([entry.patient for entry in store.patients])
    outcome = train_and_score(config, store, chosen, folder, resume=resume)
    if outcome.scores.patients:
        width = find_network(config.network.name).width(config.network.width)
        configuration = ModelConfiguration(config.network.name, width)
        plan = StudyPlan((configuration,), (chosen,), (config.seed,), config, store.fingerprint)
        compare_runs(plan, store, StudyFolder(out, single=True), command)
    return outcome
