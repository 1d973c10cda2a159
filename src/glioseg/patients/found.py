"""What became of the files of an input: each is a patient's, or left out with the reason."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glioseg.errors import GliosegError
from glioseg.files import readable
from glioseg.patients.source import PatientSource


@dataclass
class FoundPatients:
    """What inputs hold.

    Attributes:
        sources: The patients that can be tried.
        failures: For each that cannot, the message.
        owners: For each file of a patient whose it is: the key of the examination, or the name of a failure.
        left_out: For each file that is no patient's, the reason in a few words.
        places: Of each patient's examination, by its key, the place.
        shared: By the key of an examination those of its files that are accounted for with one before it.
    """

    sources: list[PatientSource] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    owners: dict[Path, str] = field(default_factory=dict)
    left_out: dict[Path, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    shared: dict[str, list[Path]] = field(default_factory=dict)

    @property
    def files(self) -> dict[Path, str]:
        """For each file of a patient, of either kind, the patient's name."""
        names = {source.examination.key: source.patient for source in self.sources}
        return {path: names.get(owner, owner) for path, owner in self.owners.items()}

    def add(self, source: PatientSource, files: Iterable[Path]) -> None:
        """Take a patient that can be tried, unless the same examination lies somewhere else too."""
        files, one = tuple(files), source.examination
        if one.key in self.places:
            self.fail(source.patient, f"the same examination lies in {self.places[one.key]} too.", files)
            return
        self.places[one.key] = one.place
        self.sources.append(source)
        if shared := [path for path in files if path in self.owners]:
            self.shared[one.key] = shared
        for path in files:
            self.owners.setdefault(path, one.key)

    def fail(self, name: str, message: str, files: Iterable[Path]) -> None:
        """Name a patient that cannot be tried."""
        files = tuple(files)
        if name in self.failures or name in self._names():
            name = f"{name} ({readable(str(files[0]))})"
        self.failures[name] = message
        self.owners |= dict.fromkeys(files, name)

    def leave_out(self, files: Iterable[Path], reason: str) -> None:
        """Account for files that are no patient's."""
        self.left_out |= dict.fromkeys(files, reason)

    def account_as(self, file: Path, other: Path) -> None:
        """Account for a file as for one that it belongs to."""
        self.left_out.pop(file, None)
        accounts = self.owners if other in self.owners else self.left_out
        accounts[file] = accounts[other]

    def join(self, other: "FoundPatients") -> None:
        """Take what a further input holds.

        Raises:
            GliosegError: If a patient is in both.
        """
        if twice := [source.patient for source in other.sources if source.examination.key in self.places]:
            raise GliosegError(f"patient {twice[0]} is given twice", remedy="Give each scan once")
        self.sources += other.sources
        for name, message in other.failures.items():
            self.failures[f"{name} (again)" if name in self.failures else name] = message
        self.places |= other.places
        self.shared |= other.shared
        self.owners |= other.owners
        self.left_out |= other.left_out

    def left_out_in_words(self) -> str:
        """How many files are left out and why, or nothing where none is."""
        reasons = ", ".join(f"{reason} ({count})" for reason, count in Counter(self.left_out.values()).most_common())
        total = len(self.left_out)
        return f"{total} file{'s' * (total != 1)} left out: {reasons}" if total else ""

    def as_json(self) -> Mapping[str, Any]:
        """The account of all files: how many each patient has, and which are left out."""
        return {
            "files": len(self.owners) + len(self.left_out),
            "of_patients": dict(Counter(self.files.values())),
            "left_out": [{"file": readable(str(path)), "reason": why} for path, why in self.left_out.items()],
        }

    def _names(self) -> set[str]:
        return {source.patient for source in self.sources}
