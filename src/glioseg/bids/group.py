"""All participants of a data set: what came of each FLAIR, as a table and as a page."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from glioseg.atomic import write_text_atomically
from glioseg.bids.patient import BidsPatient
from glioseg.formats.sequences import bids_visit
from glioseg.patients.found import FoundPatients
from glioseg.patients.records import ResultRecords
from glioseg.report.page import ABSENT, render_page

State = Literal["done", "failed", "missing"]
NOT_YET = "It is not segmented yet."


@dataclass(frozen=True)
class GroupRow:
    """What came of a FLAIR, or of a session without one.

    Attributes:
        name: As ``sub-01_ses-1``.
        state: Whether it is segmented.
        reason: Why not.
        mask: The mask, relative to the data set; empty where there is none.
        sheet: The contact sheet, likewise.
        measured: Of the tumour, by column.
    """

    name: str
    state: State
    reason: str = ""
    mask: str = ""
    sheet: str = ""
    measured: Mapping[str, Any] = field(default_factory=dict)

    @property
    def visit(self) -> tuple[str, str]:
        """Subject and session; the latter is empty where there is none."""
        # What follows tells examinations of one name apart.
        return bids_visit(self.name.partition(" ")[0]) or (self.name, "")

    def as_row(self) -> dict[str, Any]:
        """A row of the table."""
        subject, session = self.visit
        told = {"state": self.state, "reason": self.reason, "filename": self.mask}
        return {**self.measured, "participant_id": subject, "session_id": session, **told}

    @property
    def urgency(self) -> int:
        """Sort key: the lower, the sooner a person should look."""
        if self.state != "done":
            return 0
        return {"doubtful": 1, "none": 2}.get(str(self.measured.get("presence")), 3)


def group_rows(found: FoundPatients, records: ResultRecords) -> list[GroupRow]:
    """A row for each FLAIR that there is, and for each session without one, in the order of names."""
    rows, failures = records.rows(), records.failures()
    of_pictures = [_row(one, rows, failures, records.out) for one in found.sources if isinstance(one, BidsPatient)]
    of_sessions = [GroupRow(name, "failed", message) for name, message in found.failures.items()]
    return sorted([*of_pictures, *of_sessions], key=lambda row: row.name)


def write_group_report(path: Path, title: str, rows: Sequence[GroupRow]) -> None:
    """Write the page of all participants as one HTML file; images are those beside it.

    Raises:
        GliosegError: If the file cannot be written.
    """
    write_text_atomically(path, render_group_report(title, rows))


def render_group_report(title: str, rows: Sequence[GroupRow]) -> str:
    """The page as HTML text; the same rows give the same text."""
    contents = {
        "title": f"Tumour masks of {title}",
        "key_figures": _key_figures(rows),
        "rows": [_line(row) for row in sorted(rows, key=lambda row: (row.urgency, row.name))],
    }
    return render_page("group_report.html.j2", contents)


def _row(patient: BidsPatient, rows: Mapping[str, Any], failures: Mapping[str, str], out: Path) -> GroupRow:
    name = patient.patient
    if name in rows:
        sheet = patient.name_of("sheet")
        drawn = sheet if (out / sheet).is_file() else ""
        return GroupRow(name, "done", mask=patient.mask_name, sheet=drawn, measured=rows[name])
    return GroupRow(name, "failed" if name in failures else "missing", failures.get(name, NOT_YET))


def _key_figures(rows: Sequence[GroupRow]) -> list[tuple[str, str, str]]:
    states = Counter(row.state for row in rows)
    told = Counter(str(row.measured.get("presence")) for row in rows if row.state == "done")
    participants = {row.visit[0] for row in rows}
    return [
        ("Participants", str(len(participants)), f"{len(rows)} examinations"),
        ("Segmented", str(states["done"]), f"{states['missing']} not yet"),
        ("Failed", str(states["failed"]), "the remarks tell why"),
        ("Tumour present", str(told["present"]), "examinations"),
        ("Doubtful", str(told["doubtful"]), "to be looked at first"),
        ("No tumour", str(told["none"]), "the mask is empty"),
    ]


def _line(row: GroupRow) -> dict[str, str]:
    measured = row.measured
    if row.state != "done":
        return {"name": row.name, "state": row.state, "remarks": row.reason, "sheet": ""}
    diameters = [_number(measured.get(f"{which}_diameter_mm")) for which in ("longest", "perpendicular")]
    return {
        "name": row.name,
        "state": str(measured.get("presence") or "done"),
        "volume": _number(measured.get("volume_ml")),
        "diameters": ABSENT if ABSENT in diameters else " x ".join(diameters),
        "slices": f"{measured.get('tumour_slices')} of {measured.get('slices')}",
        "side": str(measured.get("side") or ABSENT),
        "dice": _number(measured.get("expected_dice"), 2),
        "remarks": str(measured.get("remarks") or ""),
        "sheet": row.sheet,
    }


def _number(value: Any, decimals: int = 1) -> str:
    return ABSENT if value is None or value == "" else f"{float(value):.{decimals}f}"
