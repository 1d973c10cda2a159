"""Which of a person's examinations came before another, by the dates and sessions that files and names tell."""

import csv
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from glioseg.formats.sequences import bids_visit
from glioseg.patients.examination import Examination

_DATED = re.compile(r"(?P<person>.+)[_-](?P<year>(19|20)\d\d)-?(?P<month>\d\d)-?(?P<day>\d\d)")

_ENTITIES = re.compile(r"(_[a-zA-Z]+-[a-zA-Z0-9]+)*")
"""What may follow the session in a BIDS name, as ``_acq-iso_run-2``."""


@dataclass(frozen=True)
class Visit:
    """One examination in the course of a person.

    Attributes:
        person: The same in all examinations of the person, and in no other's.
        date: ISO 8601, or empty where nothing tells it.
        session: The label of the BIDS session, or empty.
    """

    person: str
    date: str = ""
    session: str = ""

    @property
    def when(self) -> str:
        """In words; empty where nothing tells it."""
        return self.date or (f"session {self.session}" if self.session else "")

    def is_before(self, other: "Visit") -> bool:
        """Whether it is known to be an earlier one of the same person: by date, or else by session."""
        if self.person != other.person:
            return False
        if self.date and other.date:
            return self.date < other.date
        return bool(self.session and other.session) and _natural(self.session) < _natural(other.session)


def visit_of(name: str, examination: Examination) -> Visit:
    """What is known of an examination.

    Args:
        name: Of its results, as ``sub-01_ses-02`` or ``TCGA_DU_7014_19860618``.
        examination: What its files tell.
    """
    if examination.person:
        day = examination.date
        return Visit(examination.person, f"{day[:4]}-{day[4:6]}-{day[6:]}" if day else "")
    subject, session = bids_visit(name) or ("", "")
    if session and _ENTITIES.fullmatch(name.removeprefix(f"{subject}_{session}")):
        return Visit(subject, _bids_date(subject, session, Path(examination.place)), session.removeprefix("ses-"))
    if found := _DATED.fullmatch(name):
        return Visit(found["person"], f"{found['year']}-{found['month']}-{found['day']}")
    return Visit(name)


def last_before(visit: Visit, others: Iterable[Visit]) -> Visit | None:
    """The last of a person's examinations before one, or None."""
    latest = None
    for other in others:
        if other.is_before(visit) and (latest is None or latest.is_before(other)):
            latest = other
    return latest


def _bids_date(person: str, session: str, flair: Path) -> str:
    """The day of a session, from the table of the session's scans or of the person's sessions."""
    for folder in flair.parents:
        day = ""
        if folder.name == session:
            day = _day(folder / f"{person}_{session}_scans.tsv", "filename", flair.relative_to(folder).as_posix())
        elif folder.name == person:
            day = _day(folder / f"{person}_sessions.tsv", "session_id", session)
        if day:
            return day
    return ""


def _day(table: Path, column: str, row: str) -> str:
    """The day in the column ``acq_time`` of one row, empty where there is none."""
    with suppress(OSError, ValueError, csv.Error), table.open(encoding="utf-8-sig", newline="") as file:
        for cells in csv.DictReader(file, delimiter="\t"):
            if cells.get(column) == row:
                found = re.match(r"\d{4}-\d\d-\d\d", cells.get("acq_time") or "")
                return found[0] if found else ""
    return ""


def _natural(session: str) -> list[tuple[int, str]]:
    """In the order in which a person counts: 2 before 10."""
    return [(int(number or 0), text) for number, text in re.findall(r"(\d+)|(\D+)", session)]
