"""What readers have done, in one SQLite file: nothing is acknowledged before it is in there.

The file lies in the folder that is read, in WAL mode, and any tool for SQLite opens it; docs/review.md tells what the
tables mean. Runs are JSON lists as in :mod:`glioseg.review.runs`. Times are UTC, ISO 8601.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from glioseg.errors import BadFileError, GliosegError

SCHEMA_VERSION = 1
SCHEMA = """
create table cases (
  case_id text primary key,          -- beginning of the SHA-256 of the patient's identifier
  patient text not null,
  shape text not null,               -- JSON: slices, rows, columns
  prediction text not null,          -- the mask that reading began from: runs
  kind text not null,                -- prediction, given mask, or nothing yet
  kept_at text not null
);
create table readings (
  case_id text not null,
  reading text not null,             -- 'shared', or the reader who reads blind
  state text not null,               -- new, in work, accepted, corrected, rejected, unsure
  reader text,                       -- who worked on it last
  comment text not null default '',
  revision integer not null default 0,
  seconds real not null default 0,   -- of activity, idle time taken off
  primary key (case_id, reading)
);
create table strokes (
  case_id text not null,
  reading text not null,
  revision integer not null,         -- of the mask after it, the first stroke makes revision 1
  stroke_id text not null,           -- chosen by the page, so that a repeat is known as one
  tool text not null,
  detail text not null,              -- JSON
  added text not null,               -- runs that became tumour
  removed text not null,             -- runs that became none
  voxels integer not null,           -- in both together
  reader text not null,
  drawn_at text not null,
  primary key (case_id, reading, revision),
  unique (case_id, reading, stroke_id)
);
create table savings (
  saving integer primary key,
  case_id text not null,
  reading text not null,
  reader text not null,
  saved_at text not null,
  state text not null,
  comment text not null,
  revision integer not null,
  seconds real not null,             -- of activity on the case up to now
  strokes integer not null,          -- without undone ones and without undoing
  voxels_added integer not null,     -- against the prediction
  voxels_removed integer not null,
  dice real,                         -- of prediction and correction, null where both are empty
  files text,                        -- JSON, null until they are written
  measurement text,                  -- JSON, as 'glioseg measure --json'
  problem text,                      -- why they could not be written
  sent_to text                       -- the archive that has them
);
create table thumbnails (case_id text primary key, png blob not null);
"""

State = Literal["new", "in work", "accepted", "corrected", "rejected", "unsure"]
DECIDED: tuple[State, ...] = ("accepted", "corrected", "rejected", "unsure")
KEPT: tuple[State, ...] = ("accepted", "corrected")
"""Decisions whose mask is a result."""


class ConflictError(GliosegError):
    """Somebody else has changed the case since.

    Attributes:
        revision: The one that is current.
        reader: Who made it.
    """

    def __init__(self, revision: int, reader: str | None) -> None:
        self.revision, self.reader = revision, reader
        super().__init__(
            f"the case was changed elsewhere, by {reader or 'another tab'}",
            remedy="Load it again; what was drawn there is kept",
        )


@dataclass(frozen=True)
class Reading:
    """Where a reading of a case stands; see the table ``readings``."""

    state: State = "new"
    reader: str | None = None
    comment: str = ""
    revision: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Stroke:
    """One change of a mask.

    Attributes:
        id: Chosen by whoever draws.
        tool: In a word.
        detail: What the tool was set to.
        added: Runs as a list.
        removed: Likewise.
        seconds: Of activity since the last message.
    """

    id: str
    tool: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    added: list[int] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class Decision:
    """What a reader decided, and what the correction amounts to; see the table ``savings``."""

    state: State
    comment: str
    seconds: float
    voxels_added: int
    voxels_removed: int
    dice: float | None


class Store:
    """The file, for any number of threads; other processes may have it open too.

    Args:
        path: Made where it is missing.

    Raises:
        GliosegError: If it cannot be opened, is no such store, or was made by a newer glioseg.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._lock = path, threading.Lock()
        with _told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
            self._connection.row_factory = sqlite3.Row
            # Full: a stroke that the page was told of survives a loss of power too.
            self._connection.executescript("pragma journal_mode = wal; pragma synchronous = full;")
        self._prepare()

    def close(self) -> None:
        """Close it; what was acknowledged is in it since long."""
        with self._lock:
            self._connection.close()

    def keep_prediction(self, case_id: str, patient: str, shape: list[int], prediction: list[int], kind: str) -> None:
        """Keep the mask that reading begins from, unless strokes or decisions rest on an earlier one."""
        with self._writing() as run:
            used = run("select 1 from readings where case_id = ? and state != 'new'", case_id).fetchone()
            if used and run("select 1 from cases where case_id = ?", case_id).fetchone():
                return
            values = (case_id, patient, json.dumps(shape), _text(prediction), kind, _now())
            # Its small image shows the mask of before.
            run(
                "delete from thumbnails where case_id = ? and exists (select 1 from cases where case_id = ?"
                " and prediction != ?)",
                case_id,
                case_id,
                values[3],
            )
            run("insert or replace into cases values (?, ?, ?, ?, ?, ?)", *values)

    def prediction(self, case_id: str) -> tuple[list[int], list[int], str]:
        """Shape, runs and kind of the mask that reading began from; it must have been kept."""
        row = self._one("select shape, prediction, kind from cases where case_id = ?", case_id)
        assert row is not None
        return json.loads(row["shape"]), json.loads(row["prediction"]), row["kind"]

    def reading(self, case_id: str, reading: str) -> Reading:
        """Where a case stands; new where nothing was done."""
        row = self._one(f"{_READING} where case_id = ? and reading = ?", case_id, reading)
        return Reading(**{key: row[key] for key in _READING_FIELDS}) if row else Reading()

    def readings(self, reading: str) -> dict[str, Reading]:
        """Every case of a reading with which something was done, by its identifier."""
        rows = self._all(f"{_READING} where reading = ?", reading)
        return {row["case_id"]: Reading(**{key: row[key] for key in _READING_FIELDS}) for row in rows}

    def reading_names(self) -> list[str]:
        """Every reading with a decision in it."""
        return [row["reading"] for row in self._all("select distinct reading from savings order by reading")]

    def add_stroke(self, case_id: str, reading: str, revision: int, stroke: Stroke, reader: str) -> int:
        """Write a stroke down.

        Args:
            case_id: The case.
            reading: In which reading.
            revision: Of the mask that it was drawn on.
            stroke: It fits that mask.
            reader: Who drew.

        Returns:
            The revision that it makes; for a stroke that is there already, the one that it made.

        Raises:
            ConflictError: If the mask has another revision by now; then nothing is written.
            GliosegError: If the file cannot be written.
        """
        with self._writing() as run:
            known = self.revision_of(case_id, reading, stroke.id, run)
            if known is not None:
                return known
            new = _check_revision(run, case_id, reading, revision) + 1
            run(
                "insert into strokes values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                *(case_id, reading, new, stroke.id, stroke.tool, json.dumps(stroke.detail)),
                *(_text(stroke.added), _text(stroke.removed), sum(stroke.added[1::2]) + sum(stroke.removed[1::2])),
                *(reader, _now()),
            )
            _touch(run, case_id, reading, stroke.seconds)
            set_to = "state = 'in work', reader = ?, revision = ?"
            run(f"update readings set {set_to} where case_id = ? and reading = ?", reader, new, case_id, reading)
            return new

    def revision_of(self, case_id: str, reading: str, stroke_id: str, run: Any = None) -> int | None:
        """The revision that a stroke made, or None where it is not there."""
        query = "select revision from strokes where case_id = ? and reading = ? and stroke_id = ?"
        row = (
            run(query, case_id, reading, stroke_id).fetchone() if run else self._one(query, case_id, reading, stroke_id)
        )
        return row["revision"] if row else None

    def strokes(self, case_id: str, reading: str, after: int = 0) -> list[dict[str, Any]]:
        """The strokes of a case in order, those up to a revision left out."""
        rows = self._all(
            "select revision, stroke_id as id, tool, detail, added, removed, reader from strokes"
            " where case_id = ? and reading = ? and revision > ? order by revision",
            *(case_id, reading, after),
        )
        parsed = ("detail", "added", "removed")
        return [{key: json.loads(row[key]) if key in parsed else row[key] for key in row.keys()} for row in rows]  # noqa: SIM118

    def drawn(self, case_id: str, reading: str) -> int:
        """How many strokes stand: undoing takes one back, redoing brings it again."""
        rows = self._all("select tool from strokes where case_id = ? and reading = ?", case_id, reading)
        return sum(-1 if row["tool"] == "undo" else 1 for row in rows)

    def decide(self, case_id: str, reading: str, revision: int, decision: Decision, reader: str) -> tuple[int, int]:
        """Write a decision down, its files still to be written.

        A decision makes a revision too, so that nobody overwrites it who has not seen it.

        Returns:
            The number of the saving and the new revision.

        Raises:
            ConflictError: If the mask has another revision by now; then nothing is written.
            GliosegError: If the file cannot be written.
        """
        strokes = self.drawn(case_id, reading)
        with self._writing() as run:
            new = _check_revision(run, case_id, reading, revision) + 1
            _touch(run, case_id, reading, decision.seconds)
            set_to = "state = ?, reader = ?, comment = ?, revision = ?"
            values = (decision.state, reader, decision.comment, new, case_id, reading)
            run(f"update readings set {set_to} where case_id = ? and reading = ?", *values)
            seconds = run("select seconds from readings where case_id = ? and reading = ?", case_id, reading).fetchone()
            saving = {
                "case_id": case_id,
                "reading": reading,
                "reader": reader,
                "saved_at": _now(),
                "state": decision.state,
                "comment": decision.comment,
                "revision": new,
                "seconds": round(seconds["seconds"], 1),
                "strokes": strokes,
                "voxels_added": decision.voxels_added,
                "voxels_removed": decision.voxels_removed,
                "dice": decision.dice,
            }
            places = ", ".join("?" * len(saving))
            cursor = run(f"insert into savings ({', '.join(saving)}) values ({places})", *saving.values())
            return int(cursor.lastrowid), new

    def add_seconds(self, case_id: str, reading: str, seconds: float) -> None:
        """Add to the time that a reader looked at a case."""
        with self._writing() as run:
            _touch(run, case_id, reading, seconds)

    def savings(self, reading: str | None = None) -> list[dict[str, Any]]:
        """Every saving in order, of one reading or of all; with the patient."""
        where = "" if reading is None else "where reading = ?"
        rows = self._all(
            f"select savings.*, patient from savings join cases using (case_id) {where} order by saving",
            *(() if reading is None else (reading,)),
        )
        return [dict(row) for row in rows]

    def last_savings(self, reading: str) -> dict[str, dict[str, Any]]:
        """The last saving of each case of a reading that still stands decided."""
        decided = {case_id for case_id, found in self.readings(reading).items() if found.state in DECIDED}
        return {row["case_id"]: row for row in self.savings(reading) if row["case_id"] in decided}

    def finish_saving(self, saving: int, files: list[str], measurement: Mapping[str, Any] | None) -> None:
        """Note that the files of a saving are written."""
        with self._writing() as run:
            told = json.dumps(measurement, allow_nan=False) if measurement is not None else None
            set_to = "files = ?, measurement = ?, problem = null"
            run(f"update savings set {set_to} where saving = ?", json.dumps(files), told, saving)

    def fail_saving(self, saving: int, problem: str) -> None:
        """Note why the files of a saving could not be written."""
        with self._writing() as run:
            run("update savings set problem = ? where saving = ?", problem, saving)

    def mark_sent(self, saving: int, url: str) -> None:
        """Note that an archive has the files of a saving."""
        with self._writing() as run:
            run("update savings set sent_to = ? where saving = ?", url, saving)

    def thumbnail(self, case_id: str) -> bytes | None:
        """The small image of a case as PNG, or None where there is none yet."""
        row = self._one("select png from thumbnails where case_id = ?", case_id)
        return row["png"] if row else None

    def keep_thumbnail(self, case_id: str, png: bytes) -> None:
        """Keep a case's small image, PNG, in place of an earlier one."""
        with self._writing() as run:
            run("insert or replace into thumbnails values (?, ?)", case_id, png)

    def thumbnails(self) -> set[str]:
        """Identifiers of the cases that have a small image."""
        return {row["case_id"] for row in self._all("select case_id from thumbnails")}

    def _prepare(self) -> None:
        with self._writing() as run:
            version = run("pragma user_version").fetchone()[0]
            if version == 0:
                for statement in SCHEMA.split(";\n"):
                    run(statement)
                run(f"pragma user_version = {SCHEMA_VERSION}")
            elif version != SCHEMA_VERSION:
                raise GliosegError(
                    f"{self.path} was written by another version of glioseg",
                    expected=f"schema {SCHEMA_VERSION}",
                    found=f"schema {version}",
                    remedy="Use the newer glioseg",
                )

    @contextmanager
    def _writing(self) -> Iterator[Any]:
        """A transaction that holds the file from its first query on, so that what it read stays true."""
        with self._lock, _told(self.path):
            self._connection.execute("begin immediate")
            try:
                yield lambda query, *values: self._connection.execute(query, values)
                self._connection.execute("commit")
            except BaseException:
                # On a full disk SQLite has taken it back already, or failed to write it at the very end.
                if self._connection.in_transaction:
                    self._connection.execute("rollback")
                raise

    def _all(self, query: str, *values: Any) -> list[sqlite3.Row]:
        with self._lock, _told(self.path):
            return self._connection.execute(query, values).fetchall()

    def _one(self, query: str, *values: Any) -> sqlite3.Row | None:
        rows = self._all(query, *values)
        return rows[0] if rows else None


_READING_FIELDS = ("state", "reader", "comment", "revision", "seconds")
_READING = f"select case_id, {', '.join(_READING_FIELDS)} from readings"


def _check_revision(run: Any, case_id: str, reading: str, revision: int) -> int:
    row = run("select revision, reader from readings where case_id = ? and reading = ?", case_id, reading).fetchone()
    current, reader = (row["revision"], row["reader"]) if row else (0, None)
    if current != revision:
        raise ConflictError(current, reader)
    return revision


def _touch(run: Any, case_id: str, reading: str, seconds: float) -> None:
    run("insert or ignore into readings (case_id, reading, state) values (?, ?, 'new')", case_id, reading)
    run("update readings set seconds = seconds + ? where case_id = ? and reading = ?", seconds, case_id, reading)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise BadFileError(
            path,
            f"cannot be used: {error}",
            expected="a folder on a disk of this machine, with free space and the right to write",
            remedy="What was acknowledged before is kept",
        ) from error


def _text(runs: list[int]) -> str:
    return json.dumps(runs, separators=(",", ":"))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
