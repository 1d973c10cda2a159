import gzip
import io
import zipfile
from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pytest
import tifffile

from glioseg.errors import GliosegError
from glioseg.formats.readers import KINDS, Kind, detect, kind_by_name, read_scan, without_suffix

VOXELS = np.zeros((3, 4, 5), np.uint8)


def write(path: Path, kind: str) -> Path:
    """A small file of each kind, written by its own library where there is one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "tif":
        tifffile.imwrite(path, VOXELS, photometric="minisblack")
    elif kind == "big tif":
        tifffile.imwrite(path, VOXELS, photometric="minisblack", bigtiff=True, byteorder=">")
    elif kind == "nifti":
        path.write_bytes(nibabel.Nifti1Image(VOXELS, np.eye(4)).to_bytes())
    elif kind == "nifti 2":
        path.write_bytes(nibabel.Nifti2Image(VOXELS, np.eye(4)).to_bytes())
    elif kind == "packed nifti":
        path.write_bytes(gzip.compress(nibabel.Nifti1Image(VOXELS, np.eye(4)).to_bytes()))
    elif kind == "nrrd":
        buffer = io.BytesIO()
        nrrd.write(buffer, VOXELS)
        path.write_bytes(buffer.getvalue())
    elif kind == "dicom":
        path.write_bytes(bytes(128) + b"DICM" + bytes(50))
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a", "b")
    return path


@pytest.mark.parametrize("name", ["a", "a.nii.gz", "a.tif", "a.nrrd", "a.dcm"])
@pytest.mark.parametrize(
    ("written", "kind"),
    [*((kind, kind) for kind in KINDS), ("big tif", "tif"), ("nifti 2", "nifti"), ("packed nifti", "nifti")],
)
def test_a_file_is_known_by_its_content_whatever_its_name(tmp_path: Path, name: str, written: str, kind: Kind) -> None:
    assert detect(write(tmp_path / name, written)) == kind


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "an empty file"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (b"\xff\xd8\xff\xe0", "a JPEG image"),
        (b"hello world", "68 65 6c 6c 6f"),
        (gzip.compress(b"not a scan", mtime=0), "6e 6f 74 20 61"),
        (gzip.compress(bytes(1000), mtime=0)[:15], "1f 8b"),
        (b"DICM", "44 49 43 4d"),
    ],
)
def test_anything_else_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.nii.gz").write_bytes(content)
    with pytest.raises(GliosegError, match="is no format that is read here") as caught:
        detect(tmp_path / "a.nii.gz")
    assert said in str(caught.value.found)
    assert caught.value.expected == f"{', '.join(KINDS[:-1])} or {KINDS[-1]}"
    assert caught.value.expected.startswith("tif, nifti, nrrd, dicom")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match=r"x\.nii does not exist"):
        detect(tmp_path / "x.nii")


@pytest.mark.parametrize(
    ("name", "kind", "stem"),
    [
        ("P1_flair.nii.gz", "nifti", "P1_flair"),
        ("P1.v2.NII", "nifti", "P1.v2"),
        ("P1_flair.hdr", "nifti", "P1_flair"),
        ("a.seg.nrrd", "nrrd", "a.seg"),
        ("P1_1.TIFF", "tif", "P1_1"),
        ("IM1.dcm", "dicom", "IM1"),
        ("notes.txt", None, "notes.txt"),
        ("IM0001", None, "IM0001"),
    ],
)
def test_a_name_claims_a_format(name: str, kind: Kind | None, stem: str) -> None:
    assert kind_by_name(name) == kind
    assert without_suffix(name) == stem


def test_a_scan_is_read_by_its_content_and_nothing_else_is_one(tmp_path: Path) -> None:
    image = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    (tmp_path / "P1.nrrd").write_bytes(nibabel.Nifti1Image(image, np.eye(4)).to_bytes())
    scan = read_scan(tmp_path / "P1.nrrd", sequence="pre")
    assert (scan.patient, scan.sequence) == ("P1", "pre")
    assert np.array_equal(scan.voxels, image.T)
    with pytest.raises(GliosegError, match=r"no image of a single sequence: expected nifti or nrrd.*, found zip"):
        read_scan(write(tmp_path / "flair.nii.gz", "zip"))
