"""``glioseg study``: its options."""

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

from glioseg.cli.options import (
    ON_THIS_MACHINE,
    EngineOptions,
    Json,
    Settings,
    Several,
    WholeNumber,
    comma_separated,
    whole_numbers,
)
from glioseg.errors import BadOptionError
from glioseg.terminal import print_study, progress


def study(
    *,
    data: Path,
    out: Path,
    networks: Annotated[tuple[str, ...], Several] = (),
    widths: Literal["published", "matched"] = "matched",
    split: Path | None = None,
    folds: WholeNumber | None = None,
    only_folds: Annotated[tuple[str, ...], Several] = (),
    seeds: Annotated[tuple[str, ...], Several] = ("0",),
    minutes: float | None = None,
    steps: WholeNumber | None = None,
    where: EngineOptions = ON_THIS_MACHINE,
    config: Path | None = None,
    set_: Settings = (),
    json_output: Json = False,
) -> None:
    """Compare networks: train each under the same conditions, score by patient, test the differences, report.

    Repeating the command goes on with a study that was broken off; finished runs are not repeated.

    Parameters
    ----------
    data
        A folder in the dataset's layout.
    out
        The study's folder: plan.json, runs, tables, report.html.
    networks
        What to compare, each name:width, as unet:32,resunet-a:16. Without it every network, at --widths.
    widths
        matched: about equal arithmetic. published: as in the papers.
    split
        A split file. Without it: the published split, or --folds.
    folds
        Split the patients into so many folds, stratified by site, and test on each of them.
    only_folds
        Run only these folds, as 0,1.
    seeds
        Train each network from each of these seeds, as 0,1,2.
    minutes
        Budget of each run in minutes of training on this machine.
    steps
        Budget of each run in steps.
    config
        Settings as JSON or TOML, laid over the defaults; every network shares them.
    set_
        A setting as section.key=value, laid over the file; may be given many times.
    """
    from glioseg.commands.study import as_json, study
    from glioseg.dataset.splits import SplitChoice
    from glioseg.study.plan import configurations_of, parse_configurations
    from glioseg.training.config import load_config

    budgets = [f"budget.{name}={value}" for name, value in (("minutes", minutes), ("steps", steps)) if value]
    if len(budgets) > 1:
        raise BadOptionError("--minutes and --steps exclude each other", remedy="Give one of them")
    outcome = study(
        data,
        out,
        networks=parse_configurations(comma_separated(networks)) if networks else configurations_of(widths),
        config=load_config(config, [*set_, *budgets]),
        splits=SplitChoice(split, folds, whole_numbers("--only-folds", only_folds)),
        seeds=whole_numbers("--seeds", seeds),
        executor=where.chosen().executor(out / "jobs"),
        command=["glioseg", *sys.argv[1:]],
        progress=progress,
        json_lines=json_output,
    )
    if json_output:
        print(json.dumps(as_json(outcome), indent=2))
        return
    print_study(outcome)
