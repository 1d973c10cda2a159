"""``glioseg bids``: its options."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from glioseg.cli.options import (
    Backend,
    Device,
    Flag,
    Json,
    Precision,
    Presence,
    WholeNumber,
    comma_separated,
    of_bids_app,
    spelled,
)
from glioseg.cli.predict import tell_run
from glioseg.terminal import progress


def bids(
    bids_dir: Path,
    output_dir: Path,
    analysis_level: Literal["participant", "group"],
    *,
    participant_label: Annotated[tuple[str, ...], of_bids_app("participant-label")] = (),
    session_label: Annotated[tuple[str, ...], of_bids_app("session-label")] = (),
    skip_bids_validation: Annotated[bool, Parameter(name=spelled("skip-bids-validation"), negative="")] = False,
    model: str = "unet",
    presence: Presence = "on",
    probabilities: bool = True,
    previews: bool = True,
    retry_failed: Annotated[bool, Flag] = False,
    device: Device = "auto",
    precision: Precision = "auto",
    backend: Backend = "auto",
    threads: Annotated[WholeNumber | None, Parameter(name=("--threads", "--n-cpus", "--n_cpus"))] = None,
    json_output: Json = False,
) -> int:
    """Segment a BIDS data set into BIDS derivatives, as a BIDS app; a repeated command does only what is missing.

    Exit code 0 if every FLAIR was done, 1 if some was not or a session has none, 2 if the request makes no sense.

    Parameters
    ----------
    bids_dir
        The raw data set: every FLAIR of it is segmented, with the T1 before and after contrast of its session.
    output_dir
        The derivative data set, as BIDS_DIR/derivatives/glioseg.
    analysis_level
        participant: masks, probabilities and measurements of each. group: one table and one report of all.
    participant_label
        Only these subjects, with or without sub-, as 01 02.
    session_label
        Only these sessions, with or without ses-.
    skip_bids_validation
        Take a data set without the description that BIDS requires; more is not validated here.
    model
        A model that comes with glioseg (glioseg info lists them), or the folder of a bundle.
    presence
        Tell whether there is a tumour at all; off gives masks alone.
    probabilities
        Write probabilities beside the masks.
    previews
        Draw a contact sheet of each.
    retry_failed
        Try those again that failed.
    precision
        Arithmetic of the convolutions; auto takes bfloat16 where the hardware computes it.
    backend
        What computes the network; auto takes the fastest that is installed and for which the bundle holds a model.
    threads
        How many threads compute; one for each core that the program may use unless told otherwise.
    """
    from glioseg.machine import use_threads

    # Before a library loads: it looks at the number once.
    use_threads(threads)
    from glioseg.commands.bids import segment_participants, summarise_group

    which: dict[str, Any] = {
        "participants": comma_separated(participant_label),
        "sessions": comma_separated(session_label),
        "require_description": not skip_bids_validation,
    }
    if analysis_level == "group":
        rows = summarise_group(bids_dir, output_dir, **which)
        lacking = [row for row in rows if row.state != "done"]
        if json_output:
            print(json.dumps([row.as_row() for row in rows], indent=2, allow_nan=False))
        else:
            print("\n".join(f"{row.name}: {row.state}, {row.reason}" for row in lacking), end="\n" * bool(lacking))
            print(f"{len(rows) - len(lacking)} of {len(rows)} examinations in the table and the report in {output_dir}")
        return 1 if lacking else 0
    run = segment_participants(
        bids_dir,
        output_dir,
        **which,
        model=model,
        presence=presence == "on",
        probabilities=probabilities,
        previews=previews,
        retry_failed=retry_failed,
        device=device,
        precision=precision,
        backend=backend,
        progress=progress,
    )
    return tell_run(run, output_dir, json_output)
