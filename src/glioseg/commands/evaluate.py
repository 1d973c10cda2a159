"""``glioseg evaluate``: the same metrics for masks from anywhere."""

from pathlib import Path

from glioseg.atomic import write_text_atomically
from glioseg.evaluation.folders import score_folders
from glioseg.evaluation.scores import Scores


def evaluate(
    predicted: Path, truth: Path, out: Path, *, spacing_mm: tuple[float, float, float] | None = None
) -> tuple[Scores, list[str]]:
    """Score a folder of predicted masks and write the scores.

    Args:
        predicted: ``<patient>/<slice>_mask.tif``.
        truth: A folder in the dataset's layout.
        out: The file to write: JSON, or a table of patients where its name ends in .csv.
        spacing_mm: Distance between voxels along (slice, row, column); None measures in pixels.

    Returns:
        The scores, and the patients of the truth that have no prediction.

    Raises:
        GliosegError: If the folders do not fit each other, or the file cannot be written.
    """
    scores, without_prediction = score_folders(predicted, truth, spacing_mm=spacing_mm)
    write_text_atomically(out, scores.to_csv() if out.suffix == ".csv" else scores.to_json())
    return scores, without_prediction
