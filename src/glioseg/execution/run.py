"""The runs of a study on disk: each in a folder of its own, begun, broken off or finished."""

from functools import partial
from pathlib import Path

from glioseg.dataset.store import open_store
from glioseg.execution.executor import Task
from glioseg.execution.experiment import train_and_score
from glioseg.study.folder import StudyFolder
from glioseg.study.plan import Job, StudyPlan
from glioseg.training.run_folder import RunFolder


def is_finished(run: RunFolder) -> bool:
    """Whether the run has its scores, which are written last and whole."""
    return run.scores.exists()


def run_job(job: Job, *, plan: StudyPlan, data: Path, out: Path) -> None:
    """Do one run, or go on with it where it was broken off; a finished one is left as it is.

    Args:
        job: Which run.
        plan: Gives its settings.
        data: A folder in the dataset's layout.
        out: The study's folder.

    Raises:
        GliosegError: As :func:`glioseg.execution.experiment.train_and_score`.
    """
    run = StudyFolder(out).run(job)
    if is_finished(run):
        return
    train_and_score(plan.config_of(job), open_store(data), job.split, run, resume=True)


def task_of(job: Job, *, plan: StudyPlan, data: Path, out: Path) -> Task:
    """What an engine needs to do one run, wherever it does it; arguments as for :func:`run_job`."""
    # A worker may begin in another folder.
    data, out = data.resolve(), out.resolve()
    log = StudyFolder(out).run(job).root / "job.log"
    return Task(job.key, partial(run_job, job, plan=plan, data=data, out=out), log)
