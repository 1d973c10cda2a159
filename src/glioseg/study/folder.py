"""The files of a study, and what belongs in each."""

from dataclasses import dataclass
from pathlib import Path

from glioseg.study.plan import Run
from glioseg.training.run_folder import RunFolder


@dataclass(frozen=True)
class StudyFolder:
    """Where the files of a study lie.

    Attributes:
        root: The study's folder.
        single: It is a study of one run, whose folder is the study's own.
    """

    root: Path
    single: bool = False

    @property
    def plan(self) -> Path:
        """What is compared under which conditions, JSON; the first file of a study."""
        return self.root / "plan.json"

    def run(self, run: Run) -> RunFolder:
        """The folder of one run, within the study."""
        return RunFolder(self.root if self.single else self.root / "runs" / run.key)

    @property
    def scores(self) -> Path:
        """Every score of every patient in every run, CSV: the table that all statistics come from."""
        return self.tables / "scores.csv"

    @property
    def patients(self) -> Path:
        """Site, missing sequences and tumour volume of every patient, CSV."""
        return self.tables / "patients.csv"

    @property
    def tables(self) -> Path:
        """Every table of the report, as CSV and as Markdown."""
        return self.root / "tables"

    @property
    def report(self) -> Path:
        """The page for people, HTML."""
        return self.root / "report.html"
