"""``glioseg data``: the options of its commands."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from glioseg.cli.options import Json, WholeNumber
from glioseg.terminal import patients_in_words, print_check, print_place, progress


def fetch(dest: Path, *, json_output: Json = False) -> None:
    """Fetch the dataset through Kaggle's own client, or tell how to fetch it by hand.

    Parameters
    ----------
    dest
        A new or empty folder.
    """
    from glioseg.commands.data_fetch import fetch

    patients = fetch(dest)
    print(json.dumps({"patients": patients}) if json_output else f"{patients_in_words(patients)} in {dest}")


def phantom(
    dest: Path,
    *,
    patients: WholeNumber = 20,
    seed: WholeNumber = 0,
    size: WholeNumber = 256,
    json_output: Json = False,
) -> None:
    """Make practice patients with known tumours, in the dataset's layout.

    Parameters
    ----------
    dest
        A new or empty folder.
    patients
        How many.
    seed
        Another seed gives other patients.
    size
        Rows and columns of a slice, in pixels.
    """
    from glioseg.dataset.phantom import write_phantoms

    names = write_phantoms(dest, patients=patients, seed=seed, size=size)
    print(json.dumps(names) if json_output else f"{len(names)} practice patient{'s' * (len(names) > 1)} in {dest}")


def split(
    data: Path,
    out: Path,
    *,
    folds: WholeNumber | None = None,
    fold: WholeNumber = 0,
    leave_site_out: str | None = None,
    seed: WholeNumber = 0,
    json_output: Json = False,
) -> None:
    """Write a split of the patients as a file: the published one, one of K folds, or all hospitals but one.

    Parameters
    ----------
    data
        A folder in the dataset's layout.
    out
        The split file, JSON.
    folds
        So many folds, stratified by site; without it the published split.
    fold
        Which of the folds is tested, from 0.
    leave_site_out
        Test the patients of this hospital, as CS, DU, FG or HT, on networks that have seen none of them.
    seed
        Another seed deals the patients otherwise.
    """
    from glioseg.dataset.lgg import find_patient_folders
    from glioseg.dataset.splits import SplitChoice, save_split
    from glioseg.files import readable

    choice = SplitChoice(folds=folds, only_folds=() if folds is None else (fold,), seed=seed, site=leave_site_out)
    chosen = choice.split([readable(path.name) for path in find_patient_folders(data)])
    save_split(chosen, out)
    counts = {part: len(getattr(chosen, part)) for part in ("train", "validation", "test")}
    line = ", ".join(f"{count} {part}" for part, count in counts.items())
    print(json.dumps({**counts, "sha256": chosen.sha256}) if json_output else f"{chosen.name}: {line}, in {out}")


def from_review(
    masks: Path,
    dest: Path,
    *,
    scans: Path | None = None,
    reader: str | None = None,
    split: Path | None = None,
    against: Path | None = None,
    json_output: Json = False,
) -> None:
    """Write what readers accepted and corrected as a training set, without anyone who must stay unseen.

    Parameters
    ----------
    masks
        The folder that was read.
    dest
        A new folder in the dataset's layout.
    scans
        The scans, where masks does not tell or they have moved.
    reader
        Whose reading, where there are several.
    split
        The split of the weights that training will go on from; who validates or tests there is left out.
    against
        A folder in the dataset's layout: copies of the images of those who must stay unseen are left out as well.
    """
    from glioseg.commands.from_review import from_review

    made = from_review(masks, dest, scans=scans, reader=reader, split=split, against=against, progress=progress)
    if json_output:
        print(json.dumps(asdict(made), indent=2))
    else:
        print(f"{patients_in_words(len(made.written))} in {dest}, {len(made.left_out)} left out")


def check(
    data: Path,
    *,
    html: Path | None = None,
    fix: Path | None = None,
    statistics: Annotated[Path | None, Parameter(name=("--statistics", "--fingerprint"))] = None,
    split: Path | None = None,
    model: Path | None = None,
    probabilities: Path | None = None,
    json_output: Json = False,
) -> int:
    """Analyse a set: structure, images, duplicates, leaks, labels. The set itself is never changed.

    Exit code 0 without errors, 1 if an error was found, 2 if the set could not be checked.

    Parameters
    ----------
    data
        A folder in the dataset's layout, or of NIfTI or NRRD scans with masks.
    html
        Write a page with every finding, images, and the set at a glance.
    fix
        Write a cleaned copy into this new folder with a log of every change, or the log alone if it ends in .json.
    statistics
        Write sizes, intensities, volumes, sites and missing sequences as JSON.
    split
        A split file: whatever stands in two of its parts is an error.
    model
        A run's folder: its network looks for suspicious labels of the patients that it was not trained on.
    probabilities
        The same from predictions on disk: a study's folder, or NPZ files of out-of-fold probabilities.
    """
    from glioseg.commands.data_check import check

    outcome = check(
        data,
        html=html,
        fix=fix,
        statistics=statistics,
        split=split,
        model=model,
        probabilities=probabilities,
        progress=progress,
    )
    if json_output:
        print(json.dumps(outcome.result.as_json(), indent=2))
    else:
        print_check(outcome)
        if html is not None:
            print_place("page", html, json_output)
    return 1 if outcome.result.count("error") else 0
