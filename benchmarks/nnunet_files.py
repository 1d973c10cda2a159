"""The dataset in nnU-Net's layout, and its masks back in ours."""

import json
from collections.abc import Sequence
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray

from glioseg.dataset.lgg import PatientFiles, read_patient
from glioseg.dataset.splits import Split
from glioseg.formats.tif import write_mask_slice
from glioseg.volume import CHANNELS

DATASET = "Dataset001_LGG"
NOMINAL_SPACING_MM = (5.0, 1.0, 1.0)
"""Along (slice, row, column). The tif files tell no spacing; slices as thick as most of the dataset's make nnU-Net cut
its 2d slices where they were taken."""


def write_raw(patients: Sequence[PatientFiles], folder: Path) -> None:
    """Write scans and masks as nnU-Net's raw dataset; patients that are there stay.

    Args:
        patients: With masks.
        folder: ``nnUNet_raw``.
    """
    dataset = folder / DATASET
    for name in ("imagesTr", "labelsTr"):
        (dataset / name).mkdir(parents=True, exist_ok=True)
    for files in patients:
        label = dataset / "labelsTr" / f"{files.patient}.nii.gz"
        if label.is_file():
            continue
        volume, mask = read_patient(files)
        assert mask is not None
        for number, path in enumerate(image_paths(dataset, files.patient)):
            _write_image(path, volume.voxels[..., number])
        _write_image(label, mask.voxels.astype(np.uint8))
    content = {
        "channel_names": {str(number): name for number, name in enumerate(CHANNELS)},
        "labels": {"background": 0, "tumour": 1},
        "numTraining": len(patients),
        "file_ending": ".nii.gz",
    }
    (dataset / "dataset.json").write_text(json.dumps(content, indent=2))


def image_paths(dataset: Path, patient: str) -> list[Path]:
    """A patient's scan, one file for each channel."""
    return [dataset / "imagesTr" / f"{patient}_{number:04d}.nii.gz" for number in range(len(CHANNELS))]


def nnunet_splits(splits: Sequence[Split]) -> list[dict[str, list[str]]]:
    """What ``splits_final.json`` holds: a fold's test patients stand in none of its two lists."""
    return [{"train": sorted(split.train), "val": sorted(split.validation)} for split in splits]


def write_mask_folder(prediction: Path, files: PatientFiles, folder: Path) -> None:
    """Write a predicted label map as ``<patient>/<slice>_mask.tif``."""
    voxels = read_voxels(prediction) > 0
    (folder / files.patient).mkdir(parents=True, exist_ok=True)
    for image, inside in zip(files.images, voxels, strict=True):
        write_mask_slice(folder / files.patient / f"{image.stem}_mask.tif", inside)


def read_voxels(path: Path) -> NDArray[np.uint8]:
    """Voxels as they were written, shape (slice, row, column)."""
    return np.asarray(nibabel.load(path).dataobj, np.uint8).transpose(2, 1, 0)


def _write_image(path: Path, voxels: NDArray[np.uint8]) -> None:
    """Write voxels, shape (slice, row, column), whole; whoever is stopped leaves no half of a file under its name."""
    affine = np.diag([*reversed(NOMINAL_SPACING_MM), 1])
    half = path.with_name(f"half_{path.name}")
    nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(voxels.transpose(2, 1, 0)), affine), half)
    half.rename(path)
