"""``glioseg evaluate``: the same metrics for masks from anywhere."""

import json
from pathlib import Path

from glioseg.atomic import check_file_writable, write_text_atomically
from glioseg.errors import GliosegError
from glioseg.evaluation.detection import Detection, detection
from glioseg.evaluation.folders import Evaluation, score_folders
from glioseg.evaluation.scores import Scores
from glioseg.patients.manifest import read_run


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
    check_file_writable(out)
    found = score_folders(predicted, truth, spacing_mm=spacing_mm, labels=labels)
    write_text_atomically(out, found.scores.to_csv() if out.suffix == ".csv" else as_json(found.scores, predicted))
    return found


def as_json(scores: Scores, predicted: Path) -> str:
    """The scores as JSON, with how often a tumour was told from none."""
    content = json.loads(scores.to_json())
    content["detection"] = detected(scores, predicted).as_json()
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def detected(scores: Scores, predicted: Path) -> Detection:
    """Whether a tumour was found where there is one, and where there is none.

    Args:
        scores: Of the masks.
        predicted: Their folder; the chances of its ``run.json`` make the area under the curve.
    """
    truth = [bool(entry.values["true_voxels"]) for entry in scores.patients]
    found = [bool(entry.values["predicted_voxels"]) for entry in scores.patients]
    known = _chances(predicted / "run.json")
    chances = [known.get(entry.patient) for entry in scores.patients]
    told = [chance for chance in chances if chance is not None]
    return detection(truth, found, told if len(told) == len(truth) else None)


def _chances(run: Path) -> dict[str, float]:
    """Of a tumour, by patient; empty where nobody told them."""
    try:
        results = read_run(run).patients
    except GliosegError:
        return {}
    return {one.patient: one.presence_chance for one in results if one.presence_chance is not None}
