"""``glioseg train``: its options."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from glioseg.cli.options import Flag, Json, Settings, WholeNumber
from glioseg.terminal import print_place, print_scores


def train(
    *,
    data: Path,
    out: Path,
    network: str | None = None,
    from_: Annotated[Path | None, Parameter(name="--from")] = None,
    config: Path | None = None,
    set_: Settings = (),
    split: Path | None = None,
    folds: WholeNumber | None = None,
    fold: WholeNumber = 0,
    deterministic: Annotated[bool, Flag] = False,
    resume: Annotated[bool, Flag] = False,
    json_output: Json = False,
) -> None:
    """Train one network, choose its threshold on validation patients, score it and write a report.

    Parameters
    ----------
    data
        A folder in the dataset's layout.
    out
        The run's folder: configuration, split, log, checkpoint, bundle, scores, report.
    network
        A name that glioseg info lists.
    from_
        A bundle of one network, or its name, as fast, to go on from: its network and preprocessing, its weights to
        start with, a short schedule. One that was trained on a patient whom this run holds back is refused.
    config
        Settings as JSON or TOML, laid over the defaults.
    set_
        A setting as section.key=value, laid over the file; may be given many times. Examples:
        --set budget.minutes=50, --set network.width=16.
    split
        A split file. Without it: the published split, or --folds.
    folds
        Split the patients into so many folds, stratified by site.
    fold
        Which of the folds is tested, from 0.
    deterministic
        Ask for deterministic arithmetic.
    resume
        Go on with the run that --out holds, under its own settings and split.
    """
    from glioseg.commands.train import train
    from glioseg.dataset.splits import SplitChoice
    from glioseg.training.config import load_config

    assignments = list(set_)
    if network is not None:
        assignments.insert(0, f'network.name="{network}"')
    if deterministic:
        assignments.append("machine.deterministic=true")
    given = bool(config or assignments or from_)
    chosen = None
    if split is not None:
        chosen = SplitChoice(split)
    elif folds is not None:
        chosen = SplitChoice(folds=folds, only_folds=(fold,))
    outcome = train(
        data,
        out,
        config=load_config(config, assignments, pretrained=from_) if given or not resume else None,
        split=chosen,
        resume=resume,
        command=["glioseg", *sys.argv[1:]],
    )
    print_scores(outcome.scores, outcome.part, json_output)
    print_place("bundle", outcome.folder.bundle, json_output)
    print_place("report", out / "report.html", json_output)
