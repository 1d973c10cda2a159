"""``glioseg measure``: its options."""

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from glioseg.cli.options import Json, Several, whole_numbers
from glioseg.errors import BadOptionError, GliosegError
from glioseg.terminal import change_in_lines, progress


def measure(
    *masks: Path,
    scan: Path | None = None,
    csv_file: Annotated[Path | None, Parameter(name="--csv")] = None,
    labels: Annotated[tuple[str, ...], Several] = (),
    earlier: Path | None = None,
    later: Path | None = None,
    days: float | None = None,
    scores: Path | None = None,
    json_output: Json = False,
) -> int:
    """Measure masks: volume, diameters, slices, side, place; or how a tumour changed between two of them.

    Exit code 0 if every mask was measured, 1 if some were not, 2 if none could be.

    Parameters
    ----------
    masks
        NIfTI or NRRD files, or folders of <patient>_<n>_mask.tif; a folder of these stands for all of them.
    scan
        The FLAIR on the grid of a single mask; it shows the head's middle, and so the side of the tumour.
    csv_file
        Write a table: a row for each mask and one for each of its components.
    labels
        The values that are tumour, as 1,2,4, where a file holds several.
    earlier
        The mask of the earlier of two scans of a patient, instead of masks.
    later
        The mask of the later scan.
    days
        Days between the two scans.
    scores
        What evaluate wrote for the model that drew the masks, on held-out patients: the error of its volumes.
    """
    from glioseg.commands.measure import compare, in_words, measure

    values = whole_numbers("--labels", labels)
    if earlier is not None or later is not None:
        if earlier is None or later is None or masks or scan or csv_file:
            raise GliosegError(
                "two masks are compared by themselves", expected="--earlier MASK --later MASK [--days N] [--scores F]"
            )
        change = compare(earlier, later, days=days, scores=scores, labels=values, progress=progress)
        print(json.dumps(change.as_json(), indent=2, allow_nan=False) if json_output else change_in_lines(change))
        return 0
    if days is not None or scores is not None:
        raise BadOptionError("--days and --scores belong to two masks", expected="--earlier MASK --later MASK")
    run = measure(masks, scan=scan, labels=values, table=csv_file, progress=progress)
    if json_output:
        print(json.dumps(run.as_json(), indent=2, allow_nan=False))
    else:
        print("\n".join(in_words(path, found) for path, found in run.results.items()))
    return 1 if run.failures else 0
