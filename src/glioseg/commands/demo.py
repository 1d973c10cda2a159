"""``glioseg demo``: the whole path on practice patients, in a few minutes, with nothing to download."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from glioseg.atomic import check_empty
from glioseg.commands.evaluate import evaluate
from glioseg.commands.predict import predict
from glioseg.commands.study import study
from glioseg.dataset.phantom import write_phantoms
from glioseg.dataset.splits import SplitChoice
from glioseg.evaluation.score_files import read_scores
from glioseg.evaluation.scores import Scores
from glioseg.execution.experiment import TrainingOutcome
from glioseg.execution.study_result import StudyOutcome
from glioseg.patients.source import OutputOptions
from glioseg.study.plan import ModelConfiguration
from glioseg.training.config import TrainingConfig, load_config

PATIENTS = 20
STEPS = 90
NETWORKS = (ModelConfiguration("unet", 8), ModelConfiguration("resunet-a", 8), ModelConfiguration("resunet-pp", 8))
SETTINGS = (
    "sampling.crop_size=128",
    "sampling.batch_size=8",
    f"budget.steps={STEPS}",
    "validation.flip=false",
    "optimisation.learning_rate=4e-3",
    "optimisation.ema_decay=0.95",
)


@dataclass(frozen=True)
class DemoOutcome:
    """Where the parts of the demonstration lie.

    Attributes:
        data: The practice patients.
        masks: Masks and probabilities that ``predict`` wrote for patients not seen in training.
        study: The comparison of the networks, with the report.
        training: The run of the network with the highest mean Dice.
        scores: Scores of the masks that ``predict`` wrote with it, on patients not seen in training.
    """

    data: Path
    masks: Path
    study: StudyOutcome
    training: TrainingOutcome
    scores: Scores


def demo_config() -> TrainingConfig:
    """A training that two cores finish in about a minute, the widest network's in two."""
    return load_config(assignments=SETTINGS)


def demo(
    out: Path,
    *,
    patients: int = PATIENTS,
    config: TrainingConfig | None = None,
    networks: Sequence[ModelConfiguration] = NETWORKS,
    progress: Callable[[str], None] = lambda line: None,
) -> DemoOutcome:
    """Make practice patients, compare three small networks, predict unseen patients with the best, score the masks.

    Args:
        out: An empty or new folder.
        patients: How many practice patients.
        config: Training settings; :func:`demo_config` if None.
        networks: What to compare.
        progress: Takes a line after each run.

    Raises:
        GliosegError: If the folder is not empty, or a file cannot be written.
    """
    check_empty(out)
    data, masks = out / "data", out / "masks"
    write_phantoms(data, patients=patients)
    compared = study(
        data,
        out / "study",
        networks=networks,
        config=config or demo_config(),
        splits=SplitChoice(folds=5, only_folds=(0,)),
        command=("glioseg", "demo", "--out", str(out)),
        progress=progress,
    )
    training = _best_run(compared)
    out_of_fold = [data / entry.patient for entry in training.scores.patients]
    predict(out_of_fold, masks, model=training.folder.bundle, options=OutputOptions(probabilities=True))
    scores = evaluate(masks, data, out / "scores.json").scores
    return DemoOutcome(data, masks, compared, training, scores)


def _best_run(compared: StudyOutcome) -> TrainingOutcome:
    best = compared.analysis.configurations[0]
    run = next(run for run in compared.plan.runs() if run.configuration == best)
    folder = compared.folder.run(run)
    scores = read_scores(folder.scores)
    return TrainingOutcome(folder, scores, f"{len(scores.patients)} patients not seen in training, {best.title}")
