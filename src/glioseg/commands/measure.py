"""``glioseg measure``: what masks measure, and how a tumour changed between two of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glioseg.atomic import check_file_writable, write_text_atomically
from glioseg.errors import BadFileError, BadOptionError, GliosegError
from glioseg.evaluation.score_files import read_scores
from glioseg.formats.masks import find_masks, mask_of, patient_of, read_mask
from glioseg.formats.readers import read_scan
from glioseg.measurement.growth import Growth, growth
from glioseg.measurement.measure import Measurement, measure_mask, measured_columns
from glioseg.measurement.region import Region
from glioseg.measurement.volume_error import volume_error
from glioseg.patients.records import as_csv
from glioseg.volume import Mask, Volume


@dataclass(frozen=True)
class MeasureRun:
    """What came of a batch of masks.

    Attributes:
        results: The measurement of each mask by its path, in the order given.
        failures: For each mask that could not be measured, the message.
    """

    results: dict[Path, Measurement]
    failures: dict[Path, str]

    def as_json(self) -> dict[str, Any]:
        """Both, ready for strict JSON."""
        return {
            "masks": [{"mask": str(path), **found.as_json()} for path, found in self.results.items()],
            "failures": {str(path): message for path, message in self.failures.items()},
        }

    def to_csv(self) -> str:
        """A row for each mask and one for each of its components; what is unknown stays empty."""
        rows = ({"mask": str(path), **row} for path, found in self.results.items() for row in found.as_rows())
        return as_csv(["mask", "component", *measured_columns()], rows)


def measure(
    masks: Sequence[Path],
    *,
    scan: Path | None = None,
    labels: Sequence[int] = (),
    table: Path | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> MeasureRun:
    """Measure masks; a bad one is reported and the others are done.

    Args:
        masks: Files and folders as :func:`glioseg.formats.masks.find_masks` takes them.
        scan: The FLAIR on the grid of a single mask, NIfTI or NRRD, which shows where the head's middle is.
        labels: As :func:`glioseg.formats.masks.read_mask` takes them.
        table: A CSV file to write.
        progress: Gets a line for each mask that failed, and what is to be remarked of a file.

    Raises:
        GliosegError: If there is no mask, none of them could be measured, or the table cannot be written.
    """
    paths = [found for path in masks for found in find_masks(path)]
    if not paths:
        raise GliosegError("there is nothing to measure", expected="one mask or more")
    if scan is not None and len(paths) > 1:
        raise BadOptionError(
            f"--scan {scan} belongs to one mask", expected="one mask", found=f"{len(paths)}", remedy="Measure it alone"
        )
    if table is not None:
        check_file_writable(table)
    run = MeasureRun({}, {})
    for path in paths:
        try:
            run.results[path] = _measured(path, scan, labels, progress)
        except GliosegError as error:
            if len(paths) == 1:
                raise
            run.failures[path] = str(error)
            progress(f"{path}: skipped, {error}")
    if not run.results:
        raise GliosegError(f"none of the {len(paths)} masks could be measured", remedy="See the line of each")
    if table is not None:
        write_text_atomically(table, run.to_csv())
    return run


def compare(
    earlier: Path,
    later: Path,
    *,
    days: float | None = None,
    scores: Path | None = None,
    labels: Sequence[int] = (),
    progress: Callable[[str], None] = lambda line: None,
) -> Growth:
    """How a patient's tumour changed between two masks.

    Args:
        earlier: The mask of the earlier scan.
        later: That of the later scan; it may lie on another grid.
        days: The time between the scans.
        scores: What ``glioseg evaluate`` wrote for the model that drew the masks, on held-out patients.
        labels: As :func:`glioseg.formats.masks.read_mask` takes them.
        progress: Gets what is to be remarked of a file.

    Raises:
        GliosegError: If a file cannot be read, or the time runs backwards.
    """
    error = None if scores is None else volume_error(read_scores(scores))
    before, after = (measure_mask(_read(_single(path), labels, progress)) for path in (earlier, later))
    return growth(before, after, days=days, error=error)


def in_words(path: Path, found: Measurement) -> str:
    """One line for a person: how large, where, and what is unknown."""
    whole = found.whole
    if not whole.voxels:
        return f"{path}: no tumour"
    parts = [
        f"{whole.voxels:,} voxels" if whole.volume_ml is None else f"{whole.volume_ml:.1f} ml",
        f"on {whole.tumour_slices} of {found.slices} slices,",
        _diameters(whole) + ("" if whole.rano_measurable is not False else " (not measurable by RANO)"),
    ]
    parts += [f", {_SIDES[whole.side]}"] if whole.side else []
    parts += [f", {len(found.components)} components"] if len(found.components) > 1 else []
    line = f"{path}: {' '.join(parts)}".replace(" ,", ",")
    return f"{line}; volume unknown: {whole.unknown['volume_ml']}" if "volume_ml" in whole.unknown else line


_SIDES = {"left": "left", "right": "right", "crossing": "crossing the midline", "both": "on both sides"}


def _diameters(region: Region) -> str:
    if region.longest_diameter_mm is not None:
        return f"{region.longest_diameter_mm:.1f} x {region.perpendicular_diameter_mm:.1f} mm"
    return f"{region.longest_diameter_px:.1f} x {region.perpendicular_diameter_px:.1f} px"


def _measured(path: Path, scan: Path | None, labels: Sequence[int], progress: Callable[[str], None]) -> Measurement:
    mask = _read(path, labels, progress)
    return measure_mask(mask, None if scan is None else _flair(scan, mask))


def _read(path: Path, labels: Sequence[int], progress: Callable[[str], None]) -> Mask:
    """A mask; what its reader remarks of the file, as two places that disagree, reaches the user."""
    if path.is_dir():
        return read_mask(path, labels=labels)
    found = read_scan(path, patient=patient_of(path))
    for remark in found.remarks:
        progress(remark)
    return mask_of(found, labels=labels)


def _flair(path: Path, mask: Mask) -> Volume:
    found = read_scan(path)
    return Volume(mask.patient, found.voxels[..., None], channels=("flair",), affine=found.affine, place=found.place)


def _single(path: Path) -> Path:
    found = find_masks(path)
    if len(found) > 1:
        raise BadFileError(path, f"holds {len(found)} masks", expected="the mask of one scan")
    return found[0]
