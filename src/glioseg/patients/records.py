"""The record of every examination whose results lie in a folder: ``records/<name>.json``, one small file for each.

A record is begun before anything of an examination is written, so that nothing else takes its name, and completed when
all of it is there, or says why that cannot be. The tables of a folder are made from them and so hold the rows of every
run into it, one that was killed included. Of each record little more than its row is held: there may be 100,000.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, TypeAdapter

from glioseg.atomic import claim, clear_unfinished, write_text_atomically
from glioseg.errors import BadFileError, GliosegError, fault_in_words
from glioseg.patients.examination import Examination, names_of
from glioseg.patients.manifest import KeptResult
from glioseg.patients.source import PatientSource

RECORDS, SHARDS, STUDIES = "records", "shards", "studies"
BEGUN, DONE, FAILED = "begun", "done", "failed"

# Under which names results lie, beside the folder of a patient's slices.
_ENDINGS = ("", "_mask.nii.gz", "_seg.dcm")
# Beyond so many examinations the table is not written anew for each.
_FEW = 1000


def clear_leftovers(out: Path) -> None:
    """Take away what runs into a folder left unfinished when they were killed; see :func:`clear_unfinished`."""
    for folder in (out, out / RECORDS, out / STUDIES, *(out / SHARDS).glob("*")):
        clear_unfinished(folder)


@dataclass(frozen=True, slots=True)
class _Entry:
    """What is held of a record.

    Attributes:
        state: Begun, done or failed.
        key: Of the examination.
        ended: When it was done.
        request: What was asked for; None where that is not told.
        message: Why it failed.
        is_whole: Whether all outputs of one that is done were written.
        columns: Of its row; records of one version share them.
        values: Of its row, as JSON, which takes a tenth of the memory.
    """

    state: str
    key: str
    ended: str = ""
    request: str | None = None
    message: str = ""
    is_whole: bool = False
    columns: tuple[str, ...] = ()
    values: str = "[]"

    @property
    def row(self) -> dict[str, Any]:
        """Of the table of measurements."""
        return dict(zip(self.columns, json.loads(self.values), strict=True))


class ResultRecords:
    """The records of a folder.

    Args:
        out: The folder; it may be new.
        kept_in: Where the records lie; in its folder ``records``, unless told otherwise.
        only: Whether the record of a name is wanted; where results go under names that are fixed, others need not be
            read.

    Raises:
        GliosegError: If a record cannot be read.
    """

    def __init__(self, out: Path, kept_in: Path | None = None, only: Callable[[str], bool] = lambda name: True) -> None:
        self.out, self._kept_in = out, kept_in or out / RECORDS
        self._columns: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._unwritten: dict[str, dict[str, Any]] = {}
        self._only = only
        self._by_name: dict[str, _Entry] = {}
        self._by_key: dict[str, _Entry] = {}
        self.catch_up()

    def catch_up(self) -> None:
        """Read what is not known yet, as what other processes have recorded in the folder meanwhile.

        Raises:
            GliosegError: If a record cannot be read.
        """
        unknown = [
            path for path in self._kept_in.glob("*.json") if not self._knows(path.stem) and self._only(path.stem)
        ]
        found = self._by_name | {path.stem: self._entry(_read(path)) for path in unknown}
        self._by_name = dict(sorted(found.items(), key=lambda item: item[1].ended))
        self._by_key = {entry.key: entry for entry in self._by_name.values()}

    def named(self, sources: Sequence[PatientSource]) -> list[PatientSource]:
        """The sources under names of their own: that of their record, or one under which nothing lies yet."""
        known = self.names()
        examinations = [source.examination for source in sources]
        names = names_of(examinations, known, self._is_taken)
        return [source.called(name) for source, name in zip(sources, names, strict=True)]

    def names(self) -> dict[str, str]:
        """By the key of each examination the name of its results."""
        return {entry.key: name for name, entry in self._by_name.items()}

    def begin(self, name: str, examination: Examination) -> None:
        """Take a name before its results are written; an earlier record stays until it is replaced.

        Raises:
            GliosegError: If another process took it for another scan.
        """
        if name in self._by_name:
            return
        record = {"state": BEGUN, "examination": vars(examination)}
        if not claim(self._path(name), _as_text(name, record)):
            other = _read(self._path(name))
            if other["examination"]["key"] != examination.key:
                raise GliosegError(
                    f"the name {name} was taken meanwhile by {other['examination']['place'] or 'another scan'}",
                    remedy="Repeat the command with --retry-failed: this scan then gets another name",
                )
        self._by_name[name] = self._entry(record)

    def complete(
        self,
        name: str,
        examination: Examination,
        run: Mapping[str, Any],
        row: Mapping[str, Any],
        result: Mapping[str, Any],
    ) -> None:
        """Record that all results of an examination are written.

        Args:
            name: Of the results.
            examination: What was predicted.
            run: What tells the run: model, version, start.
            row: Of the table of measurements.
            result: Everything known, as JSON takes it.

        Raises:
            GliosegError: If the record cannot be written; the row is in the tables all the same.
        """
        record = {"state": DONE, "examination": vars(examination), "run": run, "row": row, "result": result}
        record["ended"] = datetime.now(UTC).isoformat()
        self._by_name.pop(name, None)
        self._write(name, record)

    def fail(self, name: str, examination: Examination, run: Mapping[str, Any], message: str) -> None:
        """Record that an examination could not be predicted; raises as :meth:`complete`.

        Where another scan's results have the name, nothing is recorded, and the examination counts as not tried.
        """
        held = self._by_name.get(name)
        begun = {"state": BEGUN, "examination": vars(examination)}
        if held is None and not claim(self._path(name), _as_text(name, begun)):
            held = self._entry(_read(self._path(name)))
        if held is None or held.key == examination.key:
            self._write(name, {"state": FAILED, "examination": vars(examination), "run": run, "message": message})

    def is_settled(self, examination: Examination, request: str, *, retry_failed: bool) -> bool:
        """Whether the same request was done for an examination, or failed and is not to be tried again."""
        entry = self._by_key.get(examination.key)
        if entry is None or entry.state == BEGUN or entry.request != request:
            return False
        return entry.is_whole if entry.state == DONE else not retry_failed

    def is_tried(self, examination: Examination) -> bool:
        """Whether an examination was done or failed, whatever was asked for."""
        entry = self._by_key.get(examination.key)
        return entry is not None and entry.state != BEGUN

    def failure(self, examination: Examination) -> str | None:
        """Why an examination could not be predicted; None where it could, or was not tried."""
        entry = self._by_key.get(examination.key)
        return entry.message if entry is not None and entry.state == FAILED else None

    def failures(self) -> dict[str, str]:
        """By name why an examination could not be predicted."""
        return {name: entry.message for name, entry in self._by_name.items() if entry.state == FAILED}

    def results(self) -> Iterator[dict[str, Any]]:
        """Of every completed examination the result, with the run that it is of; those of this run last.

        Raises:
            GliosegError: If a record cannot be read any more.
        """
        for name, _ in self._done():
            record = self._unwritten.get(name) or _read(self._path(name))
            yield {**record["result"], "run": record["run"]}

    def rows(self) -> dict[str, dict[str, Any]]:
        """By name the row of every completed examination."""
        return {name: entry.row for name, entry in self._done()}

    def table(self) -> str:
        """The rows of every completed examination as CSV; empty without any."""
        done = [entry for _, entry in self._done()]
        # A later version may know more columns than the one that wrote an earlier row.
        columns = dict.fromkeys(column for entry in reversed(done) for column in entry.columns)
        return as_csv(list(columns), (entry.row for entry in done)) if done else ""

    def is_time_for_the_table(self) -> bool:
        """After each examination, or where there are thousands, less often: each time all rows are written."""
        return len(self._by_name) % (len(self._by_name) // _FEW + 1) == 0

    def _is_taken(self, name: str) -> bool:
        return name in self._by_name or any((self.out / f"{name}{ending}").exists() for ending in _ENDINGS)

    def _knows(self, name: str) -> bool:
        entry = self._by_name.get(name)
        return entry is not None and entry.state != BEGUN

    def _done(self) -> list[tuple[str, _Entry]]:
        return [(name, entry) for name, entry in list(self._by_name.items()) if entry.state == DONE]

    def _write(self, name: str, record: dict[str, Any]) -> None:
        # First in memory: on a full disk the run's own table may still find room.
        self._by_name[name] = self._by_key[record["examination"]["key"]] = self._entry(record)
        self._unwritten[name] = record
        write_text_atomically(self._path(name), _as_text(name, record))
        del self._unwritten[name]

    def _entry(self, record: Mapping[str, Any]) -> _Entry:
        row = record.get("row", {})
        columns = tuple(row)
        return _Entry(
            record["state"],
            record["examination"]["key"],
            str(record.get("ended") or ""),
            record.get("run", {}).get("request"),
            record.get("message", ""),
            not record.get("result", {}).get("not_written"),
            self._columns.setdefault(columns, columns),
            json.dumps(list(row.values())),
        )

    def _path(self, name: str) -> Path:
        return self._kept_in / f"{name}.json"


def _as_text(name: str, record: Mapping[str, Any]) -> str:
    return json.dumps({"patient": name, **record}, indent=1, ensure_ascii=False) + "\n"


def as_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """A table with a header; what a row lacks is empty."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


class _Key(BaseModel):
    key: str = Field(min_length=1)
    place: str


class _Begun(BaseModel):
    state: Literal["begun"]
    examination: _Key


class _Failed(BaseModel):
    state: Literal["failed"]
    examination: _Key
    run: dict[str, Any] = {}
    message: str = ""


class _Done(BaseModel):
    state: Literal["done"]
    examination: _Key
    run: dict[str, Any]
    row: dict[str, Any]
    result: KeptResult


_RECORD = TypeAdapter[_Begun | _Failed | _Done](Annotated[_Begun | _Failed | _Done, Field(discriminator="state")])


def _read(path: Path) -> dict[str, Any]:
    try:
        content = path.read_bytes()
        _RECORD.validate_json(content)
        return dict(json.loads(content))
    except (OSError, ValueError) as error:
        raise BadFileError(
            path,
            "cannot be read",
            expected="the record of an examination",
            found=fault_in_words(error),
            remedy="Take the file away",
        ) from error
