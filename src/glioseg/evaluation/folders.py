"""Masks in a folder against the truth in another, patient by patient, whatever their formats and layouts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from glioseg.dataset.lgg import find_slices, read_patient, site_of
from glioseg.errors import BadFileError, GliosegError
from glioseg.evaluation.definitions import OWN, Spacing
from glioseg.evaluation.mask_pairs import by_names_of, find_patient_masks, in_one_view
from glioseg.evaluation.scores import PatientScores, Scores, score_patient
from glioseg.files import entries
from glioseg.formats.masks import check_labels_of_slices, mask_slices, read_mask
from glioseg.formats.readers import kind_by_name
from glioseg.formats.tif import read_mask_slice
from glioseg.volume import Mask


@dataclass(frozen=True)
class Evaluation:
    """What came of scoring a folder of masks.

    Attributes:
        scores: Of every patient that could be scored.
        without_prediction: The patients of the truth that have no prediction.
        failures: For each patient that could not be scored, the message.
    """

    scores: Scores
    without_prediction: tuple[str, ...]
    failures: dict[str, str]


@dataclass(frozen=True)
class _Pair:
    """The masks of one patient, read.

    Attributes:
        predicted: The mask to judge.
        truth: That to judge it by, in the same view.
        own_mm: Distance between slices, rows and columns, where the files tell it.
        site: Of the dataset's patients, the hospital.
        missing: Likewise, the sequences that the scan lacks.
    """

    predicted: Mask
    truth: Mask
    own_mm: Spacing | None
    site: str | None = None
    missing: tuple[str, ...] = ()

    def score(self, spacing_mm: Spacing | None) -> PatientScores:
        """Judge the one by the other."""
        return score_patient(
            self.predicted, self.truth, site=self.site, missing_sequences=self.missing, spacing_mm=spacing_mm
        )


def score_folders(
    predicted: Path, truth: Path, *, spacing_mm: Spacing | None = None, labels: tuple[int, ...] = ()
) -> Evaluation:
    """Score every patient that has a predicted mask; one that cannot be scored is named and the others are done.

    Args:
        predicted: A mask, or a folder of masks: NIfTI and NRRD files or ``<patient>/<slice>_mask.tif``, from this
            program or any other.
        truth: Likewise; masks may lie beside their scans, or in a folder of their own.
        spacing_mm: Distance between voxels along (slice, row, column), for masks that do not tell it. Without it
            distances between tif slices are in pixels.
        labels: The values that are tumour in a true mask of several.

    Raises:
        GliosegError: If a folder holds no mask, or none can be scored.
    """
    masks, true_masks = _found(predicted, truth)
    in_mm = spacing_mm is not None or not all(path.is_dir() for path in masks.values())
    scored: list[tuple[PatientScores, bool]] = []
    errors: dict[str, GliosegError] = {}
    for name, path in masks.items():
        try:
            pair = _read(name, path, _truth_of(name, path, true_masks, truth), labels)
            if pair.own_mm is None and spacing_mm is None and in_mm:
                raise BadFileError(path, "does not tell its spacing", remedy="Give --spacing-mm")
            scored.append((pair.score(pair.own_mm or spacing_mm), pair.own_mm is not None))
        except GliosegError as error:
            errors[name] = error
    if not scored:
        raise next(iter(errors.values()))
    spacing = OWN if any(own for _, own in scored) else spacing_mm
    scores = Scores(tuple(entry for entry, _ in scored), spacing_mm=spacing)
    failures = {name: str(error) for name, error in errors.items()}
    return Evaluation(scores, tuple(sorted(true_masks.keys() - masks.keys())), failures)


def _found(predicted: Path, truth: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """The masks on both sides by the truth's names; one mask against one needs no names."""
    masks, true_masks = find_patient_masks(predicted, truth)
    for root, found, what in ((predicted, masks, "predicted"), (truth, true_masks, "true")):
        if not found:
            raise GliosegError(
                f"{root} holds no {what} masks",
                expected="<patient>_mask.nii.gz, or <patient>/<slice>_mask.tif",
                remedy="Give the folder that 'glioseg predict' wrote with --out" if found is masks else None,
            )
    if len(masks) == len(true_masks) == 1:
        return dict(zip(true_masks, masks.values(), strict=True)), true_masks
    return by_names_of(true_masks, masks), true_masks


def _truth_of(name: str, path: Path, true_masks: Mapping[str, Path], root: Path) -> Path:
    if name not in true_masks:
        raise GliosegError(
            f"{path} has no truth in {root}",
            expected="a mask of the same patient there",
            found=f"masks of {', '.join(sorted(true_masks)[:3])}{', ...' if len(true_masks) > 3 else ''}",
        )
    return true_masks[name]


def _read(name: str, predicted: Path, truth: Path, labels: tuple[int, ...]) -> _Pair:
    if truth.is_dir() and predicted.is_dir():
        check_labels_of_slices(truth, labels)
        return _read_slices(name, predicted, truth)
    true_mask = replace(read_mask(truth, labels=labels), patient=name)
    mask, true_mask, own_mm = in_one_view(replace(read_mask(predicted), patient=name), true_mask)
    return _Pair(mask, true_mask, own_mm)


def _read_slices(name: str, predicted: Path, truth: Path) -> _Pair:
    site = site_of(name)
    if sum(kind_by_name(path.name) == "tif" for path in entries(truth)) == len(mask_slices(truth)):
        true_mask = read_mask(truth)
        return _Pair(_predicted_slices(predicted, true_mask), true_mask, None, site)
    volume, beside_images = read_patient(find_slices(truth, masks=True))
    assert beside_images is not None
    return _Pair(_predicted_slices(predicted, beside_images), beside_images, None, site, volume.missing)


def _predicted_slices(folder: Path, truth: Mask) -> Mask:
    found = mask_slices(folder)
    paths = {name: found.get(int(name.rpartition("_")[2])) for name in truth.slice_names}
    missing = [name for name, path in paths.items() if path is None]
    if missing:
        raise GliosegError(
            f"{folder / missing[0]}_mask.tif does not exist",
            expected=f"a mask for each of the {len(paths)} slices of {truth.patient}",
            found=f"{len(paths) - len(missing)}",
        )
    slices = {path: read_mask_slice(path) for path in paths.values() if path is not None}
    first = next(iter(slices.values()))
    for path, inside in slices.items():
        if inside.shape != first.shape:
            raise BadFileError(
                path,
                "has another size than the patient's first mask",
                expected=str(first.shape),
                found=str(inside.shape),
            )
    return Mask(truth.patient, np.stack(list(slices.values())), slice_names=truth.slice_names)
