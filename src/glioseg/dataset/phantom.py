"""Practice patients: made-up heads with tumours of known contour, written in the layout of the LGG dataset.

They let the whole program run, and be tested, without a download. They look enough like the dataset (three
sequences, thick slices, no skull stripping, wildly different intensity scales, missing sequences) to train on, and
are easy to tell from real images. Nothing in them comes from a patient.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from glioseg.atomic import clear_unfinished, write_text_atomically
from glioseg.dataset.lgg import CLINICAL_TABLE, write_patient
from glioseg.dataset.phantom_anatomy import make_anatomy
from glioseg.dataset.phantom_scan import scan
from glioseg.errors import GliosegError
from glioseg.volume import CHANNELS, Mask, Volume

SITES = {"DU": 45, "HT": 34, "CS": 16, "FG": 14}
"""Hospitals and how many patients of the dataset come from each."""

MOST_PATIENTS = 9999
SMALLEST_SIZE = 32
FEWEST_SLICES = 8

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
"""Columns of the clinical table after the patient, with the highest code, or 0 where none count from 1."""


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
        seed: Decides which patient, from 0.
        size: Rows and columns of a slice.
        slices: Number of slices, or None for 20 to 40 of them as the seed decides.
        missing: Sequences that were not taken; like in the dataset they become copies of the FLAIR.
        name: The patient's identifier; slice n is called `<name>_<n>`, from 1.

    Returns:
        The scan, uint8 (slice, row, column, channel) with the channels pre, flair and post, and the exact contour of
        its tumour, bool (slice, row, column).

    Raises:
        GliosegError: If `missing` names a sequence that cannot be missing, the seed is below 0, or the grid
            below 32 x 32 or 8 slices.

    Example:
        >>> volume, truth = make_phantom(seed=1, size=64, slices=10)
        >>> volume.voxels.shape, truth.voxels.shape
        ((10, 64, 64, 3), (10, 64, 64))
    """
    if unknown := set(missing) - (set(CHANNELS) - {"flair"}):
        raise GliosegError(
            "a practice patient cannot miss this sequence", expected="pre or post", found=", ".join(sorted(unknown))
        )
    _check_at_least("seed", seed, 0)
    _check_at_least("size", size, SMALLEST_SIZE)
    _check_at_least("number of slices", FEWEST_SLICES if slices is None else slices, FEWEST_SLICES)
    rng = np.random.default_rng(seed)
    usual_slices = int(rng.integers(20, 41))
    anatomy = make_anatomy(rng, size, slices or usual_slices)
    voxels = scan(rng, anatomy)
    for sequence in missing:
        voxels[..., CHANNELS.index(sequence)] = voxels[..., CHANNELS.index("flair")]
    names = tuple(f"{name}_{n}" for n in range(1, len(voxels) + 1))
    lacking = tuple(sequence for sequence in CHANNELS if sequence in missing)
    return Volume(name, voxels, slice_names=names, missing=lacking), Mask(name, anatomy.tumour.mask, slice_names=names)


def write_phantoms(dest: Path, *, patients: int, seed: int = 0, size: int = 256) -> list[str]:
    """Writes practice patients in the layout of the LGG dataset, masks and clinical table included.

    Patient k is the same however many are written. One in ten lacks sequences, the first within the first six.

    Args:
        dest: A folder that does not exist yet, is empty, or holds what a killed call of the same kind has left.
        patients: How many.
        seed: Decides which patients, from 0.
        size: Rows and columns of a slice.

    Returns:
        The names of the patients, `PHANTOM_<site>_<case>_<date>`.

    Raises:
        GliosegError: If the folder has something else in it, `patients` is not 1 to 9999, the seed below 0 or the size
            below 32, or a file cannot be written.
    """
    if not 1 <= patients <= MOST_PATIENTS:
        raise GliosegError(
            "the number of practice patients is out of range", expected=f"1 to {MOST_PATIENTS}", found=str(patients)
        )
    _check_at_least("seed", seed, 0)
    _check_at_least("size", size, SMALLEST_SIZE)
    drawn = [_draw(seed, k, site) for k, site in zip(range(patients), site_sequence(), strict=False)]
    names = [name for name, _, _ in drawn]
    _make_ready(dest, names)
    for k, (name, patient_seed, _) in enumerate(drawn):
        write_patient(dest, *make_phantom(patient_seed, size=size, missing=missing_sequences(seed, k), name=name))
    # Last, so that a folder that has it is whole.
    _write_clinical_table(dest / CLINICAL_TABLE, (row for _, _, row in drawn))
    return names


def _draw(seed: int, k: int, site: str) -> tuple[str, int, dict[str, str]]:
    """Name, own seed and clinical row of patient k."""
    rng = np.random.default_rng((seed, k))
    case = f"PHANTOM_{site}_{k + 1:04d}"
    name = f"{case}_{rng.integers(1984, 2005)}{rng.integers(1, 13):02d}{rng.integers(1, 29):02d}"
    return name, int(rng.integers(2**63)), {"Patient": case, **_clinical_row(rng)}


def _make_ready(dest: Path, names: Iterable[str]) -> None:
    """The folder, empty but for patients of these names, which a killed call has left without a clinical table."""
    if dest.is_dir():
        clear_unfinished(dest)
    if dest.exists() and (not dest.is_dir() or not {path.name for path in dest.iterdir()} <= set(names)):
        raise GliosegError(
            f"{dest} is not an empty folder",
            remedy="Name a folder that does not exist yet",
        )
    dest.mkdir(parents=True, exist_ok=True)


def _check_at_least(what: str, found: int, least: int) -> None:
    if found < least:
        raise GliosegError(
            f"the {what} of a practice patient is too small", expected=f"at least {least}", found=str(found)
        )


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


def _clinical_row(rng: np.random.Generator) -> dict[str, str]:
    """Made-up clinical data; one field in twenty is empty."""
    row = {column: str(rng.integers(1, codes + 1)) for column, codes in CLINICAL_CODES.items() if codes}
    row["age_at_initial_pathologic"] = str(int(np.clip(rng.normal(47, 13), 20, 75)))
    row["death01"] = str(int(rng.random() < 0.23))
    return {column: "" if rng.random() < 0.05 else value for column, value in row.items()}


def _write_clinical_table(path: Path, rows: Iterable[dict[str, str]]) -> None:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, ["Patient", *CLINICAL_CODES], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text_atomically(path, stream.getvalue())
