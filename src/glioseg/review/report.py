"""The page of a reading: what was accepted as it was, what was changed where, how long it took, who agrees."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glioseg.atomic import write_text_atomically
from glioseg.display import intensity_window, to_grey
from glioseg.errors import GliosegError
from glioseg.report.contact_sheet import DARKEST_OF_HEAD
from glioseg.report.overlay import contour_layer, head_box
from glioseg.report.page import ABSENT, format_share, png_address, render_page
from glioseg.review.cases import Cases
from glioseg.review.readings import Agreement, ReadCase, agreement, read_cases
from glioseg.review.store import Store
from glioseg.space.axial import axial_view, to_axial

PICTURED, SCALE = 12, 2
COLUMNS = (
    "patient",
    "decision",
    "seconds",
    "strokes",
    "voxels added",
    "removed",
    "at the rim",
    "slices changed",
    "Dice with the prediction",
    "comment",
)


def write_reading_report(path: Path, cases: Cases, store: Store) -> None:
    """Write the page of every reading of a folder as one HTML file, whole or not at all.

    Raises:
        GliosegError: If nothing was decided yet, or the file cannot be written.
    """
    readings = {name: read_cases(store, name) for name in store.reading_names()}
    readings = {name: found for name, found in readings.items() if found}
    if not readings:
        raise GliosegError(f"nothing in {cases.folder} was decided yet", remedy="Read some cases first")
    pairs = [agreement(readings[one], readings[two], (one, two)) for one, two in combinations(readings, 2)]
    contents = {
        "title": f"Reading of {cases.folder.absolute().name}",
        "columns": COLUMNS,
        "readings": [_reading(name, found, cases) for name, found in readings.items()],
        "agreements": [_agreement(pair) for pair in pairs if pair is not None],
    }
    write_text_atomically(path, render_page("reading_report.html.j2", contents))


def _reading(name: str, found: Sequence[ReadCase], cases: Cases) -> dict[str, Any]:
    return {
        "title": f"Read by {name}" if name != "shared" else "The shared reading",
        "key_figures": _key_figures(found, len(cases.cases)),
        "images": _images(found, cases),
        "rows": [_row(case) for case in found],
    }


def _key_figures(found: Sequence[ReadCase], total: int) -> list[tuple[str, str, str]]:
    states = [case.saving["state"] for case in found]
    seconds = [case.saving["seconds"] for case in found]
    dice = [case.saving["dice"] for case in found if case.saving["state"] == "corrected"]
    known = [value for value in dice if value is not None]
    return [
        ("Cases decided", f"{len(found)} of {total}", f"{states.count('unsure')} of them unsure"),
        ("Accepted as they were", str(states.count("accepted")), f"{states.count('accepted') / len(found):.0%}"),
        ("Corrected", str(states.count("corrected")), f"{states.count('corrected') / len(found):.0%}"),
        ("Rejected", str(states.count("rejected")), f"{states.count('rejected') / len(found):.0%}"),
        ("Seconds a case", f"{np.median(seconds):.0f}", f"median; {sum(seconds) / 60:.1f} minutes in all"),
        (
            "Dice with the prediction",
            format_share(float(np.median(known)) if known else None),
            "corrected ones, median",
        ),
    ]


def _row(case: ReadCase) -> list[str]:
    row, rim = case.saving, case.rim_share
    return [
        case.patient,
        row["state"],
        f"{row['seconds']:.0f}",
        str(row["strokes"]),
        f"{row['voxels_added']:,}",
        f"{row['voxels_removed']:,}",
        ABSENT if rim is None else f"{rim:.0%}",
        str(case.changed_slices),
        format_share(row["dice"]),
        row["comment"],
    ]


def _images(found: Sequence[ReadCase], cases: Cases) -> list[tuple[str, str]]:
    """Of the cases that were changed most, the axial slice that was changed most."""
    most = sorted(found, key=lambda case: -int((case.mask != case.prediction).sum()))[:PICTURED]
    images = []
    for case in most:
        # A scan that has gone since leaves a case without image, not a reading without report.
        with suppress(GliosegError):
            if (case.mask != case.prediction).any():
                images.append(_image_of(case, cases))
    return images


def _image_of(case: ReadCase, cases: Cases) -> tuple[str, str]:
    source = cases.cases[case.saving["case_id"]].source
    if source is None:
        raise GliosegError(f"the scan of {case.patient} was not found")
    volume = source.read().volume
    view = axial_view(volume.affine)
    before, after = to_axial(case.prediction, view), to_axial(case.mask, view)
    place = int((before != after).sum(axis=(1, 2)).argmax())
    flair = to_axial(volume.channel("flair"), view)
    grey = to_grey(flair, intensity_window(flair))
    box = head_box(grey.max(axis=0) > DARKEST_OF_HEAD, (before | after).any(axis=0))
    image = _outlined(grey[place][box], before[place][box], after[place][box])
    caption = f"{case.patient}, slice {place + 1} of {len(before)}: {case.saving['voxels_added']:,} voxels added"
    return f"{caption}, {case.saving['voxels_removed']:,} removed in all", png_address(image)


def _outlined(grey: NDArray[np.uint8], before: NDArray[np.bool_], after: NDArray[np.bool_]) -> NDArray[np.uint8]:
    image = np.repeat(grey.repeat(SCALE, axis=0).repeat(SCALE, axis=1)[..., None], 3, axis=2)
    lines = contour_layer(after, before, scale=SCALE)
    return np.where(lines[..., 3:] > 0, lines[..., :3], image)


def _agreement(pair: Agreement) -> dict[str, Any]:
    known = [value for value in pair.dice.values() if value is not None]
    one, two = pair.readers
    sizes = np.array([sum(voxels) / 2 for voxels in pair.voxels.values()])
    apart = np.array([abs(first - second) for first, second in pair.voxels.values()])
    share = float(np.median(apart[sizes > 0] / sizes[sizes > 0])) if (sizes > 0).any() else None
    return {
        "title": f"{one} and {two}",
        "key_figures": [
            ("Cases", str(pair.cases), "in which both kept a mask"),
            ("Dice", format_share(float(np.median(known)) if known else None), "median"),
            ("Volumes differ by", ABSENT if share is None else f"{share:.0%}", "of their mean, median"),
            ("Kappa", format_share(pair.kappa), "of whether there is a tumour"),
        ],
        "columns": ("patient", "Dice", f"voxels, {one}", f"voxels, {two}"),
        "rows": [
            (patient, format_share(dice), *(f"{voxels:,}" for voxels in pair.voxels[patient]))
            for patient, dice in pair.dice.items()
        ],
    }
