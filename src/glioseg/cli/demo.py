"""``glioseg demo``: its options."""

from pathlib import Path

from glioseg.cli.options import Json
from glioseg.terminal import print_scores, print_study, progress


def demo(*, out: Path = Path("demo"), json_output: Json = False) -> None:
    """See it work: practice patients, three small networks compared, masks, scores and a report, in a few minutes.

    Parameters
    ----------
    out
        A new folder for everything.
    """
    from glioseg.commands.demo import demo

    outcome = demo(out, progress=progress)
    if not json_output:
        print_study(outcome.study)
    print_scores(outcome.scores, outcome.training.part, json_output)
    if not json_output:
        print(f"\nlook at the masks, correct and accept them: glioseg review {outcome.masks}")
