"""Any folder of any mixture of formats: every patient is done or named, and the count of files adds up."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pydicom
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from synthetic_dicom import head, write_series

from glioseg.errors import GliosegError
from glioseg.files import readable
from glioseg.patients.find import find_sources

PICTURE = np.arange(6 * 8 * 4, dtype=np.int16).reshape(6, 8, 4)


def tif(folder: Path, name: str) -> None:
    for number in (1, 2, 3):
        tifffile.imwrite(folder / f"{name}_{number}.tif", np.full((16, 16, 3), 40 * number, np.uint8))
        tifffile.imwrite(folder / f"{name}_{number}_mask.tif", np.zeros((16, 16), np.uint8))


def nifti(folder: Path, name: str) -> None:
    nibabel.save(nibabel.Nifti1Image(PICTURE, np.eye(4)), folder / f"{name}_flair.nii.gz")
    nibabel.save(nibabel.Nifti1Image(PICTURE, np.eye(4)), folder / f"{name}_t2.nii.gz")


def pair(folder: Path, name: str) -> None:
    nibabel.save(nibabel.Nifti1Pair(PICTURE, np.eye(4)), folder / "flair.hdr")


def detached(folder: Path, name: str) -> None:
    nrrd.write(
        str(folder / "flair.nhdr"), PICTURE, {"space": "RAS", "space directions": np.eye(3)}, detached_header=True
    )


def dicom(folder: Path, name: str) -> None:
    write_series(folder, head(4, 8, 8), PatientID=name)


def bare_dicom(folder: Path, name: str) -> None:
    dicom(folder, name)
    for path in sorted(folder.iterdir()):
        Dataset(pydicom.dcmread(path)).save_as(path, implicit_vr=True, little_endian=True)


def zipped(folder: Path, name: str) -> None:
    dicom(folder / "in", name)
    shutil.make_archive(str(folder / name), "zip", folder / "in")
    shutil.rmtree(folder / "in")


FORMATS: dict[str, Callable[[Path, str], None]] = {
    make.__name__: make for make in (tif, nifti, pair, detached, dicom, bare_dicom, zipped)
}
STRAY = {
    "notes.txt": b"a text",
    "thumb.png": b"\x89PNG\r\n\x1a\n",
    "._P1_1.tif": b"\x00\x05\x16\x07",
    ".DS_Store": b"\x00\x00\x00\x01Bud1",
    "Thumbs.db": b"\xd0\xcf\x11\xe0",
    "empty": b"",
    "screenshot.tif": b"II*\x00",
    "rows.csv": b"Patient,age\n",
}


@dataclass(frozen=True)
class Placed:
    """One patient of a mixture."""

    form: str
    place: str
    state: str


@pytest.fixture(scope="module")
def patients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One patient of each format, named NAME; every example copies from here."""
    root = tmp_path_factory.mktemp("formats")
    for number in range(5):
        for form, make in FORMATS.items():
            folder = root / form / f"P{number}"
            folder.mkdir(parents=True)
            make(folder, folder.name)
    return root


def placed() -> st.SearchStrategy[Placed]:
    return st.builds(
        Placed,
        st.sampled_from(sorted(FORMATS)),
        st.sampled_from(["", "a", "a/b", "c"]),
        st.sampled_from(["whole", "whole", "linked", "cut", "emptied"]),
    )


def put(patient: Placed, name: str, patients: Path, root: Path) -> list[Path]:
    """Copy a patient into the mixture, whole, damaged or as a link, and list the files as seen from there."""
    source, folder = patients / patient.form / name, root / "in" / patient.place / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    if patient.state == "linked":
        shutil.copytree(source, root / "elsewhere" / name)
        folder.symlink_to(root / "elsewhere" / name)
    else:
        shutil.copytree(source, folder)
    files = sorted(folder.iterdir())
    content = files[0].read_bytes()
    if patient.state in ("cut", "emptied"):
        files[0].write_bytes(content[: len(content) // 2] if patient.state == "cut" else b"")
    return files


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(placed(), min_size=1, max_size=5), st.dictionaries(st.sampled_from(sorted(STRAY)), st.booleans()))
def test_every_patient_is_done_or_named_and_every_file_counted(
    patients: Path, mixture: list[Placed], stray: dict[str, bool]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files = {f"P{n}": put(patient, f"P{n}", patients, root) for n, patient in enumerate(mixture)}
        beside = [root / "in" / ("" if deep else mixture[0].place) / name for name, deep in stray.items()]
        for path in beside:
            path.write_bytes(STRAY[path.name])
        (root / "in" / "circle").symlink_to(root / "in")

        found = find_sources([root / "in"])

        everything = {path for paths in files.values() for path in paths} | set(beside)
        assert found.files.keys() | found.left_out.keys() == everything
        assert len(found.files) + len(found.left_out) == len(everything)
        read, failed = set(), set(found.failures)
        for source in found.sources:
            try:
                read.add(source.patient if source.read().volume.voxels.size else "")
            except GliosegError:
                failed.add(source.patient)
        for patient, name in zip(mixture, files, strict=True):
            owners = {found.files[path] for path in files[name] if path in found.files}
            done, named = owners & read, owners & failed
            assert done or named, (patient, found.left_out)
            assert named or patient.state in ("whole", "linked") or patient.form == "nifti" or patient.form == "tif"
            assert done or patient.state in ("cut", "emptied")
        assert readable(found.left_out_in_words()) == found.left_out_in_words()
