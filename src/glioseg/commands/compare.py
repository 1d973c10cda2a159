"""``glioseg compare``: scores of the same patients from several files, side by side and paired."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from glioseg.errors import GliosegError
from glioseg.evaluation.comparison import Pair, PatientValues, compare_pairs
from glioseg.evaluation.score_files import read_patient_values
from glioseg.evaluation.statistics import Summary, summarise


@dataclass(frozen=True)
class SideBySide:
    """What several files of scores say together.

    Attributes:
        metric: The metric's name.
        values: By model, of each of its patients.
        pairs: Every two models, in the order in which they were given.
    """

    metric: str
    values: Mapping[str, PatientValues]
    pairs: tuple[Pair[str], ...]

    def summaries(self) -> dict[str, Summary]:
        """Of each model over all of its patients."""
        return {name: summarise(list(values.values())) for name, values in self.values.items()}


def compare_scores(files: Sequence[str], metric: str = "dice") -> SideBySide:
    """Compare models by the scores that were written of them.

    Files of one name are put together, as the folds of a cross-validation are.

    Args:
        files: Paths, or NAME=PATH. Without a name a study's table gives those of its networks, any other file its own
            (of ``scores.csv`` and ``scores.json`` the folder's).
        metric: The metric's name.

    Raises:
        GliosegError: If a file is no scores, or one name has a patient twice.
    """
    if not files:
        raise GliosegError("no scores are given", expected="files, or NAME=FILE", remedy="Name two files or more")
    values: dict[str, dict[str, float | None]] = {}
    for given in files:
        label, path = _parted(given)
        for network, found in read_patient_values(path, metric).items():
            _join(values.setdefault(_name(label, network, path), {}), found, given)
    return SideBySide(metric, values, compare_pairs(values))


def _parted(given: str) -> tuple[str, Path]:
    label, sign, path = given.partition("=")
    return (label, Path(path)) if sign and not Path(given).exists() else ("", Path(given))


def _name(label: str, network: str, path: Path) -> str:
    if label and network:
        return f"{label} {network}"
    own = path.resolve().parent.name if path.stem == "scores" else path.stem
    return label or network or own


def _join(values: dict[str, float | None], found: PatientValues, given: str) -> None:
    twice = sorted(values.keys() & found.keys())
    if twice:
        raise GliosegError(
            f"{given}: patient {twice[0]} was scored already under this name",
            expected="other patients in each file of one name, as in folds",
            remedy="Name the files apart: NAME=FILE",
        )
    values |= found
