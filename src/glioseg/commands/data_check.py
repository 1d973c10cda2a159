"""``glioseg data check``: what is wrong with a set, as a list, a page, and a cleaned copy."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from glioseg.atomic import check_file_writable, write_text_atomically
from glioseg.check.cleaning import Cleaning, check_destination, write_cleaned
from glioseg.check.dataset_check import CheckResult, Predictions, check_dataset, open_source
from glioseg.check.label_errors import Probabilities
from glioseg.errors import BadOptionError


@dataclass(frozen=True)
class CheckOutcome:
    """What the command leaves.

    Attributes:
        result: The findings and the set's statistics.
        cleaning: What the cleaned copy changes, or None where none was asked for.
    """

    result: CheckResult
    cleaning: Cleaning | None


def check(
    data: Path,
    *,
    html: Path | None = None,
    statistics: Path | None = None,
    fix: Path | None = None,
    split: Path | None = None,
    model: Path | None = None,
    probabilities: Path | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> CheckOutcome:
    """Check a set; the set itself is never changed.

    Args:
        data: A folder in the dataset's layout, or of NIfTI or NRRD scans with masks.
        html: Where to write the page.
        statistics: Where to write the set's statistics, JSON.
        fix: A new folder for a cleaned copy, or a JSON file for the list of what it would change.
        split: A split file whose parts must share nothing.
        model: A run's folder, or a bundle; it predicts the patients that it was not trained on.
        probabilities: Out-of-fold predictions, as :class:`glioseg.check.label_errors.Probabilities` reads them.
        progress: Gets a line now and then.

    Raises:
        GliosegError: If there is nothing to check, an option is unusable, or a file cannot be written.
    """
    if model is not None and probabilities is not None:
        raise BadOptionError("--model and --probabilities exclude each other", remedy="Give one of them")
    for file in (html, statistics):
        if file is not None:
            check_file_writable(file)
    source = open_source(data)
    if fix is not None:
        check_destination(source.root, fix)
    predictions: Predictions | None = Probabilities(probabilities) if probabilities is not None else None
    if model is not None:
        # The only part that needs torch, which takes seconds to load.
        from glioseg.commands.model_predictions import ModelPredictions

        predictions = ModelPredictions(source, model, split=split, progress=progress)
    result = check_dataset(source, split=split, predictions=predictions, progress=progress)
    if statistics is not None:
        write_text_atomically(statistics, json.dumps(result.set_statistics, indent=2) + "\n")
    if html is not None:
        from glioseg.report.check_report import write_check_report

        write_check_report(html, result)
    return CheckOutcome(result, write_cleaned(result, fix) if fix is not None else None)
