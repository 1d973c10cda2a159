"""Practice patients: made-up heads with tumours of known outline, written in the layout of the LGG dataset.

They let the whole program run, and be tested, without a download. They look enough like the dataset (three
sequences, thick slices, no skull stripping, wildly different intensity scales, missing sequences) to train on, and
are easy to tell from real pictures. Nothing in them comes from a patient.
"""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy import ndimage

from glioseg.dataset.phantom_anatomy import Anatomy, Field, Tissue, make_anatomy, smooth_noise
from glioseg.errors import GliosegError
from glioseg.volume import CHANNELS, Mask, Volume

BRIGHTNESS: dict[Tissue, tuple[float, float, float]] = {
    Tissue.AIR: (0.02, 0.02, 0.02),
    Tissue.SKIN: (0.9, 0.9, 1.1),
    Tissue.FAT: (2.1, 1.8, 1.9),
    Tissue.BONE: (0.2, 0.15, 0.2),
    Tissue.MARROW: (0.9, 0.6, 0.9),
    Tissue.MUSCLE: (0.75, 0.6, 0.95),
    Tissue.FLUID: (0.38, 0.28, 0.4),
    Tissue.GREY: (0.8, 1.08, 0.85),
    Tissue.WHITE: (1.0, 0.95, 1.02),
    Tissue.DEEP_GREY: (0.88, 1.04, 0.92),
    Tissue.VESSEL: (0.6, 0.6, 1.9),
    Tissue.SCAR: (0.88, 1.5, 0.9),
}
"""Brightness of each tissue on T1 before contrast, FLAIR and T1 after contrast, where white matter is about 1."""

SITES = {"DU": 45, "HT": 34, "CS": 16, "FG": 14}
"""Hospitals and how many patients of the dataset come from each."""

MOST_PATIENTS = 9999

CLINICAL_CODES = {
    "RNASeqCluster": 4,
    "MethylationCluster": 5,
    "miRNACluster": 4,
    "CNCluster": 3,
    "RPPACluster": 4,
    "OncosignCluster": 3,
    "COCCluster": 3,
    "histological_type": 3,
    "neoplasm_histologic_grade": 2,
    "tumor_tissue_site": 1,
    "laterality": 3,
    "tumor_location": 6,
    "gender": 2,
    "age_at_initial_pathologic": 0,
    "race": 3,
    "ethnicity": 2,
    "death01": 0,
}
"""The columns of the clinical table after the patient, with the highest code of those that count from 1."""


def make_phantom(
    seed: int,
    *,
    size: int = 256,
    slices: int | None = None,
    missing: tuple[str, ...] = (),
    name: str = "PHANTOM",
) -> tuple[Volume, Mask]:
    """Makes up one patient; the same arguments give the same patient.

    Args:
        seed: Decides everything about the patient but the resolution.
        size: Rows and columns of a slice.
        slices: Number of slices, or None for 20 to 40 of them as the seed decides.
        missing: Sequences that were not taken; like in the dataset they become copies of the FLAIR.
        name: The patient's identifier; slice n is called `<name>_<n>`, from 1.

    Returns:
        The scan, uint8 (slice, row, column, channel) with the channels pre, flair and post, and the exact outline of
        its tumour, bool (slice, row, column).

    Raises:
        GliosegError: If `missing` names no sequence that can be missing.
    """
    if unknown := set(missing) - (set(CHANNELS) - {"flair"}):
        raise GliosegError(
            "a practice patient cannot miss this sequence", expected="pre or post", found=", ".join(sorted(unknown))
        )
    rng = np.random.default_rng(seed)
    usual_slices = int(rng.integers(20, 41))
    anatomy = make_anatomy(rng, size, slices or usual_slices)
    voxels = scan(rng, anatomy)
    for role in missing:
        voxels[..., CHANNELS.index(role)] = voxels[..., CHANNELS.index("flair")]
    names = tuple(f"{name}_{n}" for n in range(1, len(voxels) + 1))
    return Volume(name, voxels, slice_names=names), Mask(name, anatomy.tumour.mask, slice_names=names)


def scan(rng: np.random.Generator, anatomy: Anatomy) -> NDArray[np.uint8]:
    """Takes the three sequences of a head, uint8 (slice, row, column, channel), with a scanner's imperfections."""
    table = np.array([BRIGHTNESS[tissue] for tissue in Tissue], np.float32)
    table = table ** rng.uniform(0.75, 1.2, 3) * rng.normal(1, 0.04, table.shape)
    tumour = tumour_brightness(rng, anatomy)
    texture = 1 + 0.2 * smooth_noise(rng, anatomy.tissue.shape, 14)
    share = np.clip(anatomy.tumour.share * texture, 0, 1)
    sequences = []
    for channel in range(len(CHANNELS)):
        picture = table[:, channel].astype(np.float32)[anatomy.tissue]
        picture += share * (tumour[channel] - picture)
        sequences.append(_expose(rng, picture))
    return np.stack(sequences, axis=-1)


def tumour_brightness(rng: np.random.Generator, anatomy: Anatomy) -> tuple[Field, Field, Field]:
    """Brightness of the tumour in each sequence, in places with a dark cyst or a rim that takes up contrast agent."""
    shape = anatomy.tissue.shape
    pattern = smooth_noise(rng, shape, 22)
    core = anatomy.tumour.share >= 1
    pre = np.full(shape, rng.uniform(0.55, 0.85), np.float32)
    flair = rng.uniform(1.25, 1.9) * (1 + 0.07 * pattern)
    post = pre + np.float32(rng.uniform(0, 0.1))
    if rng.random() < 0.25:
        cyst = core & (pattern > 0.8)
        flair[cyst] = rng.uniform(0.5, 1.1)
        pre[cyst] = post[cyst] = 0.45
    if rng.random() < 0.3:
        post[core & (np.abs(pattern - 0.8) < 0.2)] = rng.uniform(1.3, 1.9)
    return pre, flair.astype(np.float32), post


def _expose(rng: np.random.Generator, picture: Field) -> NDArray[np.uint8]:
    """One sequence on a patient's own intensity scale: blurred, shaded, uneven from slice to slice, with Rician noise.

    Gudbjartsson, Patz, "The Rician distribution of noisy MRI data", Magn Reson Med 1995.
    """
    slices, size = len(picture), picture.shape[1]
    blurred = ndimage.gaussian_filter(picture, (0, 0.0032 * size, 0.0032 * size), truncate=3)
    shading = np.exp(np.float32(rng.uniform(0.03, 0.16)) * smooth_noise(rng, picture.shape, 110))
    unevenness = rng.normal(1, 0.02, (slices, 1, 1)).astype(np.float32)
    scale = np.float32(np.exp(rng.uniform(np.log(38), np.log(95))))
    signal = blurred * shading * (scale * unevenness)
    noise = rng.standard_normal((2, *picture.shape), dtype=np.float32) * np.float32(rng.uniform(0.6, 2.4))
    magnitude = np.hypot(signal + noise[0], noise[1])
    return np.clip(magnitude + 0.5, 0, 255).astype(np.uint8)


def write_phantoms(dest: Path, *, patients: int, seed: int = 0, size: int = 256) -> list[str]:
    """Writes practice patients in the layout of the LGG dataset, masks and clinical table included.

    Patient k is the same however many are written. One in ten lacks sequences, the first within the first six.

    Args:
        dest: A folder that does not exist yet or is empty.
        patients: How many.
        seed: Decides which.
        size: Rows and columns of a slice.

    Returns:
        The names of the patients, `PHANTOM_<site>_<case>_<date>`.

    Raises:
        GliosegError: If the folder has something in it, or `patients` is not 1 to 9999.
    """
    if not 1 <= patients <= MOST_PATIENTS:
        raise GliosegError(
            "the number of practice patients is out of range", expected=f"1 to {MOST_PATIENTS}", found=str(patients)
        )
    if dest.exists() and (not dest.is_dir() or any(dest.iterdir())):
        raise GliosegError(
            f"{dest} is not an empty folder",
            remedy="Name a folder that does not exist yet",
        )
    dest.mkdir(parents=True, exist_ok=True)
    names, rows = [], []
    for k, site in zip(range(patients), site_sequence(), strict=False):
        rng = np.random.default_rng((seed, k))
        case = f"PHANTOM_{site}_{k + 1:04d}"
        name = f"{case}_{rng.integers(1984, 2005)}{rng.integers(1, 13):02d}{rng.integers(1, 29):02d}"
        patient_seed = int(rng.integers(2**63))
        _write_patient(dest, *make_phantom(patient_seed, size=size, missing=missing_sequences(seed, k), name=name))
        names.append(name)
        rows.append({"Patient": case, **_clinical_row(rng)})
    _write_clinical_table(dest / "data.csv", rows)
    return names


def site_sequence() -> Iterator[str]:
    """Hospitals for one patient after the other: always the one that is furthest behind its share of the dataset."""
    taken = dict.fromkeys(SITES, 0)
    while True:
        site = min(SITES, key=lambda s: (taken[s] + 0.5) / SITES[s])
        taken[site] += 1
        yield site


def missing_sequences(seed: int, k: int) -> tuple[str, ...]:
    """What patient k lacks: one of every ten lacks something, three times T1 before and after, twice only after."""
    ten, place = divmod(k, 10)
    if place != np.random.default_rng((seed, ten, 1)).integers(6):
        return ()
    return ("post",) if ten % 5 in (1, 3) else ("pre", "post")


def _write_patient(dest: Path, volume: Volume, mask: Mask) -> None:
    folder = dest / volume.patient
    folder.mkdir()
    for name, picture, outline in zip(volume.slice_names, volume.voxels, mask.voxels, strict=True):
        tifffile.imwrite(folder / f"{name}.tif", picture, photometric="rgb", metadata=None)
        tifffile.imwrite(folder / f"{name}_mask.tif", outline.astype(np.uint8) * 255, metadata=None)


def _clinical_row(rng: np.random.Generator) -> dict[str, str]:
    """Made-up clinical data; one field in twenty is empty."""
    row = {column: str(rng.integers(1, codes + 1)) for column, codes in CLINICAL_CODES.items() if codes}
    row["age_at_initial_pathologic"] = str(int(np.clip(rng.normal(47, 13), 20, 75)))
    row["death01"] = str(int(rng.random() < 0.23))
    return {column: "" if rng.random() < 0.05 else value for column, value in row.items()}


def _write_clinical_table(path: Path, rows: Iterable[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ["Patient", *CLINICAL_CODES], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
