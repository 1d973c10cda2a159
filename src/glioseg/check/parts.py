"""A split as the checks read it: with tolerance, because a leak in it is what they look for."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from glioseg.check.finding import Finding
from glioseg.dataset.lgg import case_of
from glioseg.dataset.splits import PARTS, read_split_file
from glioseg.errors import BadFileError


@dataclass(frozen=True)
class Parts:
    """Who stands where in a split file.

    Attributes:
        of: The first part in which each patient stands.
        findings: Persons in two parts.
    """

    of: Mapping[str, str]
    findings: tuple[Finding, ...]

    def against(self, patients: Sequence[str]) -> list[Finding]:
        """Patients that only the split or only the data knows."""
        message = {True: "the split names {}, which the data lacks", False: "the split does not name {}"}
        unknown = sorted(self.of.keys() ^ set(patients))
        return [Finding("split_incomplete", message[name in self.of].format(name), name) for name in unknown]


def read_parts(path: Path) -> Parts:
    """Read a split file even if it leaks.

    Raises:
        GliosegError: If it is no split file.
    """
    found = read_split_file(path)
    places = [(name, part) for part in PARTS for name in getattr(found, part)]
    if not places:
        raise BadFileError(path, "is no split file", expected="patients in train, validation or test", found="none")
    of: dict[str, str] = {}
    standing: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for name, part in places:
        of.setdefault(name, part)
        standing[case_of(name)].setdefault(part, name)
    return Parts(of, tuple(_leak(case, parts) for case, parts in standing.items() if len(parts) > 1))


def _leak(case: str, parts: Mapping[str, str]) -> Finding:
    message = f"{case} stands in {' and '.join(parts)}: {', '.join(dict.fromkeys(parts.values()))}"
    others = tuple((name, None) for name in list(parts.values())[1:])
    return Finding("split_leak", message, next(iter(parts.values())), others=others)
