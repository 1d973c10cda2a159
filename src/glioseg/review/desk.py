"""The desk itself: opens cases, takes strokes and decisions, and has the results written.

It knows nothing of the transport; :mod:`glioseg.review.server` puts it on HTTP.
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glioseg.errors import GliosegError
from glioseg.evaluation.metrics import dice
from glioseg.review.cases import NO_PROBABILITIES, Cases, ReviewCase
from glioseg.review.images import PROBABILITY_STEPS
from glioseg.review.opened import OpenCase, open_case
from glioseg.review.runs import as_list, changed, parse_runs, runs_of
from glioseg.review.saving import write_saving, write_tables
from glioseg.review.store import DECIDED, Decision, Reading, Store, Stroke

FOLDER, SHARED = "review", "shared"
OPEN_CASES = 3
"""The one that is read, the next, and the earlier examination."""


class UnknownCaseError(KeyError):
    """There is no case with this identifier."""


class Desk:
    """One reader at the cases of a folder.

    Args:
        cases: What there is to read.
        store: Where everything is written down.
        reader: Who reads.
        reading: The shared reading, or the reader's own, blind to others'.
    """

    def __init__(self, cases: Cases, store: Store, reader: str, reading: str = SHARED) -> None:
        self.cases, self.store, self.reader, self.reading = cases, store, reader, reading
        self._open: OrderedDict[str, Future[OpenCase]] = OrderedDict()
        self._masks: dict[str, tuple[int, NDArray[np.bool_]]] = {}
        self._lock = threading.RLock()
        # One thread writes, so that tables are never written by two; one reads ahead for the small images.
        self._writer = ThreadPoolExecutor(1, "saving")
        self._painter = ThreadPoolExecutor(1, "thumbnails")

    @property
    def folder(self) -> Path:
        """Where results of this reading are written."""
        return self.cases.folder / FOLDER / self.reading

    def start(self) -> None:
        """Write what an earlier session could not write any more, and draw the small images that are missing."""
        for row in self.store.last_savings(self.reading).values():
            if row["files"] is None:
                self._writer.submit(self._save, row["saving"], row["case_id"])
        drawn = self.store.thumbnails()
        for case_id, case in self.cases.cases.items():
            if case_id not in drawn and case.problem is None:
                self._painter.submit(self._paint, case_id)

    def close(self) -> None:
        """Let the writer finish; small images can wait for the next time."""
        self._painter.shutdown(wait=True, cancel_futures=True)
        self._writer.shutdown(wait=True)
        self.store.close()

    def case(self, case_id: str) -> ReviewCase:
        """A case by its identifier.

        Raises:
            UnknownCaseError: If there is none.
        """
        if case_id not in self.cases.cases:
            raise UnknownCaseError(case_id)
        return self.cases.cases[case_id]

    def open(self, case_id: str) -> OpenCase:
        """A case in memory, read from its files where it is not there yet.

        Raises:
            UnknownCaseError: If there is none.
            GliosegError: If scan or mask cannot be read.
        """
        case = self.case(case_id)
        with self._lock:
            future = self._open.get(case_id)
            mine = future is None
            if future is None:
                future = self._open[case_id] = Future()
            self._open.move_to_end(case_id)
            while len(self._open) > OPEN_CASES:
                self._masks.pop(self._open.popitem(last=False)[0], None)
        if mine:
            self._read(case, future)
        return future.result()

    def mask(self, case_id: str) -> tuple[int, NDArray[np.bool_]]:
        """The mask after all strokes, with its revision; not to be changed."""
        opened = self.open(case_id)
        with self._lock:
            known, mask = self._masks.get(case_id, (0, opened.prediction))
            # Before the strokes, so that one of another process that comes between belongs to the next time.
            revision = self.store.reading(case_id, self.reading).revision
            for stroke in self.store.strokes(case_id, self.reading, known):
                if stroke["revision"] <= revision:
                    mask = _after(mask, stroke)
            self._masks[case_id] = revision, mask
            return revision, mask

    def strokes(self, case_id: str, after: int = 0) -> dict[str, Any]:
        """The mask as the page keeps it: what reading began from and what was taken for no tumour, both as runs, and
        the strokes since a revision.

        Raises:
            UnknownCaseError: If there is no such case.
            GliosegError: If the case cannot be opened.
        """
        opened = self.open(case_id)
        # Before the strokes, as in mask().
        revision = self.store.reading(case_id, self.reading).revision
        strokes = [each for each in self.store.strokes(case_id, self.reading, after) if each["revision"] <= revision]
        return {
            "revision": revision,
            "prediction": as_list(runs_of(opened.prediction)),
            "candidate": None if opened.candidate is None else as_list(runs_of(opened.candidate)),
            "strokes": strokes,
        }

    def draw(self, case_id: str, revision: int, stroke: Stroke) -> int:
        """Take a stroke, and tell the revision that it makes once it is in the store.

        Raises:
            UnknownCaseError: If there is no such case.
            ConflictError: If it was drawn on another revision than the current one.
            GliosegError: If it does not fit the mask, or the store cannot be written.
        """
        with self._lock:
            known = self.store.revision_of(case_id, self.reading, stroke.id)
            if known is not None:
                return known
            current, mask = self.mask(case_id)
            voxels = mask.size
            added, removed = parse_runs(stroke.added, voxels), parse_runs(stroke.removed, voxels)
            after = changed(mask, added, removed) if current == revision else mask
            new = self.store.add_stroke(case_id, self.reading, revision, stroke, self.reader)
            self._masks[case_id] = new, after
            return new

    def decide(self, case_id: str, revision: int, wanted: str, comment: str, seconds: float) -> tuple[str, int]:
        """Take a decision, have its files written, and tell the state that was recorded and the revision it makes.

        A mask with changed voxels is corrected and one without is accepted, whichever of the two is said.

        Raises:
            UnknownCaseError: If there is no such case.
            ConflictError: If the case has changed.
            GliosegError: If the decision is none, or the store cannot be written.
        """
        if wanted not in DECIDED:
            raise GliosegError(f"{wanted!r} is no decision", expected=", ".join(DECIDED))
        before = self.open(case_id).prediction
        _, mask = self.mask(case_id)
        added, removed = int((mask & ~before).sum()), int((before & ~mask).sum())
        state: Any = wanted
        if wanted in ("accepted", "corrected"):
            state = "corrected" if added or removed else "accepted"
        decision = Decision(state, comment, seconds, added, removed, dice(before, mask))
        saving, new = self.store.decide(case_id, self.reading, revision, decision, self.reader)
        self._writer.submit(self._save, saving, case_id)
        return state, new

    def next_case(self, case_id: str) -> str | None:
        """The case after this one that is still to be read, in the order of need and from its end on from its start."""
        readings, order = self.store.readings(self.reading), list(self.cases.cases)
        place = order.index(case_id)
        rest = [other for other in (*order[place + 1 :], *order[:place]) if self.case(other).problem is None]
        return next((other for other in rest if readings.get(other, Reading()).state not in DECIDED), None)

    def describe(self, case_id: str) -> dict[str, Any]:
        """A case without its voxels, as docs/review.md lists it."""
        opened, reading = self.open(case_id), self.store.reading(case_id, self.reading)
        earlier, facts = self.cases.earlier(opened.case), opened.case.facts
        return {
            "id": case_id,
            "patient": opened.case.patient,
            "shape": list(opened.prediction.shape),
            "affine": None if opened.affine is None else opened.affine.tolist(),
            "place": opened.place,
            "sequences": [sequence.as_json() for sequence in opened.sequences],
            "probability": None if opened.probabilities is None else {"dtype": "uint8", "scale": 1 / PROBABILITY_STEPS},
            "no_probability": NO_PROBABILITIES if opened.probabilities is None else None,
            "threshold": self.cases.threshold,
            **_as_json(reading),
            "expected_dice": facts.expected_dice,
            "presence": facts.presence,
            "remarks": list(dict.fromkeys((*facts.remarks, *opened.remarks))),
            "earlier": None if earlier is None else {"id": earlier.id, "date": earlier.visit.when},
            "next": self.next_case(case_id),
            "labels": {"prediction": self.cases.origin.kind},
        }

    def queue(self) -> dict[str, Any]:
        """Every case in the order of need, and how far the reading is, as docs/review.md lists it."""
        readings, savings = self.store.readings(self.reading), self.store.last_savings(self.reading)
        drawn = self.store.thumbnails()
        cases = [
            self._entry(place, case, readings.get(case.id, Reading()), savings.get(case.id), case.id in drawn)
            for place, case in enumerate(self.cases.cases.values(), start=1)
        ]
        return {
            "title": self.cases.folder.absolute().name,
            "folder": str(self.cases.folder.absolute()),
            "reader": self.reader,
            "blind": self.reading != SHARED,
            "progress": _progress(cases),
            "cases": cases,
        }

    def measurement(self, case_id: str) -> dict[str, Any]:
        """What the current mask measures."""
        from glioseg.measurement.measure import measure_mask

        opened = self.open(case_id)
        revision, voxels = self.mask(case_id)
        mask = opened.mask(voxels)
        # A spacing that is assumed for want of another measures nothing.
        found = measure_mask(replace(mask, affine=None) if opened.place == "assumed" else mask)
        return {"revision": revision, **found.whole.as_json(), "components": len(found.components)}

    def _entry(
        self, place: int, case: ReviewCase, reading: Reading, saving: Mapping[str, Any] | None, drawn: bool
    ) -> dict[str, Any]:
        facts = case.facts
        measured = _measured(saving)
        return {
            "id": case.id,
            "patient": case.patient,
            **_as_json(reading),
            "voxels": measured.get("voxels", facts.voxels),
            "volume_ml": measured.get("volume_ml", facts.volume_ml),
            "expected_dice": facts.expected_dice,
            "presence": facts.presence,
            "remarks": list(facts.remarks),
            "strokes": self.store.drawn(case.id, self.reading) if reading.revision else 0,
            "need": place,
            "thumbnail": f"api/cases/{case.id}/thumbnail" if drawn else None,
            "saving": _saving_state(saving),
            "problem": case.problem or (saving or {}).get("problem"),
        }

    def _read(self, case: ReviewCase, future: "Future[OpenCase]") -> None:
        try:
            future.set_result(open_case(self.cases, self.store, case))
            # The image of a mask that was replaced since has gone. A desk that closes leaves it to the next one.
            with suppress(RuntimeError):
                self._painter.submit(self._paint, case.id)
        except BaseException as error:
            # First, so that whoever holds the lock and waits gets on.
            future.set_exception(error)
            with self._lock:
                self._open.pop(case.id, None)

    def _paint(self, case_id: str) -> None:
        with suppress(GliosegError):
            if self.store.thumbnail(case_id) is not None:
                return
            # A case that is read stays in memory; one that is only drawn does not push it out.
            opened = (
                self.open(case_id) if case_id in self._open else open_case(self.cases, self.store, self.case(case_id))
            )
            self.store.keep_thumbnail(case_id, opened.thumbnail())

    def _save(self, saving: int, case_id: str) -> None:
        row = self.store.last_savings(self.reading).get(case_id)
        if row is None or row["saving"] != saving:
            # A later stroke or decision has overtaken it.
            return
        try:
            opened = self.open(case_id)
            revision, voxels = self.mask(case_id)
            if revision == row["revision"]:
                files, measurement = write_saving(self.folder, self.cases.folder, opened, voxels, row)
                self.store.finish_saving(saving, files, measurement)
                write_tables(self.folder, self.store, self.reading)
        except Exception as error:
            # Whatever goes wrong is told in the queue; the decision itself is in the store.
            self.store.fail_saving(saving, str(error) or type(error).__name__)


def _after(mask: NDArray[np.bool_], stroke: Mapping[str, Any]) -> NDArray[np.bool_]:
    return changed(mask, parse_runs(stroke["added"], mask.size), parse_runs(stroke["removed"], mask.size))


def _as_json(reading: Reading) -> dict[str, Any]:
    return {
        "state": reading.state,
        "reader": reading.reader,
        "comment": reading.comment,
        "revision": reading.revision,
        "seconds": round(reading.seconds, 1),
    }


def _measured(saving: Mapping[str, Any] | None) -> dict[str, Any]:
    text = (saving or {}).get("measurement")
    return json.loads(text) if text else {}


def _saving_state(saving: Mapping[str, Any] | None) -> str | None:
    if saving is None:
        return None
    return "failed" if saving["problem"] else "pending" if saving["files"] is None else "done"


def _progress(cases: list[dict[str, Any]]) -> dict[str, Any]:
    done = [case for case in cases if case["state"] in DECIDED]
    pace = sum(case["seconds"] for case in done) / len(done) if done else None
    left = len(cases) - len(done)
    return {
        "done": len(done),
        "total": len(cases),
        "seconds_per_case": None if pace is None else round(pace, 1),
        "minutes_left": None if pace is None else round(pace * left / 60, 1),
    }
