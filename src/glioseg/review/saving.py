"""What a decision leaves on disk: the mask in the scan's own format, its measurements, a contact sheet, a log."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glioseg.atomic import write_text_atomically
from glioseg.patients.records import as_csv
from glioseg.patients.source import Reader
from glioseg.review.opened import OpenCase
from glioseg.review.store import KEPT, Store

MEASUREMENTS, LOG = "measurements.csv", "log.csv"
LOG_COLUMNS = (
    "patient",
    "reader",
    "saved_at",
    "state",
    "seconds",
    "strokes",
    "voxels_added",
    "voxels_removed",
    "voxels_changed",
    "dice",
    "comment",
)


def write_saving(
    out: Path, masks: Path, opened: OpenCase, voxels: NDArray[np.bool_], row: Mapping[str, Any]
) -> tuple[list[str], dict[str, Any] | None]:
    """Write the files of a decision; one that keeps no mask takes away those of an earlier one.

    Args:
        out: The folder of the reading's results.
        masks: The folder that is read, with the algorithm's results.
        opened: The case.
        voxels: The mask.
        row: The saving, as in the store.

    Returns:
        The files relative to ``out``, and the measurement.

    Raises:
        GliosegError: If a file cannot be written or the scan cannot be read any more.
    """
    from glioseg.measurement.measure import measure_mask
    from glioseg.report.contact_sheet import write_contact_sheet

    source = opened.case.source
    assert source is not None
    sheet = source.name_of("sheet")
    if row["state"] not in KEPT:
        # A rejected mask must not lie among the results.
        source.remove_mask(out)
        (out / sheet).unlink(missing_ok=True)
        return [], None
    mask, volume = opened.mask(voxels), source.read().volume
    reader = Reader(row["reader"], row["state"] == "corrected", masks)
    measured = measure_mask(mask, volume)
    files = source.write_mask(mask, out, reader, measured)
    write_contact_sheet(out / sheet, volume, mask, measured)
    return [*files, sheet], {**measured.as_json(), "row": measured.as_row()}


def write_tables(out: Path, store: Store, reading: str) -> None:
    """Write the measurements of the results and the log of every saving anew, each whole or not at all."""
    savings = store.savings(reading)
    kept = [row for row in store.last_savings(reading).values() if row["state"] in KEPT and row["measurement"]]
    rows = [{**json.loads(row["measurement"])["row"], "state": row["state"], "reader": row["reader"]} for row in kept]
    if rows:
        write_text_atomically(out / MEASUREMENTS, as_csv(list(rows[0]), rows))
    else:
        (out / MEASUREMENTS).unlink(missing_ok=True)
    logged = [_logged(row) for row in savings]
    write_text_atomically(out / LOG, as_csv(LOG_COLUMNS, logged))


def _logged(row: Mapping[str, Any]) -> dict[str, Any]:
    dice = None if row["dice"] is None else round(row["dice"], 4)
    known = {**row, "voxels_changed": row["voxels_added"] + row["voxels_removed"], "dice": dice}
    return {column: known[column] for column in LOG_COLUMNS}
