"""A cleaned copy of a set, or the list of what would be left out; the set itself is never touched.

Only what has one right answer is changed: a mask of two values is written with 0 and 255, files that belong to no
slice are left behind, and a patient whose images or masks cannot be trusted is left out whole. Everything that asks
for a judgement, above all every doubt about a contour, is listed for review and copied as it is.
"""

import csv
import io
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from glioseg.atomic import atomic_folder, check_empty, clear_unfinished, write_text_atomically
from glioseg.check.against_set import MOST_SLICES
from glioseg.check.dataset_check import CheckResult
from glioseg.check.finding import Finding
from glioseg.check.structure import CLEANING_LOG, binarised
from glioseg.dataset.lgg import CLINICAL_TABLE, case_of, read_table_text
from glioseg.errors import BadOptionError
from glioseg.formats.readers import kind_by_name
from glioseg.formats.tif import read_tif, write_mask_slice

LEFT_BEHIND = frozenset({"file_extra", "file_misnamed"})
MENDED = frozenset({"mask_not_binary"})
REPEATS = frozenset({"patient_repeated", "split_leak"})
UNTRUSTED = frozenset({"structure", "content"})
"""Groups whose errors leave the patient out; an error of a label is for a person to judge."""


@dataclass(frozen=True)
class Change:
    """One difference between the cleaned copy and the set.

    Attributes:
        action: ``patient left out``, ``file left behind``, ``mask rewritten`` or ``row removed``.
        reason: The code of the finding.
        why: Its message.
        patient: Whom it concerns.
        file: Which file, relative to the data folder.
    """

    action: str
    reason: str
    why: str
    patient: str | None = None
    file: str | None = None


@dataclass(frozen=True)
class Cleaning:
    """What is changed, and what is left for a person to judge.

    Attributes:
        changes: In the order of the findings.
        kept: The patients of the cleaned copy.
        for_review: How many findings of each kind are left.
    """

    changes: tuple[Change, ...]
    kept: tuple[str, ...]
    for_review: Mapping[str, int]

    def as_json(self, root: Path) -> dict[str, Any]:
        """The log as plain values."""
        return {
            "source": str(root),
            "changes": [asdict(change) for change in self.changes],
            "kept_patients": list(self.kept),
            "for_review": dict(self.for_review),
        }


def plan_cleaning(result: CheckResult) -> Cleaning:
    """Decide what to change; nothing is written."""
    changes: list[Change] = []
    out = dict(_left_out(result.findings))
    changes += [Change("patient left out", code, why, patient) for patient, (code, why) in out.items()]
    kept = tuple(patient for patient in result.source.patients if patient not in out)
    for finding in result.findings:
        if finding.patient in out or finding.file is None:
            continue
        if finding.code in LEFT_BEHIND:
            changes.append(_change("file left behind", finding))
        elif finding.code in MENDED and kind_by_name(finding.file) == "tif":
            changes.append(_change("mask rewritten", finding))
    changes += _rows_removed(result, kept)
    done = {(change.reason, change.patient, change.file) for change in changes}
    left = [
        finding.code
        for finding in result.findings
        if finding.patient not in out and (finding.code, finding.patient, finding.file) not in done
    ]
    return Cleaning(tuple(changes), kept, dict(sorted(Counter(left).items())))


def write_cleaned(result: CheckResult, dest: Path) -> Cleaning:
    """Write the cleaned copy with its log, or the log alone where the name ends in .json; whole or not at all.

    Args:
        result: What the check found.
        dest: A new or empty folder apart from the set, or a JSON file.

    Raises:
        GliosegError: If the place is not free, lies within the set, or the disk is full.
    """
    root = result.source.root
    check_destination(root, dest)
    cleaning = plan_cleaning(result)
    log = json.dumps(cleaning.as_json(root), indent=2) + "\n"
    if dest.suffix == ".json":
        write_text_atomically(dest, log)
        return cleaning
    clear_unfinished(dest.absolute().parent, dest.name)
    with atomic_folder(dest) as unfinished:
        _copy(result, cleaning, unfinished)
        write_text_atomically(unfinished / CLEANING_LOG, log)
    return cleaning


def _left_out(findings: Iterable[Finding]) -> dict[str, tuple[str, str]]:
    """The patients that are left out, with the code and the message of the first reason."""
    out: dict[str, tuple[str, str]] = {}
    for finding in findings:
        if finding.severity != "error":
            continue
        if finding.code in REPEATS:
            # The first of the two stays, unless something else is wrong with it.
            repeated = [patient for patient, number in finding.others if number is not None]
            whole = finding.evidence.get("share", 0)
            if repeated and isinstance(whole, float) and whole >= MOST_SLICES and finding.patient not in out:
                out.setdefault(repeated[0], (finding.code, finding.message))
        elif finding.patient and finding.code not in LEFT_BEHIND | MENDED and finding.kind.group in UNTRUSTED:
            out.setdefault(finding.patient, (finding.code, finding.message))
    return out


def _rows_removed(result: CheckResult, kept: tuple[str, ...]) -> list[Change]:
    table = result.source.root / CLINICAL_TABLE
    if not table.is_file():
        return []
    cases = {case_of(patient) for patient in kept}
    header, rows = _read_rows(table)
    why = "the copy has no folder of this patient"
    return [
        Change("row removed", "clinical_without_patient", why, case, CLINICAL_TABLE)
        for row in rows
        if (case := _case_in(header, row)) and case not in cases
    ]


def _copy(result: CheckResult, cleaning: Cleaning, dest: Path) -> None:
    root = result.source.root
    left = {change.file for change in cleaning.changes if change.action == "file left behind"}
    rewritten = {change.file for change in cleaning.changes if change.action == "mask rewritten"}
    for patient in cleaning.kept:
        for name in result.files[patient]:
            if name in left:
                continue
            (dest / name).parent.mkdir(parents=True, exist_ok=True)
            if name in rewritten:
                write_mask_slice(dest / name, binarised(read_tif(root / name)))
            else:
                shutil.copyfile(root / name, dest / name)
    if (root / CLINICAL_TABLE).is_file():
        gone = {change.patient for change in cleaning.changes if change.action == "row removed"}
        header, rows = _read_rows(root / CLINICAL_TABLE)
        if not header:
            return
        text = io.StringIO()
        kept = [row for row in rows if row and _case_in(header, row) not in gone]
        csv.writer(text, lineterminator="\n").writerows([header, *kept])
        write_text_atomically(dest / CLINICAL_TABLE, text.getvalue())


def _read_rows(table: Path) -> tuple[list[str], list[list[str]]]:
    """Header and rows as they stand; empty where the table cannot be read."""
    try:
        header, *rows = list(csv.reader(io.StringIO(read_table_text(table), newline=""))) or [[]]
    except (OSError, ValueError, csv.Error):
        return [], []
    return header, rows


def _case_in(header: list[str], row: list[str]) -> str | None:
    place = header.index("Patient") if "Patient" in header else None
    return row[place] if place is not None and place < len(row) else None


def _change(action: str, finding: Finding) -> Change:
    return Change(action, finding.code, finding.message, finding.patient, finding.file)


def check_destination(root: Path, dest: Path) -> None:
    """Refuse a place within the data, or one that holds something.

    Raises:
        GliosegError: If it is such a place.
    """
    source, target = root.resolve(), dest.resolve()
    if target == source or source in target.parents or target in source.parents:
        raise BadOptionError(
            f"--fix {dest} would write into the data itself",
            remedy="Name a folder beside the data: it is never changed",
        )
    if dest.suffix != ".json":
        check_empty(dest)
