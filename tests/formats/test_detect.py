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
from glioseg.formats.detect import KINDS, Kind, detect

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
        (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
        (b"\xff\xd8\xff\xe0", "a JPEG picture"),
        (b"hello world", "68 65 6c 6c 6f"),
        (gzip.compress(b"not a scan"), "6e 6f 74 20 61"),
        (gzip.compress(bytes(1000))[:15], "1f 8b"),
        (b"DICM", "44 49 43 4d"),
    ],
)
def test_anything_else_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.nii.gz").write_bytes(content)
    with pytest.raises(GliosegError, match="is no format that is read here") as caught:
        detect(tmp_path / "a.nii.gz")
    assert said in str(caught.value.found)
    assert caught.value.expected == "tif, nifti, nrrd, dicom or zip"


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_is_what_lies_in_it(tmp_path: Path, kind: Kind) -> None:
    write(tmp_path / "P1" / "deep" / "a", kind)
    write(tmp_path / "P1" / "deep" / "b", kind)
    (tmp_path / "readme.txt").write_text("read me")
    (tmp_path / ".hidden").write_bytes(b"II*\x00")
    write(tmp_path / ".trash" / "a", "tif" if kind != "tif" else "zip")
    assert detect(tmp_path) == kind


def test_a_folder_of_several_formats_names_one_of_each(tmp_path: Path) -> None:
    write(tmp_path / "P1" / "a.nii", "nifti")
    write(tmp_path / "P2" / "b", "dicom")
    with pytest.raises(GliosegError, match="holds several formats") as caught:
        detect(tmp_path)
    assert caught.value.found == f"nifti ({Path('P1/a.nii')}), dicom ({Path('P2/b')})"


def test_a_folder_without_scans_and_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match=r"holds no scan.*found nothing"):
        detect(tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(GliosegError, match=r"holds no scan.*found notes\.txt"):
        detect(tmp_path)
    with pytest.raises(GliosegError, match=r"x\.nii does not exist"):
        detect(tmp_path / "x.nii")
