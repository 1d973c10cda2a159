import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from glioseg.dataset.lgg import (
    case_of,
    find_patient_folders,
    find_patients,
    find_slices,
    read_clinical,
    read_patient,
    site_of,
)
from glioseg.errors import GliosegError
from glioseg.formats.tif import write_mask_slice

PATIENT = "TCGA_DU_7014_19860618"
SIZE = (6, 5)


def write_slice(folder: Path, number: str, *, grey: int | None = None, size: tuple[int, int] = SIZE) -> None:
    """An image in one grey, and a mask of as many pixels as the grey says; by default both are the slice's number."""
    grey = int(number) if grey is None else grey
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{folder.name}_{number}.tif"
    tifffile.imwrite(path, np.full((*size, 3), grey, np.uint8), photometric="rgb", metadata=None)
    inside = np.arange(size[0] * size[1]).reshape(size) < grey
    write_mask_slice(path.with_name(f"{path.stem}_mask.tif"), inside)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One patient of 12 slices."""
    for number in range(1, 13):
        write_slice(tmp_path / PATIENT, str(number))
    return tmp_path / PATIENT


@pytest.mark.parametrize(
    ("patient", "case", "site"),
    [
        ("TCGA_DU_7014_19860618", "TCGA_DU_7014", "DU"),
        ("TCGA_DU_7014", "TCGA_DU_7014", "DU"),
        ("TCGA_DU_7014_19860618_second", "TCGA_DU_7014", "DU"),
        ("PHANTOM_HT_0001_19990101", "PHANTOM_HT_0001", "HT"),
        ("patient-7", "patient-7", "unknown"),
        ("two_parts", "two_parts", "unknown"),
    ],
)
def test_a_name_tells_the_person_and_the_hospital(patient: str, case: str, site: str) -> None:
    assert (case_of(patient), site_of(patient)) == (case, site)


def test_slices_stand_in_the_order_of_their_numbers(folder: Path) -> None:
    files = find_slices(folder)
    assert [path.stem for path in files.images] == [f"{PATIENT}_{number}" for number in range(1, 13)]
    assert [path.stem for path in files.masks] == [f"{PATIENT}_{number}_mask" for number in range(1, 13)]
    volume, mask = read_patient(files)
    assert volume.patient == PATIENT
    assert volume.slice_names[9] == f"{PATIENT}_10"
    assert volume.voxels.shape == (12, *SIZE, 3)
    assert volume.voxels[:, 0, 0, 0].tolist() == list(range(1, 13))
    assert mask is not None
    assert mask.slice_names == volume.slice_names
    assert mask.voxels.sum(axis=(1, 2)).tolist() == list(range(1, 13))


def test_numbers_may_have_leading_zeros_and_begin_anywhere(tmp_path: Path) -> None:
    for number in ("08", "09", "10", "11"):
        write_slice(tmp_path / PATIENT, number)
    volume, _ = read_patient(find_slices(tmp_path / PATIENT))
    assert volume.voxels[:, 0, 0, 0].tolist() == [8, 9, 10, 11]


def test_without_masks_nothing_is_asked_of_them(folder: Path) -> None:
    for path in list(folder.glob("*_mask.tif"))[:5]:
        path.unlink()
    (files,) = find_patients(folder.parent, masks=False)
    assert files.masks == ()
    volume, mask = read_patient(files)
    assert len(volume.voxels) == 12
    assert mask is None


def test_other_files_beside_the_slices_are_left_alone(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    (folder / "Thumbs.db").write_bytes(b"")
    assert len(find_slices(folder).images) == 12


def test_the_patients_stand_in_the_order_of_their_names(tmp_path: Path) -> None:
    names = ["TCGA_HT_2_20000101", "TCGA_CS_1_20000101", "TCGA_DU_3_20000101"]
    for name in names:
        write_slice(tmp_path / name, "1")
    (tmp_path / "empty").mkdir()
    (tmp_path / "data.csv").write_text("Patient\n")
    assert [files.patient for files in find_patients(tmp_path)] == sorted(names)


@pytest.mark.parametrize("suffix", [".tif", ".TIF", ".tiff"])
def test_any_spelling_of_the_suffix_is_found(folder: Path, suffix: str) -> None:
    for path in folder.iterdir():
        path.rename(path.with_suffix(suffix))
    for root in (folder.parent, folder):
        (files,) = find_patients(root)
        assert len(files.images) == len(files.masks) == 12


def test_the_kaggle_archive_is_found_one_folder_down_and_its_copy_is_not(folder: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    shutil.copytree(folder, archive / "kaggle_3m" / PATIENT)
    shutil.copytree(folder, archive / "lgg-mri-segmentation" / "kaggle_3m" / PATIENT)
    shutil.copytree(folder, archive / "TCGA_CS_0001_20000101")
    (archive / "kaggle_3m" / "data.csv").write_text("Patient,gender\nTCGA_DU_7014,2\n")
    (files,) = find_patients(archive)
    assert files.images[0].parent == archive / "kaggle_3m" / PATIENT
    assert files.clinical == {"gender": "2"}


def test_a_single_patients_folder_is_a_dataset_of_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder.parent / "data.csv").write_text("Patient,gender\nTCGA_DU_7014,2\n")
    (files,) = find_patients(folder)
    assert (files.patient, len(files.images), files.clinical) == (PATIENT, 12, {"gender": "2"})
    monkeypatch.chdir(folder)
    (here,) = find_patients(Path())
    assert (here.patient, len(here.images), here.clinical) == (PATIENT, 12, {"gender": "2"})


Damage = Callable[[Path], Path]


def remove_slice(folder: Path) -> Path:
    for name in (f"{PATIENT}_7.tif", f"{PATIENT}_7_mask.tif"):
        (folder / name).unlink()
    return folder


def remove_mask(folder: Path) -> Path:
    (folder / f"{PATIENT}_10_mask.tif").unlink()
    return folder / f"{PATIENT}_10.tif"


def remove_first_picture(folder: Path) -> Path:
    (folder / f"{PATIENT}_1.tif").unlink()
    return folder / f"{PATIENT}_1_mask.tif"


def remove_pictures(folder: Path) -> Path:
    for number in range(1, 13):
        (folder / f"{PATIENT}_{number}.tif").unlink()
    return folder


def repeat_number(folder: Path) -> Path:
    write_slice(folder, "01")
    return folder / f"{PATIENT}_1.tif"


def repeat_number_of_mask(folder: Path) -> Path:
    shutil.copy(folder / f"{PATIENT}_1_mask.tif", folder / f"{PATIENT}_001_mask.tif")
    return folder / f"{PATIENT}_1_mask.tif"


def add_other_patient(folder: Path) -> Path:
    shutil.copy(folder / f"{PATIENT}_1.tif", folder / "TCGA_CS_4941_19960909_1.tif")
    return folder / "TCGA_CS_4941_19960909_1.tif"


def add_name_without_number(folder: Path) -> Path:
    shutil.copy(folder / f"{PATIENT}_1.tif", folder / f"{PATIENT}.tif")
    return folder / f"{PATIENT}.tif"


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (remove_slice, "lacks slice 7"),
        (remove_mask, "has no mask"),
        (remove_first_picture, "has no image"),
        (remove_pictures, "holds masks but no images"),
        (repeat_number, "claim the same slice 1"),
        (repeat_number_of_mask, "claim the same slice 1"),
        (add_other_patient, "is misnamed"),
        (add_name_without_number, "is misnamed"),
    ],
)
def test_an_incomplete_patient_is_refused_by_name(folder: Path, damage: Damage, problem: str) -> None:
    culprit = damage(folder)
    with pytest.raises(GliosegError, match=problem) as caught:
        find_patients(folder.parent)
    assert str(culprit) in str(caught.value)


@pytest.mark.parametrize("damage", [remove_slice, repeat_number, add_other_patient])
def test_without_masks_the_images_are_checked_all_the_same(folder: Path, damage: Damage) -> None:
    damage(folder)
    with pytest.raises(GliosegError):
        find_patients(folder.parent, masks=False)


def test_a_long_gap_is_told_in_short(tmp_path: Path) -> None:
    for number in ("1", "200"):
        write_slice(tmp_path / PATIENT, number)
    with pytest.raises(GliosegError) as caught:
        find_patients(tmp_path)
    assert "lacks slice 2, 3, 4, 5, 6, 7, 8, 9, 10, 11:" in str(caught.value)
    assert caught.value.found == "2 of 200"


def test_a_slice_of_another_size_is_refused(folder: Path) -> None:
    write_slice(folder, "5", size=(6, 6))
    with pytest.raises(GliosegError, match=f"{PATIENT}_5.tif has another size") as caught:
        read_patient(find_slices(folder))
    assert (caught.value.expected, caught.value.found) == ("6x5", "6x6")


def test_a_mask_of_another_size_is_refused(folder: Path) -> None:
    write_mask_slice(folder / f"{PATIENT}_5_mask.tif", np.zeros((5, 6), np.bool_))
    with pytest.raises(GliosegError, match=f"{PATIENT}_5_mask.tif has another size") as caught:
        read_patient(find_slices(folder))
    assert (caught.value.expected, caught.value.found) == ("6x5", "5x6")


@pytest.mark.parametrize("make", ["nothing", "file", "empty", "folders", "images of no patient"])
def test_a_place_without_patients_is_refused(tmp_path: Path, make: str) -> None:
    root = tmp_path / "data"
    if make == "file":
        root.write_text("mine")
    elif make != "nothing":
        root.mkdir()
    if make == "folders":
        (root / PATIENT).mkdir()
    if make == "images of no patient":
        (root / "x_1.tif").write_bytes(b"")
    with pytest.raises(GliosegError, match="holds no patient") as caught:
        find_patient_folders(root)
    assert str(root) in str(caught.value)
    assert caught.value.remedy is not None
    assert caught.value.found == ("no such folder" if make in ("nothing", "file") else "no such file")


def test_the_clinical_table_is_read_by_person(tmp_path: Path) -> None:
    assert read_clinical(tmp_path) == {}
    (tmp_path / "data.csv").write_bytes(
        "\ufeffPatient,age,gender\r\nTCGA_CS_4941,67,\r\nTCGA_DU_7014,59,2\r\n".encode()
    )
    table = {"TCGA_CS_4941": {"age": "67", "gender": ""}, "TCGA_DU_7014": {"age": "59", "gender": "2"}}
    assert read_clinical(tmp_path) == table


def test_rows_that_are_too_long_or_too_short_lose_and_lack_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("Patient,age,gender\nA,67,1,what,is this\nB,59\n")
    assert read_clinical(tmp_path) == {"A": {"age": "67", "gender": "1"}, "B": {"age": "59", "gender": ""}}


def test_a_patient_without_a_row_has_no_clinical_data(folder: Path) -> None:
    (folder.parent / "data.csv").write_text("Patient,gender\nTCGA_CS_4941,2\n")
    assert find_patients(folder.parent)[0].clinical == {}


@pytest.mark.parametrize("content", [b"name,age\nA,67\n", b"Patient,age\nA,\xff\x81\n", b"Pati\x00ent\nA\n"])
def test_another_table_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.csv").write_bytes(content)
    with pytest.raises(GliosegError, match=r"data\.csv is not the clinical table"):
        read_clinical(tmp_path)


def test_hidden_files_are_nobodys_slices(few_slices: Path) -> None:
    """As macOS leaves them on other people's disks."""
    before = find_patients(few_slices)
    for path in [*few_slices.glob("*/*.tif"), few_slices / "data.csv"]:
        path.with_name(f"._{path.name}").write_bytes(b"\x00\x05\x16\x07")
        (path.parent / "Thumbs.db").write_bytes(b"\xd0\xcf")
    (few_slices / "__MACOSX").mkdir()
    (few_slices / "__MACOSX" / "__MACOSX_1.tif").write_bytes(b"x")
    assert find_patients(few_slices) == before


def test_a_link_to_a_patient_is_a_patient(few_slices: Path, tmp_path: Path) -> None:
    first = find_patients(few_slices)[0]
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / first.patient).symlink_to(few_slices / first.patient)
    (found,) = find_patients(tmp_path / "linked")
    assert (found.patient, len(found.images)) == (first.patient, 6)
