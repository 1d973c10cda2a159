"""``glioseg evaluate``: the same metrics for masks from anywhere."""

from pathlib import Path

from glioseg.atomic import check_writable, write_text_atomically
from glioseg.evaluation.folders import Evaluation, score_folders


def evaluate(
    predicted: Path,
    truth: Path,
    out: Path,
    *,
    spacing_mm: tuple[float, float, float] | None = None,
    labels: tuple[int, ...] = (),
) -> Evaluation:
    """Score a folder of predicted masks and write the scores; arguments as :func:`score_folders`.

    Args:
        predicted: Masks, NIfTI, NRRD or tif slices.
        truth: Likewise.
        out: The file to write: JSON, or a table of patients where its name ends in .csv.
        spacing_mm: For masks that do not tell it; without it they are measured in pixels.
        labels: The values that are tumour in a true mask of several.

    Raises:
        GliosegError: If the folders do not fit each other, none can be scored, or the file cannot be written.
    """
    check_writable(out.parent)
    found = score_folders(predicted, truth, spacing_mm=spacing_mm, labels=labels)
    write_text_atomically(out, found.scores.to_csv() if out.suffix == ".csv" else found.scores.to_json())
    return found
