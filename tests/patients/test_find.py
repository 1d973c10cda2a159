import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
from synthetic_dicom import head, write_series

from glioseg.errors import GliosegError
from glioseg.patients.dicom_patient import DicomPatient
from glioseg.patients.file_patient import FilePatient
from glioseg.patients.find import find_sources
from glioseg.patients.tif_patient import TifPatient


def nifti(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4)), path)
    return path


def test_tells_layouts_apart_by_what_lies_there(few_slices: Path, tmp_path: Path) -> None:
    nifti(tmp_path / "nifti" / "A_flair.nii.gz")
    write_series(tmp_path / "dicom" / "series", head())
    kinds = [type(find_sources([path]).sources[0]) for path in (few_slices, tmp_path / "nifti", tmp_path / "dicom")]
    assert kinds == [TifPatient, FilePatient, DicomPatient]


def test_patients_of_several_inputs_follow_each_other(few_slices: Path, tmp_path: Path) -> None:
    path = nifti(tmp_path / "A_flair.nii.gz")
    found = find_sources([few_slices, path])
    assert len(found.sources) == 4
    assert found.sources[-1].patient == "A"
    assert [source.is_dataset for source in found.sources] == [True, True, True, False]


def test_a_zip_of_dicom_is_a_patient(tmp_path: Path) -> None:
    write_series(tmp_path / "scan", head())
    shutil.make_archive(str(tmp_path / "scan"), "zip", tmp_path / "scan")
    (source,) = find_sources([tmp_path / "scan.zip"]).sources
    assert isinstance(source, DicomPatient)
    assert source.patient == "P-001"


def test_a_folder_of_examinations_is_a_patient_for_each(tmp_path: Path) -> None:
    for name in ("Ann", "Bob"):
        write_series(tmp_path / "in" / name, head(), PatientID=name)
    (tmp_path / "in" / "Cut").mkdir()
    (tmp_path / "in" / "Cut" / "notes.txt").write_text("none")
    found = find_sources([tmp_path / "in"])
    assert [source.patient for source in found.sources] == ["Ann", "Bob"]
    assert list(found.failures) == ["Cut"]


def test_two_patients_in_one_folder_of_files_are_told(tmp_path: Path) -> None:
    write_series(tmp_path / "in", head(), PatientID="Ann")
    for path in sorted((tmp_path / "in").iterdir()):
        path.rename(path.with_name(f"Ann_{path.name}"))
    write_series(tmp_path / "in", head(), PatientID="Bob")
    found = find_sources([tmp_path / "in"])
    assert found.sources == []
    assert "Ann" in found.failures["in"]
    assert "Bob" in found.failures["in"]


def test_files_may_be_named_one_by_one(tmp_path: Path) -> None:
    flair, pre = nifti(tmp_path / "x.nii.gz"), nifti(tmp_path / "y.nii.gz")
    (source,) = find_sources([], {"flair": str(flair), "pre": str(pre), "post": ""}).sources
    assert isinstance(source, FilePatient)
    assert source.case.files == {"flair": flair, "pre": pre}


@pytest.mark.parametrize(
    ("inputs", "sequences", "message"),
    [
        ([], {}, "nothing to predict"),
        ([], {"pre": "a.nii"}, "nothing to predict"),
        (["nifti"], {"flair": "3"}, "names a series of DICOM"),
        (["nowhere"], {}, "nowhere does not exist"),
        (["nifti/A_flair.nii.gz", "nifti/A_flair.nii.gz"], {}, "patient A is given twice"),
        (["slice.tif"], {}, "is a single slice"),
    ],
)
def test_what_makes_no_sense_is_refused(
    few_slices: Path, tmp_path: Path, inputs: list[str], sequences: dict[str, str], message: str
) -> None:
    nifti(tmp_path / "nifti" / "A_flair.nii.gz")
    shutil.copy(next(few_slices.glob("*/*_mask.tif")), tmp_path / "slice.tif")
    with pytest.raises(GliosegError, match=message):
        find_sources([tmp_path / name for name in inputs], sequences)
