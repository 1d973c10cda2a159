"""``glioseg bundle``: finished runs become one model for others, small, calibrated, scored, with a card."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from glioseg.atomic import atomic_folder
from glioseg.commands.bundle_decisions import Predictions, Probabilities, decide, decide_for_all
from glioseg.commands.bundle_members import (
    Fold,
    Member,
    architecture_of,
    check_new,
    check_same_data,
    folds_of,
    read_members,
    shared_folder,
)
from glioseg.commands.bundle_scores import BundleOutcome, score_model
from glioseg.dataset.splits import check_patients_present, save_split
from glioseg.dataset.store import ArrayStore, open_store
from glioseg.errors import BadOptionError
from glioseg.inference.backends.torch_backend import TorchBackend
from glioseg.inference.bundle import load_bundle, save_bundle
from glioseg.inference.contract import SPLIT, EnsembleContract, load_contract, save_ensemble
from glioseg.inference.model import Model, mean_of
from glioseg.inference.postprocessing import Decision


def bundle(
    runs: Sequence[Path],
    data: Path,
    out: Path,
    *,
    domain_shift: bool = True,
    shared: bool = False,
    flips_in_turn: bool = False,
    crop_to_head: bool = False,
    progress: Callable[[str], None] = lambda line: None,
) -> BundleOutcome:
    """Make a model of finished runs: of one a bundle, of several an ensemble.

    Weights are kept in half precision. Temperature, threshold and component rule are chosen on the runs' validation
    patients, for each network, for those of a split together, and for all; the rule of a fold also on those of the
    other folds, as far as it does not test them. The test patients are predicted with what was written, each by the
    networks of the split that tests it.

    Args:
        runs: Folders of finished runs, or of models made earlier; of one split, or of folds of one cross-validation.
        data: The folder in the dataset's layout that they were trained on.
        out: A new folder.
        domain_shift: Whether the test patients are also scored as external scans, which takes as long again.
        shared: Use the networks where they lie, in an ensemble beside ``out``, as they were settled there, instead of
            copying them.
        flips_in_turn: As :attr:`glioseg.inference.contract.EnsembleContract.flips_in_turn`; the scores are with it too.
        crop_to_head: As its attribute of this name.
        progress: Takes a line for each step.

    Raises:
        GliosegError: If a run is unfinished, two splits test the same patient, the data is other than they were
            trained on, ``out`` holds something, or networks to share do not lie beside it.
    """
    check_new(out)
    members = read_members(runs)
    together = {"flips_in_turn": flips_in_turn, "crop_to_head": crop_to_head}
    if any(together.values()) and len(members) == 1:
        raise BadOptionError("--flips-in-turn and --crop-to-head need several networks", found="one")
    folds, store = folds_of(members), open_store(data)
    _check_data(store, folds, members)
    members_in = shared_folder(members, out) if shared else None
    with atomic_folder(out) as unfinished:
        outcome = _make(members, folds, store, unfinished, members_in, domain_shift, together, progress)
    return replace(outcome, folder=out)


def _make(
    members: Mapping[str, Member],
    folds: Sequence[Fold],
    store: ArrayStore,
    out: Path,
    members_in: Path | None,
    domain_shift: bool,
    together: Mapping[str, bool],
    progress: Callable[[str], None],
) -> BundleOutcome:
    """Write the model into a folder beside ``members_in``, the networks' own where they are shared."""
    places = {name: (members_in or out) / name if len(members) > 1 else out for name in members}
    if members_in is None:
        _copy(members, places)
    if len(folds) == 1:
        save_split(folds[0].split, out / SPLIT)
    progress("choosing temperature, threshold and component rule on the validation patients")
    contract = _settle(places, folds, store, shared=members_in is not None)
    if contract is not None:
        where = "." if members_in is None else f"../{members_in.name}"
        save_ensemble(out, contract.model_copy(update={"members_in": where, **together}), "")
    tested = sum(len(fold.split.test) for fold in folds)
    progress(f"predicting {tested} test patients{', also as external scans' if domain_shift else ''}")
    return score_model(Model.load(out, backend="torch"), out, folds, store, domain_shift)


def _copy(members: Mapping[str, Member], places: Mapping[str, Path]) -> None:
    for name, member in members.items():
        # A rule for presence was fitted on what another model found.
        contract = member.contract.model_copy(update={"presence": None})
        save_bundle(places[name], member.network, contract, "", half=True)
        save_split(member.split, places[name] / SPLIT)


def _check_data(store: ArrayStore, folds: Sequence[Fold], members: Mapping[str, Member]) -> None:
    for fold in folds:
        check_patients_present(fold.split, [entry.patient for entry in store.patients])
    for member in members.values():
        check_same_data(member, store)


def _settle(
    places: Mapping[str, Path], folds: Sequence[Fold], store: ArrayStore, shared: bool
) -> EnsembleContract | None:
    """Decide how probabilities become masks, and write it into the contracts of networks that are not shared.

    Returns:
        The contract of all of them together; None for one alone.
    """
    answer = _settled_predictions if shared else _fitted_predictions
    predictions = {name: answer(name, places[name], fold, store) for fold in folds for name in fold.names}
    if not shared:
        for name, of_network in predictions.items():
            _write_decision(places[name], decide(of_network, predictions.values(), store))
    if len(places) == 1:
        return None
    hashes = {name: load_contract(place).weights_sha256 for name, place in places.items()}
    means = [_mean_predictions(fold, predictions) for fold in folds]
    together = [
        Predictions.fitted(" ".join(sorted(map(architecture_of, fold.names))), fold.split, found, store)
        for fold, found in zip(folds, means, strict=True)
        if len(fold.names) > 1
    ]
    decisions = {fold.split.sha256: decide(fold, together, store) for fold in together}
    if len(folds) == 1:
        (whole,) = decisions.values()
        return EnsembleContract(members=hashes, **dict(whole))
    whole = decide_for_all(means, store)
    return EnsembleContract(members=hashes, folds=decisions, **dict(whole))


def _fitted_predictions(name: str, place: Path, fold: Fold, store: ArrayStore) -> Predictions:
    """What a network says of its validation patients, with a temperature fitted on them."""
    network, contract = load_bundle(place)
    plain = Model.of(TorchBackend(network), contract.model_copy(update={"temperature": 1.0}))
    found = {patient: plain.probabilities(store.volume(patient)) for patient in fold.split.validation}
    return Predictions.fitted(architecture_of(name), fold.split, found, store)


def _settled_predictions(name: str, place: Path, fold: Fold, store: ArrayStore) -> Predictions:
    """The same of a network that was settled already."""
    model = Model.load(place, backend="torch")
    found = {patient: model.probabilities(store.volume(patient)) for patient in fold.split.validation}
    return Predictions(architecture_of(name), fold.split, model.first.contract.temperature, found)


def _write_decision(place: Path, decision: Decision) -> None:
    network, contract = load_bundle(place)
    save_bundle(place, network, contract.model_copy(update=dict(decision)), "", half=True)


def _mean_predictions(fold: Fold, predictions: Mapping[str, Predictions]) -> Probabilities:
    """What the networks of a fold say together of its validation patients."""
    return {
        patient: mean_of([predictions[name].calibrated[patient] for name in fold.names])
        for patient in fold.split.validation
    }
