import shutil
from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pytest
from pydicom.uid import generate_uid
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
    (tmp_path / "in" / "Cut" / "IM1").write_bytes(bytes(128) + b"DICM" + b"\x08\x00")
    found = find_sources([tmp_path / "in"])
    assert [source.patient for source in found.sources] == ["Ann", "Bob"]
    assert list(found.failures) == ["Cut"]
    assert found.left_out == {tmp_path / "in" / "Cut" / "notes.txt": "text"}


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


def test_every_format_of_a_folder_is_found_and_every_file_accounted_for(few_slices: Path, tmp_path: Path) -> None:
    root = few_slices
    nifti(root / "N" / "flair.nii.gz")
    nifti(root / "N" / "t2.nii.gz")
    write_series(root / "deep" / "D", head(), PatientID="D")
    write_series(tmp_path / "Z", head(), PatientID="Z")
    shutil.make_archive(str(root / "Z"), "zip", tmp_path / "Z")
    (root / "notes.txt").write_text("none")
    (root / "N" / "thumb.png").write_bytes(b"\x89PNG\r\n")
    (root / "N" / "._flair.nii.gz").write_bytes(b"x")
    shutil.copy(next(root.glob("*/*_mask.tif")), root / "deep" / "D" / "screenshot.tif")
    found = find_sources([root])
    slices = sorted(path.name for path in root.iterdir() if path.is_dir() and list(path.glob("*.tif")))
    assert sorted(source.patient for source in found.sources) == sorted([*slices, "N", "D", "Z"])
    assert found.failures == {}
    assert {path.name: why for path, why in found.left_out.items() if not path.name.endswith("_mask.tif")} == {
        "t2.nii.gz": "other images",
        "data.csv": "text",
        "notes.txt": "text",
        "thumb.png": "PNG image",
        "._flair.nii.gz": "hidden",
        "screenshot.tif": "tif files that are no slices of a patient",
    }
    everything = {path for path in root.rglob("*") if path.is_file()}
    assert found.files.keys() | found.left_out.keys() == everything
    assert not found.files.keys() & found.left_out.keys()
    assert found.left_out_in_words().startswith("24 files left out: masks (18), text (2), ")


def test_links_to_patients_of_every_format_are_followed(few_slices: Path, tmp_path: Path) -> None:
    nifti(tmp_path / "else" / "N" / "flair.nii.gz")
    write_series(tmp_path / "else" / "D", head(), PatientID="D")
    folder = next(path for path in sorted(few_slices.iterdir()) if path.is_dir())
    (tmp_path / "in").mkdir()
    for place in (folder, tmp_path / "else" / "N", tmp_path / "else" / "D"):
        (tmp_path / "in" / place.name).symlink_to(place)
    (tmp_path / "in" / "circle").symlink_to(tmp_path / "in")
    found = find_sources([tmp_path / "in"])
    assert sorted(source.patient for source in found.sources) == sorted([folder.name, "N", "D"])


def test_hidden_files_make_no_folder_something_else(few_slices: Path, tmp_path: Path) -> None:
    write_series(tmp_path / "D", head())
    (tmp_path / "D" / "._x.nii").write_bytes(b"x")
    (tmp_path / "D" / "Thumbs.db").write_bytes(b"x")
    folder = next(path for path in sorted(few_slices.iterdir()) if path.is_dir())
    for path in list(folder.iterdir()):
        (folder / f"._{path.name}").write_bytes(b"x")
    assert isinstance(find_sources([tmp_path / "D"]).sources[0], DicomPatient)
    (source,) = find_sources([folder]).sources
    assert source.read().volume.voxels.shape[0] == 6


def test_masks_and_second_copies_of_the_archive_are_no_patients(few_slices: Path, tmp_path: Path) -> None:
    names = sorted(path.name for path in few_slices.iterdir() if path.is_dir())
    root = tmp_path / "archive"
    shutil.copytree(few_slices, root / "kaggle_3m")
    shutil.copytree(few_slices, root / "lgg-mri-segmentation" / "kaggle_3m")
    for path in few_slices.glob("*/*_mask.tif"):
        (root / "drawn" / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, root / "drawn" / path.parent.name)
    found = find_sources([root])
    assert [source.patient for source in found.sources] == names
    assert all("lgg-mri-segmentation" not in str(path) for path in found.files)


def test_a_folder_of_slices_that_was_renamed_is_named_not_left_out(few_slices: Path) -> None:
    first, *others = sorted(path for path in few_slices.iterdir() if path.is_dir())
    first.rename(few_slices / "renamed")
    found = find_sources([few_slices])
    assert [source.patient for source in found.sources] == [*(path.name for path in others), "renamed"]
    with pytest.raises(GliosegError, match="is misnamed"):
        found.sources[-1].read()


def test_two_scans_of_one_name_do_not_replace_each_other(tmp_path: Path) -> None:
    """Two dates of one patient, and a scan without a date that is called the same."""
    write_series(tmp_path / "in" / "A", head(), PatientID="P2", StudyInstanceUID="2.25.1", StudyDate="20190301")
    write_series(tmp_path / "in" / "B", head(), PatientID="P1")
    write_series(tmp_path / "other", head(), PatientID="p2", StudyInstanceUID="2.25.2", StudyDate="20200301")
    nifti(tmp_path / "in" / "P2" / "flair.nii.gz")
    found = find_sources([tmp_path / "in", tmp_path / "other"])
    assert found.failures == {}
    assert [source.patient for source in found.sources] == ["P2_in", "P2_20190301", "P1", "p2_20200301"]
    assert [source.examination.patient for source in found.sources] == ["P2", "P2", "P1", "p2"]
    assert found.as_json()["of_patients"] == {"P2_in": 1, "P2_20190301": 7, "P1": 7, "p2_20200301": 7}


def two_dates(root: Path) -> Path:
    """Two dates of one patient, and a third without a FLAIR, in folders of one folder."""
    for date in ("20190301", "20200301", "20210301"):
        sequence = "t2 tse" if date == "20210301" else "t2 flair"
        study = f"2.25.{date}"
        write_series(
            root / date, head(), PatientID="P1", StudyInstanceUID=study, StudyDate=date, SeriesDescription=sequence
        )
    return root


@pytest.mark.parametrize("packed", [False, True])
def test_two_dates_of_one_patient_in_one_input_are_two_examinations(tmp_path: Path, packed: bool) -> None:
    path = two_dates(tmp_path / "in")
    if packed:
        path = Path(shutil.make_archive(str(tmp_path / "scans"), "zip", path))
    found = find_sources([path])
    assert [source.patient for source in found.sources] == ["P1_20190301", "P1_20200301"]
    assert found.failures == {}
    assert [source.read().volume.voxels.shape[0] for source in found.sources] == [7, 7]
    if not packed:
        assert {path.parent.name for path in found.left_out} == {"20210301"}
        assert set(found.left_out.values()) == {"of examinations without a FLAIR"}
    alone = [find_sources([tmp_path / "in" / date]).sources[0] for date in ("20190301", "20200301")]
    assert [source.examination.key for source in found.sources] == [source.examination.key for source in alone]


def test_a_study_without_flair_beside_one_is_no_examination_of_its_own(tmp_path: Path) -> None:
    write_series(tmp_path / "a", head(), PatientID="P1", StudyInstanceUID="2.25.1", SeriesDescription="t2 flair")
    write_series(tmp_path / "b", head(), PatientID="P1", StudyInstanceUID="2.25.2", SeriesDescription="t2 tse")
    found = find_sources([tmp_path])
    assert [source.patient for source in found.sources] == ["P1"]
    assert (found.failures, found.left_out) == ({}, {})


def test_a_flair_that_the_user_named_is_the_one(tmp_path: Path) -> None:
    (source,) = find_sources([two_dates(tmp_path / "in")], {"flair": "t2 tse"}).sources
    assert source.patient == "P1"


def test_two_dates_of_one_patient_as_nifti_are_two_patients(tmp_path: Path) -> None:
    for place in ("in/P1/2019/flair", "in/P1/2020/flair", "on/2019/P1_flair", "on/2020/P1_flair", "to/P1_2019_flair"):
        nifti(tmp_path / f"{place}.nii.gz")
    nifti(tmp_path / "to" / "P1_2020_flair.nii.gz")
    assert [source.patient for source in find_sources([tmp_path / "in"]).sources] == ["P1_2019", "P1_2020"]
    assert [source.patient for source in find_sources([tmp_path / "on"]).sources] == ["2019", "2020"]
    assert [source.patient for source in find_sources([tmp_path / "to"]).sources] == ["P1_2019", "P1_2020"]


def test_copies_of_an_examination_are_done_once_and_told(tmp_path: Path) -> None:
    write_series(tmp_path / "in" / "A" / "1", head(), PatientID="P1")
    shutil.copytree(tmp_path / "in" / "A", tmp_path / "in" / "C")
    write_series(tmp_path / "in" / "C" / "2", head(), PatientID="P2")
    found = find_sources([tmp_path / "in"])
    assert sorted(source.patient for source in found.sources) == ["P1", "P2"]
    (message,) = found.failures.values()
    assert f"the same examination lies in {tmp_path / 'in' / 'A'} too" in message


def test_a_damaged_file_is_a_patient_by_its_name(tmp_path: Path) -> None:
    nifti(tmp_path / "A" / "flair.nii.gz")
    (tmp_path / "B").mkdir()
    (tmp_path / "B" / "flair.nii.gz").write_bytes(b"")
    found = find_sources([tmp_path])
    assert [source.patient for source in found.sources] == ["A", "B"]
    with pytest.raises(GliosegError, match="no format that is read here"):
        found.sources[1].read()


def test_the_voxels_of_a_header_go_with_it(tmp_path: Path) -> None:
    for name in ("P1_flair", "P1_t2", "P2_flair"):
        nibabel.save(nibabel.Nifti1Pair(np.ones((4, 4, 4), np.int16), np.eye(4)), tmp_path / f"{name}.hdr")
    nrrd.write(str(tmp_path / "P3_flair.nhdr"), np.ones((4, 4, 4), np.int16), detached_header=True)
    found = find_sources([tmp_path])
    assert [source.patient for source in found.sources] == ["P1", "P2", "P3"]
    assert {path.name for path, patient in found.files.items() if patient == "P2"} == {"P2_flair.hdr", "P2_flair.img"}
    assert [path.name for path, patient in found.files.items() if patient == "P3"] == [
        "P3_flair.nhdr",
        "P3_flair.raw.gz",
    ]
    assert {path.name: why for path, why in found.left_out.items()} == {
        "P1_t2.hdr": "other images",
        "P1_t2.img": "other images",
    }
    assert found.sources[1].read().volume.voxels.shape == (4, 4, 4, 3)


def test_people_without_name_and_number_are_told_apart_by_folder_and_examination(tmp_path: Path) -> None:
    for name in ("A", "B"):
        write_series(
            tmp_path / "in" / name / "flair", head(), PatientID="", PatientName="", StudyInstanceUID=generate_uid()
        )
    found = find_sources([tmp_path / "in"])
    assert len({source.patient for source in found.sources}) == 2
    assert found.failures == {}
