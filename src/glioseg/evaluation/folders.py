"""Masks in a folder against the truth in another, both in the dataset's layout."""

from pathlib import Path

import numpy as np

from glioseg.dataset.lgg import PatientFiles, find_patients, read_patient, site_of
from glioseg.errors import GliosegError
from glioseg.evaluation.scores import Scores, score_patient
from glioseg.formats.tif import read_mask_slice
from glioseg.volume import Mask


def score_folders(
    predicted: Path, truth: Path, *, spacing_mm: tuple[float, float, float] | None = None
) -> tuple[Scores, list[str]]:
    """Score every patient that has predicted masks.

    Args:
        predicted: ``<patient>/<slice>_mask.tif`` for each slice, from this program or any other.
        truth: A folder in the dataset's layout.
        spacing_mm: Distance between voxels along (slice, row, column); None measures in pixels.

    Returns:
        The scores, and the patients of the truth that have no prediction and are not scored.

    Raises:
        GliosegError: If a predicted patient has no truth, a slice lacks its mask, or sizes differ.
    """
    true_patients = {files.patient: files for files in find_patients(truth, masks=True)}
    folders = {folder.name: folder for folder in _mask_folders(predicted)}
    unknown = sorted(folders.keys() - true_patients.keys())
    if unknown:
        raise GliosegError(
            f"{folders[unknown[0]]} has no truth in {truth}",
            expected="a folder of the same name there",
            found=f"{len(unknown)} predicted patients without one",
        )
    scored = []
    for name, folder in folders.items():
        volume, true_mask = read_patient(true_patients[name])
        if true_mask is None:
            raise GliosegError(f"patient {name} has no true masks in {truth}")
        scored.append(
            score_patient(
                _read_predicted(folder, true_patients[name]),
                true_mask,
                site=site_of(name),
                missing_sequences=volume.missing,
                spacing_mm=spacing_mm,
            )
        )
    return Scores(tuple(scored), spacing_mm=spacing_mm), sorted(true_patients.keys() - folders.keys())


def _mask_folders(root: Path) -> list[Path]:
    folders = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    found = [folder for folder in folders if any(folder.glob("*_mask.tif"))]
    if not found:
        raise GliosegError(
            f"{root} holds no predicted masks",
            expected="<patient>/<slice>_mask.tif",
            remedy="Give the folder that 'glioseg predict' wrote with --out",
        )
    return found


def _read_predicted(folder: Path, truth: PatientFiles) -> Mask:
    paths = [folder / f"{image.stem}_mask.tif" for image in truth.images]
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise GliosegError(
            f"{missing[0]} does not exist",
            expected=f"a mask for each of the {len(paths)} slices of {truth.patient}",
            found=f"{len(paths) - len(missing)}",
        )
    slices = [read_mask_slice(path) for path in paths]
    for path, inside in zip(paths, slices, strict=True):
        if inside.shape != slices[0].shape:
            raise GliosegError(
                f"{path} has another size than the patient's first mask",
                expected=str(slices[0].shape),
                found=str(inside.shape),
            )
    return Mask(truth.patient, np.stack(slices), slice_names=tuple(image.stem for image in truth.images))
