"""``glioseg demo``: the whole path on practice patients, in a few minutes, with nothing to download."""

from dataclasses import dataclass
from pathlib import Path

from glioseg.commands.evaluate import evaluate
from glioseg.commands.predict import predict
from glioseg.commands.train import SplitChoice, TrainingOutcome, train
from glioseg.dataset.phantom import write_phantoms
from glioseg.errors import GliosegError
from glioseg.evaluation.scores import Scores
from glioseg.training.config import TrainingConfig, load_config

PATIENTS = 20
STEPS = 150
SETTINGS = (
    "network.width=8",
    "sampling.crop_size=160",
    "sampling.batch_size=8",
    f"budget.steps={STEPS}",
    "optimisation.learning_rate=4e-3",
    "optimisation.ema_decay=0.95",
)


@dataclass(frozen=True)
class DemoOutcome:
    """Where the parts of the demonstration lie.

    Attributes:
        data: The practice patients.
        training: The training run, with the report.
        scores: Scores of the masks that ``predict`` wrote, on patients not seen in training.
    """

    data: Path
    training: TrainingOutcome
    scores: Scores


def demo_config() -> TrainingConfig:
    """A training that two cores finish in about two minutes."""
    return load_config(assignments=SETTINGS)


def demo(out: Path, *, patients: int = PATIENTS, config: TrainingConfig | None = None) -> DemoOutcome:
    """Make practice patients, train a small U-Net, predict the patients it has not seen, and score the masks.

    Args:
        out: An empty or new folder.
        patients: How many practice patients.
        config: Training settings; :func:`demo_config` if None.

    Raises:
        GliosegError: If the folder is not empty, or a file cannot be written.
    """
    if out.exists() and any(out.iterdir()):
        raise GliosegError(f"{out} is not empty", remedy="Name a new folder, or remove this one")
    data, run, masks = out / "data", out / "run", out / "masks"
    write_phantoms(data, patients=patients)
    command = ("glioseg", "demo", "--out", str(out))
    training = train(data, run, config=config or demo_config(), split=SplitChoice(folds=5), command=command)
    unseen = [data / entry.patient for entry in training.scores.patients]
    predict(unseen, training.folder.bundle, masks)
    scores, _ = evaluate(masks, data, out / "scores.json")
    return DemoOutcome(data, training, scores)
