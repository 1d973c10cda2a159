"""Which masks lie in a folder, of whichever format and layout, and two of one patient in one view."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glioseg.dataset.lgg import parse_slice_name, second_copies
from glioseg.errors import GliosegError
from glioseg.evaluation.definitions import Spacing
from glioseg.files import readable, visible_files
from glioseg.formats.cases import by_patient
from glioseg.formats.masks import patient_of
from glioseg.formats.readers import SCANS, kind_by_name, without_suffix
from glioseg.formats.sequences import MASK
from glioseg.space.affine import Grid, grid_of, same_grid, spacing_mm
from glioseg.space.axial import axial_affine, axial_view, to_axial
from glioseg.volume import Mask

_RUN = re.compile(r"_(run-[^_.]+)")


def find_patient_masks(predicted: Path, truth: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """The masks on both sides by patient: NIfTI and NRRD files, and folders of ``<patient>_<n>_mask.tif``.

    Where no file's name tells that it is a mask, every file is taken for one, as in a folder of ``<patient>.nii.gz``.
    Where one side has several of a BIDS session, both sides tell its runs apart, as ``sub-01_ses-1_run-2``.

    Args:
        predicted: A file, or a folder at whatever depth.
        truth: Likewise; a folder of slices counts too that has images alone, so that its lack is noticed.

    Raises:
        GliosegError: If a patient has two masks.
    """
    sides = _masks_of(predicted, with_images=False), _masks_of(truth, with_images=True)
    several = {patient for found in sides for patient, paths in found.items() if len(paths) > 1}
    masks, true_masks = (_told_apart(found, several) for found in sides)
    return _one_each(predicted, masks), _one_each(truth, true_masks)


def _told_apart(found: Mapping[str, Sequence[Path]], several: Collection[str]) -> dict[str, list[Path]]:
    """The masks by patient, and those of some patients by patient and run, where their names tell it."""
    told: dict[str, list[Path]] = defaultdict(list)
    for patient, paths in found.items():
        for path in paths:
            run = _RUN.search(path.name) if patient in several and patient.startswith("sub-") else None
            told[f"{patient}_{run[1]}" if run else patient].append(path)
    return told


def _one_each(root: Path, found: Mapping[str, Sequence[Path]]) -> dict[str, Path]:
    for patient, paths in found.items():
        if len(paths) > 1:
            raise GliosegError(
                f"patient {patient} has {len(paths)} masks in {root}",
                expected="one",
                found=", ".join(str(path.relative_to(root)) for path in paths[:3]),
                remedy="Move the others away",
            )
    return {patient: paths[0] for patient, paths in sorted(found.items())}


def _masks_of(root: Path, *, with_images: bool) -> dict[str, list[Path]]:
    if not root.is_dir():
        return {patient_of(root): [root]} if kind_by_name(root.name) in SCANS and root.exists() else {}
    found: dict[str, list[Path]] = defaultdict(list)
    files = visible_files(root)
    for folder in _slice_folders(root, files, with_images):
        found[readable(folder.absolute().name)].append(folder)
    images = [path for path in files if kind_by_name(path.name) in SCANS and not _lies_beside_a_mask(path)]
    for patient, path in _mask_files(root, images):
        found[patient].append(path)
    return found


def _lies_beside_a_mask(path: Path) -> bool:
    """Whether predict wrote it beside the mask, and it is none: probabilities, and a candidate taken for no tumour."""
    return without_suffix(path.name).endswith(("_probability", "_probseg", "_candidate", "_desc-candidate_mask"))


def _mask_files(root: Path, files: list[Path]) -> Iterator[tuple[str, Path]]:
    groups = list(by_patient(root, files))
    if any(MASK in group for _, group in groups):
        yield from ((patient, path) for patient, group in groups for path in group.get(MASK, ()))
    else:
        yield from ((readable(patient_of(path)), path) for path in files)


def by_names_of(truth: Collection[str], masks: Mapping[str, Path]) -> dict[str, Path]:
    """Masks by the truth's names for their patients.

    Folders above a patient's may or may not stand in the name: where nobody has the very name, the only one in whose
    name it ends, or whose name ends it, is meant. Masks of nobody keep their names.
    """
    meant = {name: [other for other in truth if _ends(name, other) or _ends(other, name)] for name in masks}
    alike = {name: others[0] for name, others in meant.items() if name not in truth and len(others) == 1}
    sure = {name: other for name, other in alike.items() if other not in masks and [*alike.values()].count(other) == 1}
    return {sure.get(name, name): path for name, path in masks.items()}


def _ends(name: str, end: str) -> bool:
    return name.endswith(f"_{end}")


def _slice_folders(root: Path, files: list[Path], with_images: bool) -> list[Path]:
    names = {path: parse_slice_name(path.name) for path in files}
    folders = {path.parent for path, name in names.items() if name and (name.is_mask or with_images)}
    return sorted(folders - second_copies(root, folders))


def in_one_view(predicted: Mask, truth: Mask) -> tuple[Mask, Mask, Spacing | None]:
    """Both masks as axial slices, and the distance in millimetres between slices, rows and columns, where it is known.

    Raises:
        GliosegError: If they lie on different grids.
    """
    affine = truth.affine if truth.affine is not None else predicted.affine
    if affine is None:
        return predicted, truth, None
    place = predicted.affine if predicted.affine is not None else affine
    (mask, here), (true_mask, there) = _axial(predicted, place), _axial(truth, affine)
    if here.shape == there.shape and not same_grid(here, there):
        raise GliosegError(
            f"patient {truth.patient}: the predicted and the true mask lie in different places",
            remedy="Bring the prediction onto the grid of the truth",
        )
    return mask, true_mask, spacing_mm(axial_affine(affine, truth.voxels.shape, axial_view(affine)))


def _axial(mask: Mask, affine: NDArray[np.float64]) -> tuple[Mask, Grid]:
    view = axial_view(affine)
    turned = Mask(mask.patient, to_axial(mask.voxels, view), affine=axial_affine(affine, mask.voxels.shape, view))
    return turned, grid_of(turned)
