"""Whatever is wrong with one scan is said in one line, and the scans beside it are done."""

import gzip
import struct
import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pytest
from synthetic_dicom import head, write_series

from glioseg.commands.predict import PredictionRun, predict
from glioseg.dataset.phantom import make_phantom

AFFINE = np.diag([0.9, 0.9, 5.0, 1.0])


def save(path: Path, voxels: np.ndarray) -> None:
    path.parent.mkdir(parents=True)
    nibabel.save(nibabel.Nifti1Image(voxels, AFFINE), path)


def huge(path: Path) -> None:
    """A small file whose header claims 32,000 voxels along every axis."""
    save(path, np.zeros((4, 4, 4), np.uint8))
    content = bytearray(gzip.decompress(path.read_bytes()))
    struct.pack_into("<4h", content, 40, 3, 32000, 32000, 32000)
    path.write_bytes(gzip.compress(bytes(content)))


BAD_FILES = {
    "truncated": "cut short|damaged|cannot be read",
    "nan": "no numbers",
    "infinite": "no numbers",
    "constant": "same everywhere",
    "one_slice": "single slice",
    "four_d": "4-D|several images",
    "colours": "colour",
    "huge": "voxels",
}
BAD_SERIES = {
    "ct_scan": "CT",
    "two_patients": "Ann",
    "no_pixels": "pixel",
    "climbing.zip": "climbing|outside|unsafe|\\.\\.",
}


@pytest.fixture(scope="module")
def run(untrained_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> PredictionRun:
    """One batch of a good scan and every bad one."""
    root = tmp_path_factory.mktemp("bad")
    scans = root / "scans"
    image = make_phantom(5, size=96, slices=8)[0].channel("flair").T.astype(np.float32)
    with_flaw = {"nan": np.nan, "infinite": np.inf}
    save(scans / "good" / "flair.nii.gz", image)
    for name, value in with_flaw.items():
        spoilt = image.copy()
        spoilt[40, 40, 4] = value
        save(scans / name / "flair.nii.gz", spoilt)
    save(scans / "constant" / "flair.nii.gz", np.full_like(image, 7))
    save(scans / "one_slice" / "flair.nii.gz", image[:, :, 4:5])
    save(scans / "four_d" / "flair.nii.gz", np.stack([image, image], axis=-1))
    colours = np.zeros(image.shape, np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]))
    save(scans / "colours" / "flair.nii.gz", colours)
    save(scans / "truncated" / "flair.nii.gz", image)
    content = (scans / "truncated" / "flair.nii.gz").read_bytes()
    (scans / "truncated" / "flair.nii.gz").write_bytes(content[: len(content) // 2])
    huge(scans / "huge" / "flair.nii.gz")

    write_series(root / "ct_scan", head(), PatientID="ct_scan", Modality="CT", SOPClassUID="1.2.840.10008.5.1.4.1.1.2")
    write_series(root / "two_patients", head(), PatientID="Ann")
    for path in sorted((root / "two_patients").iterdir()):
        path.rename(path.with_name(f"Ann_{path.name}"))
    write_series(root / "two_patients", head(), PatientID="Bob")
    write_series(root / "no_pixels", head(), PatientID="no_pixels", PixelData=None)
    with zipfile.ZipFile(root / "climbing.zip", "w") as archive:
        archive.writestr("../../evil.dcm", b"DICM")
    return predict([scans, *(root / name for name in BAD_SERIES)], root / "out", model=untrained_bundle)


def test_the_good_scan_is_done(run: PredictionRun) -> None:
    assert [result.patient for result in run.results] == ["good"]
    assert run.results[0].files == ("good_mask.nii.gz", "good_sheet.png")


@pytest.mark.parametrize(("name", "message"), BAD_FILES.items())
def test_a_bad_file_is_named_with_the_reason(run: PredictionRun, name: str, message: str) -> None:
    assert name in run.failures
    assert "\n" not in run.failures[name]
    assert any(part in run.failures[name] for part in message.split("|")), run.failures[name]


@pytest.mark.parametrize(("name", "message"), BAD_SERIES.items())
def test_a_bad_series_is_named_with_the_reason(run: PredictionRun, name: str, message: str) -> None:
    told = {patient: text for patient, text in run.failures.items() if name in text or patient == name}
    assert len(told) == 1, run.failures
    (text,) = told.values()
    assert any(part.replace("\\", "") in text for part in message.split("|")), text


def test_nothing_else_failed(run: PredictionRun) -> None:
    assert len(run.failures) == len(BAD_FILES) + len(BAD_SERIES)
