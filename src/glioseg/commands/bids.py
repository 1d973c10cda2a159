"""``glioseg bids``: the two levels of a BIDS app, each subject by itself and the group."""

import os
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from glioseg.atomic import check_writable
from glioseg.bids.choice import find_bids_patients
from glioseg.bids.columns import GROUP
from glioseg.bids.derivatives import (
    GROUP_TABLE,
    LOGS,
    RECORDS,
    REPORT,
    check_derivatives,
    describe_derivatives,
    write_session_tables,
    write_table,
)
from glioseg.bids.group import GroupRow, group_rows, write_group_report
from glioseg.bids.layout import BidsDataset
from glioseg.commands.error_log import ErrorLog
from glioseg.commands.predict import ERRORS, MANIFEST, PredictionRun, predict_found, run_facts
from glioseg.errors import GliosegError
from glioseg.inference.backends import BackendName
from glioseg.inference.model import Model
from glioseg.inference.shipped import DEFAULT, find_model
from glioseg.machine import Precision
from glioseg.patients.manifest import write_manifest
from glioseg.patients.records import ResultRecords
from glioseg.patients.source import OutputOptions

Progress = Callable[[str], None]


def segment_participants(
    bids_dir: Path,
    out: Path,
    *,
    participants: Collection[str] = (),
    sessions: Collection[str] = (),
    require_description: bool = True,
    model: str | Path = DEFAULT,
    presence: bool = True,
    probabilities: bool = True,
    previews: bool = True,
    retry_failed: bool = False,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    precision: Precision = "auto",
    backend: BackendName | Literal["auto"] = "auto",
    progress: Progress = lambda line: None,
) -> PredictionRun:
    """Segment every FLAIR of a raw BIDS data set into BIDS derivatives; what is done already is left as it is.

    Several calls may write into one folder at the same time, as long as no two of them do the same subject.

    Args:
        bids_dir: The data set.
        out: The derivative data set, which may be new.
        participants: Only these subjects, with or without ``sub-``; all, if empty.
        sessions: Only these sessions, with or without ``ses-``; all, if empty.
        require_description: Whether the data set must have the description that BIDS requires.
        model: As for :func:`glioseg.commands.predict.predict`, and so are the others that are not named here.
        presence: Likewise.
        probabilities: Whether probabilities are written beside the masks.
        previews: As for ``predict``.
        retry_failed: Likewise.
        device: Likewise.
        precision: Likewise.
        backend: Likewise.
        progress: Gets a line for each FLAIR.

    Raises:
        GliosegError: If the data set, the model or the output cannot be used, or there is no such subject or session.
    """
    started = time.perf_counter()
    dataset = BidsDataset(bids_dir, require_description=require_description)
    check_derivatives(out, dataset)
    found = find_bids_patients(dataset, participants, sessions)
    folder = find_model(model)
    loaded = Model.load(folder, backend=backend, device=device, precision=precision)
    loaded = loaded if presence else loaded.without_presence()
    check_writable(out)
    describe_derivatives(out, dataset)
    # A call for one subject of thousands reads the records of that one.
    ours = {source.patient for source in found.sources}
    records, run_folder = _records(out, ours.__contains__), out / LOGS / _name_of_run()
    done = predict_found(
        found,
        loaded,
        records,
        ErrorLog(run_folder / ERRORS),
        options=OutputOptions(probabilities=probabilities),
        previews=previews,
        resume=True,
        retry_failed=retry_failed,
        progress=progress,
    )
    write_session_tables(out, found.sources, records.rows())
    facts = run_facts(loaded, folder, done.failures, time.perf_counter() - started)
    facts |= {"inputs": [str(dataset.root)], "files": found.as_json()}
    write_manifest(run_folder / MANIFEST, facts, (result.as_json() for result in done.results))
    return PredictionRun(done.results, done.failures, run_folder / MANIFEST, found.left_out_in_words(), done.already)


def summarise_group(
    bids_dir: Path,
    out: Path,
    *,
    participants: Collection[str] = (),
    sessions: Collection[str] = (),
    require_description: bool = True,
) -> list[GroupRow]:
    """Write one table and one report of all participants, those named that have no mask.

    Args:
        bids_dir: As for :func:`segment_participants`, and so are the others.
        out: Likewise.
        participants: Likewise.
        sessions: Likewise.
        require_description: Likewise.

    Raises:
        GliosegError: If nothing was segmented yet, or as :func:`segment_participants`.
    """
    dataset = BidsDataset(bids_dir, require_description=require_description)
    check_derivatives(out, dataset)
    records = _records(out)
    if not records.names():
        raise GliosegError(
            f"{out} holds no result yet", remedy=f"Segment first: glioseg bids {bids_dir} {out} participant"
        )
    rows = group_rows(find_bids_patients(dataset, participants, sessions), records)
    describe_derivatives(out, dataset)
    write_table(out / GROUP_TABLE, GROUP, [row.as_row() for row in rows])
    write_group_report(out / REPORT, str(dataset.description.get("Name") or dataset.root.name), rows)
    return rows


def _records(out: Path, only: Callable[[str], bool] = lambda name: True) -> ResultRecords:
    return ResultRecords(out, out / LOGS / RECORDS, only)


def _name_of_run() -> str:
    """Of a folder that no other run writes into."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}_{os.uname().nodename}_{os.getpid()}"
