"""A split as the checks read it: with tolerance, because a leak in it is what they look for."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from glioseg.check.finding import Finding
from glioseg.dataset.lgg import case_of
from glioseg.dataset.splits import PARTS
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
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        places = [(name, part) for part in PARTS for name in content.get(part, ())]
        if not places or not all(isinstance(name, str) for name, _ in places):
            raise ValueError("no lists of names")
    except FileNotFoundError:
        raise BadFileError(path, "does not exist") from None
    except (OSError, ValueError, AttributeError, TypeError) as error:
        expected = "JSON with the lists train, validation and test"
        raise BadFileError(path, "is no split file", expected=expected, found=str(error)) from error
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
