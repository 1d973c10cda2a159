"""The dataset as arrays: read from tif once, mapped from disk ever after.

The 110 patients take 1.0 GB as uint8. A training process maps them and needs no worker processes.
"""

import atexit
import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import platformdirs
from numpy.typing import NDArray

from glioseg.atomic import atomic_file, check_writable, clear_unfinished, unfinished_folder
from glioseg.dataset.lgg import PatientFiles, find_patients, read_patient, site_of
from glioseg.errors import GliosegError
from glioseg.volume import CHANNELS, Mask, Volume

_FORMAT = 2


@dataclass(frozen=True)
class StoredPatient:
    """A patient's rows in the arrays, slices ``start`` to ``stop`` - 1, and what is known of the patient."""

    patient: str
    start: int
    stop: int
    slice_names: tuple[str, ...]
    missing_sequences: tuple[str, ...]
    clinical: Mapping[str, str]

    @property
    def site(self) -> str:
        """The hospital's code, the second part of a TCGA identifier."""
        return site_of(self.patient)


@dataclass(frozen=True)
class ArrayStore:
    """All patients' slices one after another.

    Attributes:
        images: Shape (slice, row, column, channel), uint8, mapped from disk.
        masks: Shape (slice, row, column), bool, mapped from disk.
        patients: Who owns which slices, in the order of their names.
        fingerprint: SHA-256 of all pixels and names; it goes into every bundle.
    """

    images: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    patients: tuple[StoredPatient, ...]
    fingerprint: str

    def entry(self, patient: str) -> StoredPatient:
        """The rows of one patient; KeyError if there is no such patient."""
        return {entry.patient: entry for entry in self.patients}[patient]

    def volume(self, patient: str) -> Volume:
        """A patient's scan, uint8 (slice, row, column, channel), mapped from disk; KeyError if there is none."""
        entry = self.entry(patient)
        voxels = self.images[entry.start : entry.stop]
        return Volume(patient, voxels, slice_names=entry.slice_names, missing=entry.missing_sequences)

    def mask(self, patient: str) -> Mask:
        """A patient's true mask, bool (slice, row, column), mapped from disk; KeyError if there is none."""
        entry = self.entry(patient)
        return Mask(patient, self.masks[entry.start : entry.stop], slice_names=entry.slice_names)


def open_beside(store: ArrayStore, name: str, of_patient: Callable[[str], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Numbers for all pixels, computed the first time, kept beside the store's arrays, and mapped from disk after that.

    Args:
        store: The arrays; for those in memory the numbers are computed at each call.
        name: Of the file in the store's folder.
        of_patient: By the patient's name the part of that patient, shape (slice, row, column).

    Returns:
        Shape (slice, row, column).

    Raises:
        GliosegError: If the file cannot be written.
    """
    folder = _folder(store)
    if folder is None:
        return np.concatenate([of_patient(entry.patient) for entry in store.patients])
    if not _is_whole(folder / name, store):
        clear_unfinished(folder)
        with atomic_file(folder / name) as file:
            for entry in store.patients:
                file.write(of_patient(entry.patient).data)
    return _map_beside(folder / name, store)


def find_beside(store: ArrayStore, name: str) -> NDArray[np.uint8] | None:
    """What :func:`open_beside` keeps under a name; None where it was not computed yet."""
    folder = _folder(store)
    return _map_beside(folder / name, store) if folder and _is_whole(folder / name, store) else None


def _folder(store: ArrayStore) -> Path | None:
    """Where a store's arrays lie; None for arrays in memory."""
    return Path(str(store.images.filename)).parent if isinstance(store.images, np.memmap) else None


def _is_whole(path: Path, store: ArrayStore) -> bool:
    return path.exists() and path.stat().st_size == store.masks.size


def _map_beside(path: Path, store: ArrayStore) -> NDArray[np.uint8]:
    return np.memmap(path, np.uint8, "c", shape=store.masks.shape)


def open_store(data: Path, *, cache: Path | None = None) -> ArrayStore:
    """Open a data folder as arrays, building them the first time and whenever its files have changed.

    Args:
        data: A folder in the dataset's layout, with masks.
        cache: Where the arrays are kept; if None ``GLIOSEG_CACHE`` or the user's cache folder. Where that one cannot be
            written, they are kept as long as the process lives.

    Raises:
        GliosegError: If the data is incomplete or damaged, or the disk is full.
    """
    files = find_patients(data, masks=True)
    signature = _signature(files)
    name = hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:16]
    kept = (cache or _default_cache()) / name
    if _is_complete(kept, signature):
        return _map(kept)
    folder = kept if cache or _is_writable(kept.parent) else _cache_of_this_process() / name
    if not _is_complete(folder, signature):
        _build(files, signature, folder)
    return _map(folder)


def _default_cache() -> Path:
    chosen = os.environ.get("GLIOSEG_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("glioseg") / "stores"


def _is_writable(folder: Path) -> bool:
    """Whether arrays may be kept there; of a folder that the user chose it is told later where not."""
    if os.environ.get("GLIOSEG_CACHE"):
        return True
    try:
        check_writable(folder)
    except GliosegError:
        return False
    return True


@lru_cache
def _cache_of_this_process() -> Path:
    """For a home that cannot be written."""
    folder = Path(tempfile.mkdtemp(prefix="glioseg-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _signature(files: Sequence[PatientFiles]) -> str:
    """What tells one state of the data from another without reading images: names, sizes, times, the table."""
    digest = hashlib.sha256(str(_FORMAT).encode())
    for patient in files:
        digest.update(json.dumps(dict(patient.clinical), sort_keys=True).encode())
        for path in (*patient.images, *patient.masks):
            status = path.stat()
            line = f"{patient.patient}/{path.name}:{status.st_size}:{status.st_mtime_ns}\n"
            digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()


def _is_complete(folder: Path, signature: str) -> bool:
    """Whether arrays of this state of the data lie there, whole: something may have swept the cache."""
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        voxels = index["patients"][-1]["stop"] * math.prod(index["size"])
        sizes = [(folder / name).stat().st_size for name in ("images.u8", "masks.u8")]
    except (OSError, ValueError, LookupError, TypeError):
        return False
    return bool(index["signature"] == signature and sizes == [voxels * len(CHANNELS), voxels])


def _build(files: Sequence[PatientFiles], signature: str, folder: Path) -> None:
    try:
        clear_unfinished(folder.parent, folder.name)
        with unfinished_folder(folder) as unfinished:
            _write_arrays(files, signature, unfinished)
            # Another process may have finished the same arrays meanwhile, and be about to map them.
            if not _is_complete(folder, signature):
                shutil.rmtree(folder, ignore_errors=True)
                unfinished.rename(folder)
    except OSError as error:
        raise GliosegError(f"cannot keep the arrays in {folder.parent}: {error.strerror}", remedy=_REMEDY) from error


_REMEDY = "Free about 1 GB, or name another folder in the variable GLIOSEG_CACHE"


def _write_arrays(files: Sequence[PatientFiles], signature: str, folder: Path) -> None:
    digest = hashlib.sha256()
    entries: list[StoredPatient] = []
    size: tuple[int, ...] | None = None
    start = 0
    # Appending patient by patient keeps memory bounded, whatever the number of patients.
    with (folder / "images.u8").open("wb") as images, (folder / "masks.u8").open("wb") as masks:
        for patient in files:
            volume, mask = read_patient(patient)
            if mask is None:
                raise GliosegError(f"patient {patient.patient} has no masks")
            size = size or volume.voxels.shape[1:3]
            _check_same_size(patient, volume.voxels.shape[1:3], size)
            for file, voxels in ((images, volume.voxels), (masks, mask.voxels)):
                content = np.ascontiguousarray(voxels).data
                file.write(content)
                digest.update(content)
            digest.update(patient.patient.encode())
            stop = start + len(volume.voxels)
            entries.append(
                StoredPatient(patient.patient, start, stop, volume.slice_names, volume.missing, dict(patient.clinical))
            )
            start = stop
    index = {
        "signature": signature,
        "fingerprint": digest.hexdigest(),
        "size": size,
        "patients": [asdict(entry) for entry in entries],
    }
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")


def _check_same_size(files: PatientFiles, found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if found != expected:
        raise GliosegError(
            f"{files.images[0].parent} differs in size from the patients before it",
            expected="x".join(map(str, expected)),
            found="x".join(map(str, found)),
        )


def _map(folder: Path) -> ArrayStore:
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    patients = tuple(
        StoredPatient(**{**entry, **{key: tuple(entry[key]) for key in ("slice_names", "missing_sequences")}})
        for entry in index["patients"]
    )
    shape = (patients[-1].stop, *index["size"])
    # Copy on write: PyTorch accepts writable memory only, and nothing written ever reaches the files.
    return ArrayStore(
        images=np.memmap(folder / "images.u8", np.uint8, "c", shape=(*shape, len(CHANNELS))),
        masks=np.memmap(folder / "masks.u8", np.bool_, "c", shape=shape),
        patients=patients,
        fingerprint=index["fingerprint"],
    )
