"""``glioseg train``: from a data folder to a scored model bundle and its report."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glioseg.dataset.splits import Split, fold_splits, load_split, published_split, site_split
from glioseg.dataset.store import open_store
from glioseg.errors import GliosegError
from glioseg.experiment import TrainingOutcome, train_and_score
from glioseg.training.config import TrainingConfig, load_config
from glioseg.training.run_folder import RunFolder

__all__ = ["SplitChoice", "TrainingOutcome", "train"]


@dataclass(frozen=True)
class SplitChoice:
    """How the user wants patients to be split.

    Attributes:
        file: A split file; it goes before the others.
        folds: K for K folds, or None for the published split.
        fold: Which of the K folds is tested, from 0.
        seed: Another seed deals the patients otherwise.
        site: The hospital whose patients are left out and tested; it excludes folds.
    """

    file: Path | None = None
    folds: int | None = None
    fold: int = 0
    seed: int = 0
    site: str | None = None

    def split(self, patients: Sequence[str]) -> Split:
        """The split of these patients.

        Raises:
            GliosegError: If the file is no split, there are fewer folds than asked for, or no patient of the site.
        """
        if self.file is not None:
            return load_split(self.file)
        if self.site is not None:
            if self.folds is not None:
                raise GliosegError("folds and a site that is left out exclude each other", remedy="Give one of them")
            return site_split(patients, self.site, seed=self.seed)
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
    return train_and_score(config, store, chosen, folder, resume=resume, command=command)
