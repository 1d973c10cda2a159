"""The whole check: patients one after the other, then the set, with no more than two patients' images in memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from glioseg.check.against_set import check_set
from glioseg.check.content import check_content
from glioseg.check.duplicates import MIRRORS, local_contrast
from glioseg.check.file_pairs import find_file_pairs
from glioseg.check.finding import Finding, in_order
from glioseg.check.head import shrink
from glioseg.check.label_errors import (
    Predicted,
    class_thresholds,
    confident_joint,
    label_error_findings,
    rank_label_errors,
)
from glioseg.check.labels import check_labels
from glioseg.check.measures import TINY, measure_slices
from glioseg.check.parts import read_parts
from glioseg.check.scan import Reading
from glioseg.check.set_statistics import set_statistics
from glioseg.check.structure import find_tif_layout
from glioseg.check.summary import PatientSummary, image_digests, mask_digests, summarise
from glioseg.errors import GliosegError


class Source(Protocol):
    """Where patients come from: the dataset's layout, or NIfTI or NRRD files."""

    @property
    def root(self) -> Path:
        """The data folder, to which the paths in findings are relative."""

    @property
    def patients(self) -> tuple[str, ...]:
        """Identifiers of all patients, sorted."""

    def read(self, patient: str) -> Reading:
        """Read one patient; what is wrong with its files is in the findings, never raised."""

    def check_set(self) -> list[Finding]:
        """What is wrong with files that belong to no patient."""


class Predictions(Protocol):
    """Tumour probabilities of patients, by models that had not seen them."""

    def of(self, patient: str) -> NDArray[np.float32] | None:
        """Shape (slice, row, column), or None where the patient was not predicted."""


@dataclass(frozen=True)
class CheckResult:
    """What came of checking a set.

    Attributes:
        source: What was checked.
        findings: Errors first, then by kind, patient and slice.
        summaries: What is kept of each patient that could be read.
        set_statistics: The set in numbers.
        files: Every file of each patient, relative to the data folder.
        confident_joint: Of the labels, shape (2, 2), or None without probabilities.
    """

    source: Source
    findings: tuple[Finding, ...]
    summaries: tuple[PatientSummary, ...] = field(repr=False)
    set_statistics: dict[str, Any] = field(repr=False)
    files: dict[str, tuple[str, ...]] = field(repr=False)
    confident_joint: NDArray[np.int64] | None = None

    def count(self, severity: str) -> int:
        """How many findings have this severity: ``error``, ``warning`` or ``note``."""
        return sum(finding.severity == severity for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Source, counts, findings and statistics as the values of strict JSON."""
        return {
            "data": str(self.source.root),
            "patients": len(self.source.patients),
            "counts": {severity: self.count(severity) for severity in ("error", "warning", "note")},
            "findings": [finding.as_json() for finding in self.findings],
            "statistics": self.set_statistics,
            "confident_joint": None if self.confident_joint is None else self.confident_joint.tolist(),
        }


def open_source(root: Path) -> Source:
    """Find out what lies in a folder.

    Raises:
        GliosegError: If it holds neither patients of the dataset's layout nor NIfTI or NRRD files.
    """
    layout = find_tif_layout(root)
    if layout is not None:
        return layout
    pairs = find_file_pairs(root) if root.is_dir() else None
    if pairs is None or not pairs.files:
        raise GliosegError(
            f"{root} holds no patient",
            expected="folders of <patient>/<patient>_<n>.tif, or NIfTI or NRRD files",
            found="neither" if root.is_dir() else "no such folder",
            remedy="Give the folder kaggle_3m, or make practice patients with 'glioseg data phantom DEST'",
        )
    return pairs


def check_dataset(
    source: Source,
    *,
    split: Path | None = None,
    predictions: Predictions | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> CheckResult:
    """Check a set from file names to labels.

    Args:
        source: As :func:`open_source` finds it.
        split: A split file whose parts must share nothing.
        predictions: What networks say that have not seen the patients, to find suspicious labels.
        progress: Gets a line now and then.

    Raises:
        GliosegError: If the split or the predictions cannot be read. What is wrong with the data is a finding.
    """
    parts = read_parts(split) if split is not None else None
    findings = source.check_set()
    summaries: list[PatientSummary] = []
    files: dict[str, tuple[str, ...]] = {}
    for count, patient in enumerate(source.patients, start=1):
        own, summary, files[patient] = check_patient(source, patient)
        findings += own
        summaries += [summary] if summary else []
        if count % 25 == 0 or count == len(source.patients):
            progress(f"{count} of {len(source.patients)} patients, {len(findings)} findings")
    findings += check_set(summaries, parts.of if parts else {}, _correlate_slices(source))
    if parts is not None:
        findings += [*parts.findings, *parts.against(source.patients)]
    joint = None
    if predictions is not None:
        label_errors, joint = _label_errors(source, predictions)
        findings += label_errors
    return CheckResult(source, in_order(findings), tuple(summaries), set_statistics(summaries), files, joint)


def check_patient(source: Source, patient: str) -> tuple[list[Finding], PatientSummary | None, tuple[str, ...]]:
    """Check one patient by itself: findings, what is kept of it, its files."""
    reading = source.read(patient)
    findings = list(reading.findings)
    if reading.scan is None:
        return findings, None, reading.files
    scan = reading.scan
    measures = measure_slices(scan)
    findings += check_content(scan, measures, image_digests(scan))
    findings += check_labels(scan, measures, mask_digests(scan))
    whole = not any(finding.severity == "error" for finding in reading.findings)
    return findings, summarise(scan, measures, whole=whole), reading.files


def _correlate_slices(source: Source) -> Callable[[str, int, str, int, str], float]:
    @lru_cache(maxsize=2)
    def contrasts(patient: str) -> dict[int, NDArray[np.float32]]:
        scan = source.read(patient).scan
        if scan is None:
            return {}
        return dict(zip(scan.numbers, local_contrast(shrink(scan.channel(scan.main_channel), TINY)), strict=True))

    def correlate(one: str, number: int, other: str, there: int, mirror: str) -> float:
        first, second = contrasts(one)[number], contrasts(other)[there]
        rows, columns = (-1 if MIRRORS.index(mirror) & bit else 1 for bit in (2, 1))
        second = second[::rows, ::columns]
        scale = float(np.linalg.norm(first) * np.linalg.norm(second))
        # Two empty images, such as small heads of which nothing is left within the scalp, are equal.
        return float((first * second).sum()) / scale if scale else 1.0

    return correlate


def _label_errors(source: Source, predictions: Predictions) -> tuple[list[Finding], NDArray[np.int64]]:
    """Two passes over the patients: the classes' thresholds, then the slices that contradict them."""

    def patients() -> Iterator[Predicted]:
        for patient in source.patients:
            probabilities = predictions.of(patient)
            scan = source.read(patient).scan if probabilities is not None else None
            if scan is None or probabilities is None:
                continue
            if probabilities.shape != scan.masks.shape:
                raise GliosegError(
                    f"the probabilities of {patient} do not fit its scan",
                    expected=str(scan.masks.shape),
                    found=str(probabilities.shape),
                    remedy="Predict the patient again, or mend its slices first",
                )
            kept = scan.labelled
            numbers = tuple(number for number, has_mask in zip(scan.numbers, kept, strict=True) if has_mask)
            yield patient, numbers, scan.masks[kept], probabilities[kept]

    thresholds = class_thresholds(patients())
    label_errors = rank_label_errors(patients(), thresholds)
    return list(label_error_findings(label_errors)), confident_joint(patients(), thresholds)
