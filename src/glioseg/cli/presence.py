"""``glioseg presence``: its options."""

import json
from pathlib import Path
from typing import Annotated

from glioseg.cli.options import Flag, Json, Several
from glioseg.errors import BadOptionError
from glioseg.terminal import progress


def presence(
    model: str,
    *,
    data: Path | None = None,
    tumour_free: Annotated[tuple[Path, ...], Several] = (),
    tumours: Annotated[tuple[Path, ...], Several] = (),
    members: Annotated[bool, Flag] = False,
    domain_shift: Annotated[bool, Flag] = False,
    json_output: Json = False,
) -> None:
    """Fit how a model tells whether there is a tumour at all, and write it into its contract and card.

    Parameters
    ----------
    model
        A model that comes with glioseg, or the folder of one that 'glioseg bundle' has made.
    data
        The folder that it was trained on: each patient is predicted by the networks that had held it back, with its
        tumour and with the tumour removed. Without it the examples in presence.csv beside the model are fitted again.
    tumour_free
        Folders of external scans without tumour.
    tumours
        Folders of external scans with one.
    members
        Write the rule into the contract of each of its networks too, where all are of one kind.
    domain_shift
        Fit and write nothing: count what the model decides of the patients of --data made to look like external scans.
    """
    from glioseg.commands.presence import decisions_under_domain_shift, fit_model

    if domain_shift:
        if data is None or tumour_free or tumours or members:
            raise BadOptionError(
                "--domain-shift counts decisions on the model's own data", expected="--data DATA alone"
            )
        said = decisions_under_domain_shift(model, data, progress=progress)
        lines = (f"{kind}: {', '.join(f'{count} {word}' for word, count in of.items())}" for kind, of in said.items())
        print(json.dumps(said, indent=2) if json_output else "\n".join(lines))
        return
    outcome = fit_model(model, data, tumour_free=tumour_free, tumours=tumours, members=members, progress=progress)
    if json_output:
        rates = {kind: {n: r.as_json() for n, r in of.items()} for kind, of in outcome.rates().items()}
        print(json.dumps({"rule": outcome.rule.model_dump(), "rates": rates}, indent=2, allow_nan=False))
        return
    print(outcome.in_words())
