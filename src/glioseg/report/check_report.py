"""The page of a dataset check: what was found, with images, and the set at a glance."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glioseg.atomic import write_text_atomically
from glioseg.check.catalogue import KINDS
from glioseg.check.dataset_check import CheckResult
from glioseg.check.finding import Finding
from glioseg.report.check_figures import set_at_a_glance
from glioseg.report.check_images import Panel, panels_of
from glioseg.report.page import inline_svg, render_page

PICTURED = 6
"""So many findings of a kind are shown with images; suspected labels, which are there to be looked at, more."""

PICTURED_LABEL_ERRORS = 24
LISTED = 200
COLOURS = 48
GROUPS = {
    "structure": "Structure",
    "content": "Images",
    "set": "The set",
    "labels": "Labels",
}


def write_check_report(path: Path, result: CheckResult) -> None:
    """Write the page as one HTML file, whole or not at all.

    Raises:
        GliosegError: If the file cannot be written.
    """
    write_text_atomically(path, render_check_report(result))


def render_check_report(result: CheckResult) -> str:
    """The page as HTML text; the same result gives the same text."""
    kinds = {code: [one for one in result.findings if one.code == code] for code in KINDS}
    kinds = {code: found for code, found in kinds.items() if found}
    pictured = [one for code, found in kinds.items() for one in found[: _pictured(code)]]
    panels = panels_of(pictured, result.source)
    shown = {id(finding): panels.get(place, []) for place, finding in enumerate(pictured)}
    contents = {
        "title": f"Check of {result.source.root.resolve().name}",
        "verdict": verdict(result),
        "key_figures": _key_figures(result),
        "groups": [
            (title, [_kind_contents(code, found, shown) for code, found in kinds.items() if KINDS[code].group == group])
            for group, title in GROUPS.items()
            if any(KINDS[code].group == group for code in kinds)
        ],
        "glance": inline_svg(set_at_a_glance(result.summaries)) if result.summaries else None,
        "noise": noise_sentence(result.confident_joint),
    }
    return render_page("check_report.html.j2", contents)


def verdict(result: CheckResult) -> str:
    """The result in a sentence."""
    errors, warnings = result.count("error"), result.count("warning")
    patients = len(result.source.patients)
    if errors:
        found = f"{_many(errors, 'error')} and {_many(warnings, 'warning')}"
        return f"{found} in {_many(patients, 'patient')}: mend the errors before training."
    if warnings:
        return f"No error in {_many(patients, 'patient')}; {_many(warnings, 'warning')} to look at."
    return f"No error and no warning in {_many(patients, 'patient')}."


def noise_sentence(joint: NDArray[np.int64] | None) -> str | None:
    """What the confident joint says of all labels together."""
    if joint is None or not joint.sum():
        return None
    given = joint.sum(axis=1)
    missed, surplus = (joint[row, 1 - row] / max(int(given[row]), 1) for row in (0, 1))
    return (
        f"Over all predicted slices, {surplus:.1%} of the confidently judged tumour pixels are confidently background, "
        f"and {missed:.2%} of the background pixels confidently tumour; most of both lie along contours."
    )


def _pictured(code: str) -> int:
    return PICTURED_LABEL_ERRORS if code == "label_suspect" else PICTURED


def _key_figures(result: CheckResult) -> list[tuple[str, str, str]]:
    print_ = result.set_statistics
    return [
        ("Patients", str(len(result.source.patients)), f"{len(result.summaries)} could be read"),
        ("Slices", f"{print_['slices']:,}", "images that could be read"),
        ("With tumour", f"{print_['tumour_slices']:,}", "slices"),
        ("Errors", str(result.count("error")), "make training or scores wrong"),
        ("Warnings", str(result.count("warning")), "deserve a look"),
        ("Notes", str(result.count("note")), "facts worth knowing"),
    ]


def _kind_contents(code: str, found: Sequence[Finding], shown: dict[int, list[Panel]]) -> dict[str, Any]:
    return {
        "code": code,
        "kind": KINDS[code],
        "severity": found[0].severity,
        "count": len(found),
        "patients": len({finding.patient for finding in found}),
        "cases": [
            {"finding": finding, "panels": [(panel.caption, small_png_address(panel.pixels)) for panel in panels]}
            for finding in found
            if (panels := shown.get(id(finding), []))
        ],
        "listed": found[:LISTED],
        "unlisted": max(0, len(found) - LISTED),
    }


def small_png_address(rgb: NDArray[np.uint8]) -> str:
    """A thumbnail as a `data:` address, in few colours: the page stays small."""
    content = io.BytesIO()
    Image.fromarray(rgb).quantize(COLOURS).save(content, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
