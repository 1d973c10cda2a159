"""The runs of a study on disk: each in a folder of its own, begun, broken off or finished."""

from functools import partial
from pathlib import Path

from glioseg.dataset.store import open_store
from glioseg.execution.executor import Task
from glioseg.execution.experiment import train_and_score
from glioseg.study.folder import StudyFolder
from glioseg.study.plan import Run, StudyPlan
from glioseg.training.run_folder import RunFolder


def is_finished(place: RunFolder) -> bool:
    """Whether the run has its scores, which are written last and whole."""
    return place.scores.exists()


def do_run(run: Run, *, plan: StudyPlan, data: Path, out: Path) -> None:
    """Do one run, or go on with it where it was broken off; a finished one is left as it is.

    Args:
        run: Which run.
        plan: Gives its settings.
        data: A folder in the dataset's layout.
        out: The study's folder.

    Raises:
        GliosegError: As :func:`glioseg.execution.experiment.train_and_score`.
    """
    place = StudyFolder(out).run(run)
    if is_finished(place):
        return
    train_and_score(plan.config_of(run), open_store(data), run.split, place, resume=True)


def task_of(run: Run, *, plan: StudyPlan, data: Path, out: Path) -> Task:
    """What an engine needs to do one run, wherever it does it; arguments as for :func:`do_run`."""
    # A worker may begin in another folder.
    data, out = data.resolve(), out.resolve()
    log = StudyFolder(out).run(run).root / "job.log"
    return Task(run.key, partial(do_run, run, plan=plan, data=data, out=out), log)
