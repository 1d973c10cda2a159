"""``glioseg compare``: its options."""

import json
from dataclasses import asdict

from glioseg.cli.options import Json
from glioseg.terminal import print_side_by_side


def compare(*files: str, metric: str = "dice", json_output: Json = False) -> None:
    """Compare models by their files of scores: each by itself, and every two paired by patient.

    Parameters
    ----------
    files
        What evaluate, train, study or bundle has written, or NAME=FILE. Files of one name are put together, as folds.
    metric
        Dice, or another column of the files.
    """
    from glioseg.commands.compare import compare_scores

    found = compare_scores(files, metric)
    if json_output:
        summaries = {name: asdict(summary) for name, summary in found.summaries().items()}
        pairs = [asdict(pair) for pair in found.pairs]
        print(json.dumps({"metric": metric, "models": summaries, "pairs": pairs}, indent=2, allow_nan=False))
        return
    print_side_by_side(found)
