"""Splits by patient: no person stands in two parts, and the published test patients stay unseen."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from glioseg.atomic import write_text_atomically
from glioseg.dataset.lgg import case_of, site_of
from glioseg.errors import BadFileError, BadOptionError, GliosegError, fault_in_words

PUBLISHED_TEST_CASES = frozenset(
    {
        "TCGA_CS_4944",
        "TCGA_CS_6667",
        "TCGA_CS_6668",
        "TCGA_DU_5851",
        "TCGA_DU_6404",
        "TCGA_DU_6408",
        "TCGA_DU_7014",
        "TCGA_HT_7616",
        "TCGA_HT_7692",
        "TCGA_HT_7879",
    }
)
"""The ten cases that the reference implementation of Buda 2019 holds back."""

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Which patient serves what.

    Attributes:
        name: How the split came about, as ``published`` or ``fold 0 of 5``.
        train: Patients that the weights are fitted to.
        validation: Patients that threshold, post-processing and curves are taken from.
        test: Patients that are scored once, at the end. Empty where the data folder lacks them.

    Raises:
        GliosegError: If a person stands in two parts, or a published test patient outside of ``test``.
    """

    name: str
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def __post_init__(self) -> None:
        owner: dict[str, str] = {}
        for part in PARTS:
            for patient in getattr(self, part):
                case = case_of(patient)
                if owner.setdefault(case, part) != part:
                    raise GliosegError(
                        f"split {self.name!r} leaks: {patient} stands in {owner[case]} and in {part}",
                        remedy="Give every patient to one part only",
                    )
                if case in PUBLISHED_TEST_CASES and part != "test":
                    raise GliosegError(
                        f"split {self.name!r} uses the published test patient {patient} in {part}",
                        remedy="Keep the ten published test patients in test, or leave them out",
                    )

    @property
    def sha256(self) -> str:
        """Hash of who stands where; it goes into every run and bundle."""
        parts = {part: sorted(getattr(self, part)) for part in PARTS}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def leaks_from(self, trained: "Split") -> list[str]:
        """The patients held back here whom the weights of another split were fitted to: those would not be unseen."""
        seen = {case_of(patient) for patient in trained.train}
        return [patient for patient in (*self.validation, *self.test) if case_of(patient) in seen]


def published_split(patients: Iterable[str], *, validation_share: float = 0.1, seed: int = 0) -> Split:
    """The split that published scores use: ten test patients by name, all others train or validate.

    A folder without those ten still works; its test part is then empty.
    """
    others, test = _set_test_apart(patients)
    train, validation = _take_validation(others, validation_share, seed)
    return Split("published", train, validation, test)


def fold_splits(patients: Iterable[str], *, folds: int, validation_share: float = 0.1, seed: int = 0) -> list[Split]:
    """K folds stratified by site: each patient is tested once. The published test patients take no part.

    Raises:
        GliosegError: If there are fewer persons than folds, or less than two folds.
    """
    others, _ = _set_test_apart(patients)
    persons = len({case_of(patient) for patient in others})
    if not 2 <= folds <= persons:
        raise GliosegError(f"cannot make {folds} folds", expected=f"2 to {persons}, one person each at least")
    tests = _deal_by_site(others, folds, seed)
    splits = []
    for number, test in enumerate(tests):
        rest = [patient for patient in others if patient not in set(test)]
        train, validation = _take_validation(rest, validation_share, seed)
        splits.append(Split(f"fold {number} of {folds}", train, validation, test))
    return splits


def site_split(patients: Iterable[str], site: str, *, validation_share: float = 0.1, seed: int = 0) -> Split:
    """Leave a hospital out: its patients are tested by a network that has seen none of them.

    The others train or validate. The published test patients take no part.

    Raises:
        GliosegError: If no patient is of this site, or none is of another.
    """
    others, _ = _set_test_apart(patients)
    test = tuple(patient for patient in others if site_of(patient) == site)
    rest = [patient for patient in others if site_of(patient) != site]
    if not test or not rest:
        raise GliosegError(
            f"site {site} cannot be left out",
            expected="a site of some of the patients, and others of another",
            found=f"{len(test)} patients of {site}, and sites {', '.join(sorted(set(map(site_of, others))))}",
        )
    train, validation = _take_validation(rest, validation_share, seed)
    return Split(f"without site {site}", train, validation, test)


def save_split(split: Split, path: Path) -> None:
    """Write a split as JSON with its hash."""
    content = {"name": split.name, **{part: getattr(split, part) for part in PARTS}, "sha256": split.sha256}
    write_text_atomically(path, json.dumps(content, indent=2) + "\n")


_SPLIT_FILE = "JSON with the lists train, validation and test"


class SplitFile(BaseModel):
    """A split as it is written; whoever reads it decides what it may lack."""

    name: str | None = None
    train: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    sha256: str | None = None


def read_split_file(path: Path) -> SplitFile:
    """Read what a split file says, even if it leaks.

    Raises:
        GliosegError: If it cannot be read, or a part is no list of names.
    """
    try:
        return SplitFile.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise BadFileError(path, "does not exist") from None
    except (OSError, ValueError) as error:
        raise BadFileError(path, "is no split file", expected=_SPLIT_FILE, found=fault_in_words(error)) from error


def load_split(path: Path) -> Split:
    """Read a split file; its hash, where it has one, must fit.

    Raises:
        GliosegError: If the file is no split, has been changed by hand without its hash, or leaks.
    """
    found = read_split_file(path)
    if "train" not in found.model_fields_set:
        raise BadFileError(path, "is no split file", expected=_SPLIT_FILE, found="no train")
    twice = [name for part in PARTS for name, count in Counter(getattr(found, part)).items() if count > 1]
    if twice:
        raise BadFileError(path, "is no split file", expected=_SPLIT_FILE, found=f"{twice[0]} twice in a part")
    split = Split(found.name or path.stem, **{part: tuple(sorted(getattr(found, part))) for part in PARTS})
    if found.sha256 not in (None, split.sha256):
        raise BadFileError(path, "does not fit its own sha256", remedy="Remove the line sha256 if the change is meant")
    return split


def check_patients_present(split: Split, patients: Iterable[str]) -> None:
    """Check that the data holds every patient of a split.

    Raises:
        GliosegError: Naming the patients that are missing.
    """
    missing = sorted({patient for part in PARTS for patient in getattr(split, part)} - set(patients))
    if missing:
        raise GliosegError(
            f"the data lacks {len(missing)} patients of split {split.name!r}",
            found=f"no {', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''}",
            remedy="Give the data that the split was made for",
        )


@dataclass(frozen=True)
class SplitChoice:
    """How the user wants patients to be split.

    Attributes:
        file: A split file; it goes before the others.
        folds: K for K folds, or None for the published split.
        only_folds: Numbers of the folds to take, from 0; all of them where empty.
        seed: Another seed deals the patients otherwise.
        site: The hospital whose patients are left out and tested; it excludes folds.
    """

    file: Path | None = None
    folds: int | None = None
    only_folds: tuple[int, ...] = ()
    seed: int = 0
    site: str | None = None

    def splits(self, patients: Sequence[str]) -> tuple[Split, ...]:
        """The splits of these patients.

        Raises:
            GliosegError: If the file is no split, there is no such fold, or no patient of the site.
        """
        if self.only_folds and (self.folds is None or self.file is not None):
            raise BadOptionError("--only-folds chooses among folds", remedy="Give --folds as well, and no --split")
        if self.file is not None:
            return (load_split(self.file),)
        if self.site is not None:
            if self.folds is not None:
                raise GliosegError("folds and a site that is left out exclude each other", remedy="Give one of them")
            return (site_split(patients, self.site, seed=self.seed),)
        if self.folds is None:
            return (published_split(patients, seed=self.seed),)
        for number in self.only_folds:
            if not 0 <= number < self.folds:
                raise GliosegError(f"there is no fold {number}", expected=f"0 to {self.folds - 1}")
        splits = fold_splits(patients, folds=self.folds, seed=self.seed)
        return tuple(splits[number] for number in self.only_folds or range(self.folds))

    def split(self, patients: Sequence[str]) -> Split:
        """The only split of these patients.

        Raises:
            GliosegError: If there are several, and as :meth:`splits`.
        """
        chosen = self.splits(patients)
        if len(chosen) > 1:
            raise GliosegError(f"one training has one split, not {len(chosen)}", remedy="Name one of the folds")
        return chosen[0]


def _set_test_apart(patients: Iterable[str]) -> tuple[list[str], tuple[str, ...]]:
    ordered = sorted(patients)
    test = tuple(patient for patient in ordered if case_of(patient) in PUBLISHED_TEST_CASES)
    return [patient for patient in ordered if patient not in test], test


def _take_validation(patients: Sequence[str], share: float, seed: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Every part of 1/share, dealt by site, becomes validation; at least one person where two are there."""
    if share <= 0 or len({case_of(patient) for patient in patients}) < 2:
        return tuple(patients), ()
    hands = max(2, min(round(1 / share), len({case_of(patient) for patient in patients})))
    validation = _deal_by_site(patients, hands, seed + 1)[0]
    return tuple(patient for patient in patients if patient not in set(validation)), validation


def _deal_by_site(patients: Sequence[str], hands: int, seed: int) -> list[tuple[str, ...]]:
    """Shuffle the persons of each site and deal them round, site after site, so that every hand has its share."""
    cases_of_site: dict[str, set[str]] = defaultdict(set)
    patients_of_case: dict[str, list[str]] = defaultdict(list)
    for patient in patients:
        cases_of_site[site_of(patient)].add(case_of(patient))
        patients_of_case[case_of(patient)].append(patient)
    generator = np.random.default_rng(seed)
    dealt = [case for site in sorted(cases_of_site) for case in generator.permutation(sorted(cases_of_site[site]))]
    return [
        tuple(sorted(patient for case in dealt[hand::hands] for patient in patients_of_case[case]))
        for hand in range(hands)
    ]
