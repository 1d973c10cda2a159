"""``glioseg evaluate``: its options."""

from pathlib import Path
from typing import Annotated

from glioseg.cli.options import Json, Several, whole_numbers
from glioseg.terminal import patients_in_words, print_detection, print_scores, progress


def evaluate(
    predicted: Path,
    truth: Path,
    *,
    out: Path,
    spacing_mm: tuple[float, float, float] | None = None,
    labels: Annotated[tuple[str, ...], Several] = (),
    json_output: Json = False,
) -> int:
    """Score masks from anywhere against the truth, by patient in 3-D.

    Exit code 0 if every predicted patient was scored, 1 if some could not be.

    Parameters
    ----------
    predicted
        A mask, or a folder of masks in any layout: NIfTI, NRRD, or <patient>/<slice>_mask.tif, as predict writes them.
    truth
        The same patients' true masks, likewise; scans may lie beside them.
    out
        The file to write: JSON, or CSV where the name ends so.
    spacing_mm
        Distance between slices, rows and columns in millimetres, for masks that do not tell it. Without it the
        distances of tif slices are in pixels.
    labels
        The values that are tumour in a true mask of several, as 1,2,4.
    """
    from glioseg.commands.evaluate import as_json, detected, evaluate

    numbers = whole_numbers("--labels", labels)
    found = evaluate(predicted, truth, out, spacing_mm=spacing_mm, labels=numbers)
    for patient, message in found.failures.items():
        progress(f"{patient}: not scored, {message}")
    if lacking := len(found.without_prediction):
        has, is_ = ("has", "is") if lacking == 1 else ("have", "are")
        progress(f"{patients_in_words(lacking)} of {truth} {has} no prediction and {is_} not scored")
    if json_output:
        print(as_json(found.scores, predicted), end="")
        return 1 if found.failures else 0
    print_scores(found.scores, patients_in_words(len(found.scores.patients)), json_output)
    print_detection(detected(found.scores, predicted))
    return 1 if found.failures else 0
