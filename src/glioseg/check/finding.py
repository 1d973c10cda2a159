"""One thing that is wrong, doubtful or worth knowing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from glioseg.check.catalogue import KINDS, Kind, Severity

Evidence = str | int | float


@dataclass(frozen=True)
class Finding:
    """What was found, where, and the numbers that show it.

    Attributes:
        code: A key of :data:`glioseg.check.catalogue.KINDS`.
        message: One sentence without the full stop.
        patient: Whom it concerns, or None where it concerns the set.
        slice_number: The slice's number in its file's name, or counted from 1 where slices have no file.
        file: The file, relative to the data folder.
        evidence: Measured numbers by name.
        others: Patients and slices that it concerns as well, such as the other copies of a slice.
        severity_here: A severity other than the usual one of its kind.
    """

    code: str
    message: str
    patient: str | None = None
    slice_number: int | None = None
    file: str | None = None
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    others: tuple[tuple[str, int | None], ...] = ()
    severity_here: Severity | None = None

    @property
    def kind(self) -> Kind:
        """What all findings of this code have in common."""
        return KINDS[self.code]

    @property
    def severity(self) -> Severity:
        """``error``, ``warning`` or ``note``: its own, or else that of its kind."""
        return self.severity_here or self.kind.severity

    def as_json(self) -> dict[str, Any]:
        """The finding as plain values."""
        return {
            "severity": self.severity,
            "code": self.code,
            "patient": self.patient,
            "slice": self.slice_number,
            "file": self.file,
            "message": self.message,
            "evidence": dict(self.evidence),
            "others": [{"patient": patient, "slice": number} for patient, number in self.others],
            "remedy": self.kind.remedy,
        }


def in_order(findings: list[Finding]) -> tuple[Finding, ...]:
    """Errors first, then by kind, rank where there is one, patient and slice."""
    kinds = list(KINDS)
    return tuple(
        sorted(
            findings,
            key=lambda finding: (
                ("error", "warning", "note").index(finding.severity),
                kinds.index(finding.code),
                finding.evidence.get("rank", 0),
                finding.patient or "",
                -1 if finding.slice_number is None else finding.slice_number,
                finding.file or "",
            ),
        )
    )
