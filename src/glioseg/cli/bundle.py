"""``glioseg bundle``: its options."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from glioseg.cli.options import Flag, Json
from glioseg.errors import BadOptionError
from glioseg.terminal import print_place, print_scores, progress


def bundle(
    *runs: Path,
    data: Path,
    out: Path,
    domain_shift: Annotated[bool, Parameter(name=("--domain-shift", "--stand-ins"))] = True,
    shared: Annotated[bool, Flag] = False,
    flips_in_turn: Annotated[bool, Flag] = False,
    crop_to_head: Annotated[bool, Flag] = False,
    siblings: Path | None = None,
    json_output: Json = False,
) -> None:
    """Make a model for others of finished runs: one alone, or several as an ensemble; calibrated, scored, with a card.

    Temperature, threshold and component rule are chosen on the runs' validation patients, the scores are those of
    their test patients. Weights are kept in half precision.

    Parameters
    ----------
    runs
        Folders of runs that 'glioseg train' or 'glioseg study' has finished, or of models made earlier: of one split,
        or of folds of one cross-validation, where each patient is scored by the networks that held it back.
    data
        The folder that they were trained on.
    out
        A new folder.
    domain_shift
        Score the test patients as external scans too: stripped, turned, in another size and contrast.
    shared
        Use the networks where they lie, in a model beside --out, instead of copying them.
    flips_in_turn
        Show the networks a new scan and its left-right mirror image in turn, instead of both to each: half the time.
    crop_to_head
        Show U-Nets each slice of a new scan once, cropped to the head, instead of patches that overlap: a third less to
        compute.
    siblings
        For one run that was trained on every patient: a model beside --out, of networks of the same recipe, one for
        each fold. Rule and scores are those of the patients that these held back.
    """
    from glioseg.commands.bundle import bundle
    from glioseg.commands.bundle_refit import bundle_refit

    if siblings is None:
        outcome = bundle(
            runs,
            data,
            out,
            domain_shift=domain_shift,
            shared=shared,
            flips_in_turn=flips_in_turn,
            crop_to_head=crop_to_head,
            progress=progress,
        )
    elif len(runs) == 1 and not (shared or flips_in_turn or crop_to_head):
        outcome = bundle_refit(runs[0], siblings, data, out, domain_shift=domain_shift, progress=progress)
    else:
        raise BadOptionError("--siblings goes with one run alone", found=f"{len(runs)} runs")
    print_scores(outcome.scores, outcome.part, json_output)
    print_place("model", outcome.folder, json_output)
