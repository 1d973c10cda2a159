"""A network that was trained on every patient becomes a model, with the evidence of siblings that held patients back.

The networks of a cross-validation say what a recipe reaches on patients that it has not seen; one network more, trained
on all of them by the same recipe, is what a user runs.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from glioseg.atomic import atomic_folder
from glioseg.commands.bundle_members import Member, check_new, check_same_data, read_refit
from glioseg.commands.bundle_scores import BundleOutcome, score_refit
from glioseg.dataset.splits import save_split
from glioseg.dataset.store import ArrayStore, open_store
from glioseg.errors import GliosegError
from glioseg.inference.bundle import save_bundle
from glioseg.inference.contract import SPLIT
from glioseg.inference.model import Model
from glioseg.inference.postprocessing import Decision
from glioseg.training.validation import choose_decision


def bundle_refit(
    run: Path,
    siblings: Path,
    data: Path,
    out: Path,
    *,
    domain_shift: bool = True,
    progress: Callable[[str], None] = lambda line: None,
) -> BundleOutcome:
    """Make a model of a run without test patients.

    Temperature, threshold and component rule are chosen on what the siblings say of the patients that they held back;
    the scores beside the model are the siblings' own, each under the rule of its fold.

    Args:
        run: A finished run whose split has no test patients.
        siblings: A model beside ``out``: one network for each fold of a cross-validation, by the same recipe.
        data: The folder in the dataset's layout that all were trained on.
        out: A new folder.
        domain_shift: Whether the patients are also scored as external scans, which takes as long again.
        progress: Takes a line for each step.

    Raises:
        GliosegError: If the run is unfinished or has test patients, the siblings lie elsewhere or are of another
            recipe, the data is another, or ``out`` holds something.
    """
    check_new(out)
    if siblings.resolve().parent != out.resolve().parent:
        raise GliosegError(f"the siblings {siblings} do not lie beside {out}", remedy="Put both into one folder")
    member, store, folds = read_refit(run), open_store(data), Model.load(siblings, backend="torch")
    _check_recipe(member, folds, store)
    out_of_fold = folds.out_of_fold()
    progress(f"choosing temperature, threshold and component rule on {len(out_of_fold)} patients out of fold")
    decision = _decide(out_of_fold, store)
    update = {**dict(decision), "siblings": f"../{siblings.resolve().name}", "presence": None}
    with atomic_folder(out) as unfinished:
        save_bundle(unfinished, member.network, member.contract.model_copy(update=update), "", half=True)
        save_split(member.split, unfinished / SPLIT)
        progress(f"scoring {len(out_of_fold)} patients{', also as external scans' if domain_shift else ''}")
        outcome = score_refit(Model.load(unfinished, backend="torch"), out_of_fold, unfinished, store, domain_shift)
    return replace(outcome, folder=out)


def _check_recipe(member: Member, folds: Model, store: ArrayStore) -> None:
    own = member.contract
    for name, network in folds.networks.items():
        other = network.contract
        alike = ("network", "width", "preprocessing", "flip", "through_plane_smoothing", "patch_px", "data_fingerprint")
        differing = [field for field in alike if getattr(own, field) != getattr(other, field)]
        if differing:
            raise GliosegError(
                f"{name} is no sibling of the run",
                expected=f"the same {', '.join(differing)}",
                remedy="Give the folds of a cross-validation of the same recipe",
            )
    if len(folds.networks) != len({network.contract.split_sha256 for network in folds.networks.values()}):
        raise GliosegError("the siblings hold several networks of one fold", expected="one network for each fold")
    check_same_data(member, store)


def _decide(out_of_fold: Mapping[str, Model], store: ArrayStore) -> Decision:
    """What suits all patients as they are predicted out of fold, before calibration."""
    plain = {patient: model.first.uncalibrated for patient, model in out_of_fold.items()}
    found = ((patient, model.probabilities(store.volume(patient))) for patient, model in plain.items())
    return choose_decision(found, store)
