"""``glioseg presence``: fit how a model tells whether there is a tumour at all."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glioseg.atomic import check_writable, write_text_atomically
from glioseg.dataset.lgg import case_of
from glioseg.dataset.removal import without_tumour
from glioseg.dataset.store import ArrayStore, open_store
from glioseg.errors import GliosegError
from glioseg.evaluation.detection import Rate, auroc
from glioseg.evaluation.domain_shift import simulate_domain_shift
from glioseg.inference.contract import CARD, CONTRACT, ENSEMBLE, load_contract, load_ensemble_contract
from glioseg.inference.evidence import Evidence
from glioseg.inference.external import predict_external
from glioseg.inference.model import Model, Prediction
from glioseg.inference.presence import PresenceRule
from glioseg.inference.shipped import find_model
from glioseg.patients.find import find_sources
from glioseg.patients.source import PatientSource
from glioseg.training.presence import Example, fit_presence, left_out_chances
from glioseg.volume import Mask, Volume

EXAMPLES = "presence.csv"
HEADING = "## Presence"
_KEPT = ("person", "kind", "tumour")


@dataclass(frozen=True)
class PresenceOutcome:
    """What fitting leaves.

    Attributes:
        rule: In the model's contract now.
        examples: What it was fitted on.
        chances: Of each, by the rule of other people.
    """

    rule: PresenceRule
    examples: tuple[Example, ...]
    chances: NDArray[np.float64]

    def rates(self) -> dict[str, dict[str, Rate]]:
        """For each kind of example how many are ``present`` and how many ``none``."""
        kinds = [_kind(example) for example in self.examples]
        rates = {}
        for kind in dict.fromkeys(kinds):
            of_kind = self.chances[[other == kind for other in kinds]]
            rates[kind] = {
                "present": Rate(int((of_kind >= self.rule.present_from).sum()), len(of_kind)),
                "none": Rate(int((of_kind < self.rule.none_below).sum()), len(of_kind)),
            }
        return rates

    def in_words(self) -> str:
        """Operating points and the area under the curve, as Markdown."""
        rows = [
            f"| {kind} | {rates['present'].in_words()} | {rates['none'].in_words()} |"
            for kind, rates in self.rates().items()
        ]
        truth = [example.tumour for example in self.examples]
        area = auroc(truth, list(map(float, self.chances)))
        told = "" if area is None else f"\n\nArea under the receiver operating characteristic of all: {area:.3f}."
        return "\n".join(["| scans | present | none |", "|---|---|---|", *rows]) + told


def fit_model(
    model: str | Path,
    data: Path | None = None,
    *,
    tumour_free: Sequence[Path] = (),
    tumours: Sequence[Path] = (),
    members: bool = False,
    progress: Callable[[str], None] = lambda line: None,
) -> PresenceOutcome:
    """Fit the rule of a model, and write it into its contract, its examples beside it and its card.

    Args:
        model: A name or a folder.
        data: What it was trained on: each patient is predicted by those of its networks that had held it back, with
            the tumour and with the tumour removed. None fits again what ``presence.csv`` holds.
        tumour_free: Folders of external scans without tumour.
        tumours: Folders of external scans with one.
        members: Write the rule into the contract of each of its networks too: of one kind, each alone is told as in its
            fold.
        progress: Takes a line for each step.

    Raises:
        GliosegError: If the networks are of several kinds though ``members`` is asked for, the model does not tell
            whom it has not seen, there is no example of either answer, or a file cannot be read or written: whether
            it can is seen first.
    """
    folder = find_model(model)
    places = [folder, *(_members(folder) if members else ())]
    for place in places:
        check_writable(place, remedy="Copy the folder of the model, and fit the copy")
    if data is None:
        examples = read_examples(folder / EXAMPLES)
    else:
        asked, store = Model.load(folder), open_store(data)
        _check_home(asked, store)
        # Before the home patients, which take long.
        external = [(_external(paths, progress), tumour) for paths, tumour in ((tumour_free, False), (tumours, True))]
        examples = [*_home(asked, store, progress)]
        for sources, tumour in external:
            examples += _elsewhere(asked, sources, tumour, progress)
    outcome = fit_examples(examples)
    write_text_atomically(folder / EXAMPLES, examples_as_csv(outcome.examples))
    for place in places:
        write_rule(place, outcome.rule)
    write_section(folder / CARD, outcome)
    return outcome


def decisions_under_domain_shift(
    model: str | Path, data: Path, *, progress: Callable[[str], None] = lambda line: None
) -> dict[str, Counter[str]]:
    """What a model decides of the patients of its data made to look like external scans; nothing is written.

    The networks have not seen the patients that they predict. The rule has, but as they are at home.

    Args:
        model: A name or a folder.
        data: As for :func:`fit_model`.
        progress: Takes a line for each patient.

    Returns:
        For scans with their tumour and with the tumour removed, how often each was said: ``present``, ``doubtful``,
        ``none``, or ``refused`` where no brain was found to keep.

    Raises:
        GliosegError: If the model has no rule or does not tell whom it has not seen, or the data lacks a patient.
    """
    asked, store = Model.load(find_model(model)), open_store(data)
    if asked.presence is None:
        raise GliosegError(f"{model} does not tell whether there is a tumour", remedy="Fit that first, without shift")
    _check_home(asked, store)
    said = {kind: Counter(dict.fromkeys(_SAID, 0)) for kind in ("with tumour", "tumour removed")}
    for number, (patient, held_out) in enumerate(sorted(asked.out_of_fold().items()), start=1):
        progress(f"[{number}] {patient}, with its tumour and without, under a simulated domain shift")
        volume, truth = store.volume(patient), store.mask(patient)
        said["with tumour"][_said_under_shift(held_out, volume, truth)] += 1
        removed = without_tumour(volume, truth)
        if removed is not None:
            nothing = Mask(patient, np.zeros(removed.voxels.shape[:3], np.bool_))
            said["tumour removed"][_said_under_shift(held_out, removed, nothing)] += 1
    return said


_SAID = ("present", "doubtful", "none", "refused")


def _said_under_shift(model: Model, volume: Volume, truth: Mask) -> str:
    try:
        found = predict_external(model, simulate_domain_shift(volume, truth)[0])
    except GliosegError:
        # As in domain_shift_dice: a scan that was stripped of too much.
        return "refused"
    assert found.finding is not None
    return found.finding.presence


def _members(folder: Path) -> list[Path]:
    contract = load_ensemble_contract(folder)
    places = [contract.member_folder(folder, name) for name in contract.members]
    kinds = {(own.network, own.width) for own in map(load_contract, places)}
    if len(kinds) > 1:
        raise GliosegError(
            f"the networks of {folder} are of several kinds", remedy="Fit each kind as a model of its own"
        )
    return places


def fit_examples(examples: Sequence[Example]) -> PresenceOutcome:
    """Fit the rule, and tell each example by the rule of other people."""
    if len({example.tumour for example in examples}) < 2:
        raise GliosegError(
            "presence cannot be fitted",
            expected="scans with a tumour and without",
            found=f"{len(examples)} of one kind",
        )
    return PresenceOutcome(fit_presence(examples), tuple(examples), left_out_chances(examples))


def write_rule(folder: Path, rule: PresenceRule) -> None:
    """Put a rule into a model's contract; whatever else it says stays as it is."""
    several = (folder / ENSEMBLE).exists()
    contract = load_ensemble_contract(folder) if several else load_contract(folder)
    text = contract.model_copy(update={"presence": rule}).model_dump_json(indent=2)
    write_text_atomically(folder / (ENSEMBLE if several else CONTRACT), text + "\n")


def write_section(card: Path, outcome: PresenceOutcome) -> None:
    """Put the operating points into a card, in place of those that stand there."""
    text = card.read_text(encoding="utf-8") if card.exists() else ""
    kept = re.sub(rf"\n*{HEADING}\n.*?(?=\n## |\Z)", "", text, flags=re.DOTALL).rstrip()
    section = (
        f"{HEADING}\n\nWhether there is a tumour at all: `present` from a chance of {outcome.rule.present_from:.3f}, "
        f"`none` below {outcome.rule.none_below:.3f}, `doubtful` between. Each person was told by a rule fitted on "
        f"others. `home` without tumour are the same patients with the tumour removed.\n\n{outcome.in_words()}"
    )
    write_text_atomically(card, f"{kept}\n\n{section}\n")


def examples_as_csv(examples: Sequence[Example]) -> str:
    """A row for each example with its evidence."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_KEPT, *(field.name for field in fields(Evidence))])
    for example in examples:
        numbers = [round(value, 5) for value in asdict(example.evidence).values()]
        writer.writerow([example.person, example.kind, int(example.tumour), *numbers])
    return text.getvalue()


def read_examples(path: Path) -> list[Example]:
    """Read what :func:`examples_as_csv` has written.

    Raises:
        GliosegError: If it cannot be read or is something else.
    """
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        return [_example(row) for row in rows]
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise GliosegError(
            f"{path} holds no examples of tumours and none", found=str(error), remedy="Give --data to predict them"
        ) from error


def _example(row: dict[str, str]) -> Example:
    numbers = {field.name: float(row[field.name]) for field in fields(Evidence)}
    evidence = Evidence(**{**numbers, "components": int(numbers["components"])})  # type: ignore[arg-type]
    return Example(row["person"], row["kind"], row["tumour"] == "1", evidence)


def _check_home(model: Model, store: ArrayStore) -> None:
    missing = sorted(model.out_of_fold().keys() - {entry.patient for entry in store.patients})
    if missing:
        raise GliosegError(
            f"the data lacks {len(missing)} patients that tested the model",
            found=f"no {', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''}",
            remedy="Give the data that the model was trained on",
        )


def _external(paths: Sequence[Path], progress: Callable[[str], None]) -> Sequence[PatientSource]:
    """The scans of folders; one that cannot be used is told."""
    if not paths:
        return ()
    found = find_sources(paths)
    for name, why in found.failures.items():
        progress(f"{name}: skipped, {why}")
    return found.sources


def _home(model: Model, store: ArrayStore, progress: Callable[[str], None]) -> Iterator[Example]:
    for number, (patient, held_out) in enumerate(sorted(model.out_of_fold().items()), start=1):
        progress(f"[{number}] {patient}, with its tumour and without")
        held_out.presence, person, volume = _ASK, case_of(patient), store.volume(patient)
        yield Example(person, "home", True, _evidence(held_out.predict(volume)))
        removed = without_tumour(volume, store.mask(patient))
        if removed is not None:
            yield Example(person, "home", False, _evidence(held_out.predict(removed)))


def _elsewhere(
    model: Model, sources: Sequence[PatientSource], tumour: bool, progress: Callable[[str], None]
) -> Iterator[Example]:
    model.presence = _ASK
    for source in sources:
        progress(f"{source.patient}, from elsewhere")
        found = predict_external(model, source.read().volume)
        yield Example(_person(source.patient), "elsewhere", tumour, _evidence(found))


_ASK = PresenceRule(intercept=0, weights={}, none_below=0, present_from=0)
"""Decides nothing: with it a model tells the evidence."""


def _evidence(found: Prediction) -> Evidence:
    assert found.finding is not None
    return found.finding.evidence


def _person(patient: str) -> str:
    """Whom an examination shows: several of a person are named alike but for the last part, as ``ms_p01_s2``."""
    return re.sub(r"[_-](s|ses-?)\d+$", "", patient)


def _kind(example: Example) -> str:
    return f"{example.kind}, {'tumour' if example.tumour else 'none'}"
