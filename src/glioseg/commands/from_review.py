"""``glioseg data from-review``: what readers accepted and corrected, as a training set."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glioseg.atomic import check_empty, write_text_atomically
from glioseg.check.copies import are_one_patient, head_hashes
from glioseg.commands.review import open_desk
from glioseg.dataset.lgg import case_of, find_patient_folders, find_slices, read_patient, write_patient
from glioseg.dataset.splits import PUBLISHED_TEST_CASES, load_split
from glioseg.errors import BadOptionError, GliosegError
from glioseg.inference.intensities import find_scaling
from glioseg.inference.spatial_normalisation import find_spatial_normalisation
from glioseg.patients.source import PatientSource
from glioseg.review.cases import ReviewCase
from glioseg.review.desk import Desk
from glioseg.review.readings import ReadCase, read_cases
from glioseg.review.store import KEPT
from glioseg.volume import Mask, Volume

RECORD = "from_review.json"


@dataclass(frozen=True)
class TrainingSet:
    """What came of it.

    Attributes:
        written: The patients of the training set.
        left_out: For each decided case that is not in it, the reason.
    """

    written: tuple[str, ...]
    left_out: dict[str, str]


@dataclass(frozen=True)
class _Held:
    """Who must not be trained on.

    Attributes:
        persons: By name, with the reason.
        images: Hashes of their images by patient, where there are images of them.
    """

    persons: Mapping[str, str]
    images: Mapping[str, NDArray[np.uint64]]

    def reason(self, volume: Volume) -> str | None:
        """Why a patient in the dataset's form must be left out, or None."""
        by_name = self.persons.get(case_of(volume.patient))
        if by_name is not None or not self.images:
            return by_name
        hashes = head_hashes(volume)
        twin = next((name for name, held in self.images.items() if are_one_patient(hashes, held)), None)
        return None if twin is None else f"it shows the images of {twin}, {self.persons[case_of(twin)]}"


def from_review(
    folder: Path,
    dest: Path,
    *,
    scans: Path | None = None,
    reader: str | None = None,
    split: Path | None = None,
    against: Path | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> TrainingSet:
    """Write accepted and corrected cases in the dataset's layout, without anyone who must stay unseen.

    External scans are written as the networks see them in use: axial, at the size and range of the dataset.

    Args:
        folder: What was read; see :func:`glioseg.commands.review.open_desk`.
        dest: A new or empty folder.
        scans: Where the scans lie; None where they lie beside the masks or their record tells.
        reader: Whose reading is taken; needed where there are several.
        split: The split of the weights that training will go on from: who validates or tests there is left out.
        against: A folder in the dataset's layout; copies of the images of those who must stay unseen are found too.
        progress: Gets a line for each case that is left out.

    Raises:
        GliosegError: If nothing was accepted or corrected, it is open whose reading counts, or ``dest`` is in use.
    """
    check_empty(dest)
    desk = open_desk(folder, scans=scans)
    try:
        kept = [case for case in read_cases(desk.store, _reading(desk, reader)) if case.saving["state"] in KEPT]
        if not kept:
            raise GliosegError(f"nothing in {folder} was accepted or corrected", remedy="Read some cases first")
        return _write(desk, kept, dest, _held(split, against), progress)
    finally:
        desk.close()


def _write(desk: Desk, kept: list[ReadCase], dest: Path, held: _Held, progress: Callable[[str], None]) -> TrainingSet:
    written, left_out = [], {}
    for case in kept:
        try:
            volume, mask = _in_dataset_form(_source(desk.case(case.saving["case_id"])), case)
            reason = held.reason(volume)
        except (GliosegError, KeyError) as error:
            reason = str(error)
        if reason is None:
            write_patient(dest, volume, mask)
            written.append(case)
        else:
            left_out[case.patient] = reason
            progress(f"{case.patient}: left out, {reason}")
    if not written:
        raise GliosegError(f"none of the {len(kept)} cases may be trained on", remedy="See the line of each")
    rows = [{key: case.saving[key] for key in ("patient", "state", "reader", "saved_at", "dice")} for case in written]
    record = {"from": str(desk.cases.folder.resolve()), "patients": rows, "left_out": left_out}
    write_text_atomically(dest / RECORD, json.dumps(record, indent=2) + "\n")
    return TrainingSet(tuple(case.patient for case in written), left_out)


def _reading(desk: Desk, reader: str | None) -> str:
    names = desk.store.reading_names()
    if reader is None and len(names) > 1:
        raise GliosegError(
            f"{desk.cases.folder} was read more than once",
            expected="one reading",
            found=", ".join(names),
            remedy="Name one of them with --reader",
        )
    if reader is not None and reader not in names:
        raise BadOptionError(f"there is no reading by {reader}", expected=", ".join(names) or "a reading")
    return reader or (names[0] if names else desk.reading)


def _held(split: Path | None, against: Path | None) -> _Held:
    persons = dict.fromkeys(PUBLISHED_TEST_CASES, "one of the ten published test patients")
    if split is not None:
        parts = load_split(split)
        for part in ("validation", "test"):
            persons |= {case_of(patient): f"who is in the {part} part of {split}" for patient in getattr(parts, part)}
    return _Held(persons, dict(_hashes(against, persons)) if against is not None else {})


def _hashes(data: Path, persons: Mapping[str, str]) -> Iterator[tuple[str, NDArray[np.uint64]]]:
    for folder in find_patient_folders(data):
        if case_of(folder.name) in persons:
            volume, _ = read_patient(find_slices(folder, masks=False))
            yield folder.name, head_hashes(volume)


def _source(case: ReviewCase) -> PatientSource:
    if case.source is None:
        raise GliosegError(case.problem or "the scan was not found")
    return case.source


def _in_dataset_form(source: PatientSource, case: ReadCase) -> tuple[Volume, Mask]:
    volume = source.read().volume
    if source.is_dataset:
        return volume, Mask(volume.patient, case.mask, slice_names=volume.slice_names)
    scaling = find_scaling(volume)
    normalisation = find_spatial_normalisation(volume, scaling)
    placed = normalisation.place(volume, scaling)
    names = tuple(f"{volume.patient}_{number}" for number in range(1, len(placed.voxels) + 1))
    images = np.rint(np.clip(placed.voxels, 0, 255)).astype(np.uint8)
    share = normalisation.place(replace(volume, voxels=case.mask[..., None].astype(np.float32), channels=("mask",)))
    mask = Mask(volume.patient, share.voxels[..., 0] >= 0.5, slice_names=names)
    return replace(placed, voxels=images, slice_names=names), mask
