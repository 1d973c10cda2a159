import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from glioseg.check import cleaning
from glioseg.check.cleaning import write_cleaned
from glioseg.check.dataset_check import check_dataset, open_source
from glioseg.check.structure import CLEANING_LOG
from glioseg.dataset.lgg import case_of, find_patients, read_patient
from glioseg.errors import GliosegError


def state(root: Path) -> dict[str, str]:
    """Every file with the hash of its content."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def spoil(root: Path) -> tuple[str, str, str]:
    """One patient with a mask of ones and a stray file, one with a gap, one whole."""
    mended, broken, whole = sorted(path.name for path in root.iterdir() if path.is_dir())
    path = root / mended / f"{mended}_9_mask.tif"
    tifffile.imwrite(path, np.eye(64, dtype=np.uint8), photometric="minisblack", metadata=None)
    (root / mended / "readme.txt").write_text("notes")
    (root / broken / f"{broken}_7.tif").unlink()
    (root / broken / f"{broken}_7_mask.tif").unlink()
    return mended, broken, whole


def test_the_copy_is_clean_and_the_source_untouched(few: Path, tmp_path: Path) -> None:
    mended, broken, whole = spoil(few)
    before = state(few)
    cleaning = write_cleaned(check_dataset(open_source(few)), tmp_path / "out" / "cleaned")
    cleaned = tmp_path / "out" / "cleaned"

    assert state(few) == before
    assert cleaning.kept == tuple(sorted((mended, whole)))
    actions = {(change.action, change.patient, change.reason) for change in cleaning.changes}
    assert actions == {
        ("patient left out", broken, "slice_missing"),
        ("file left behind", mended, "file_extra"),
        ("mask rewritten", mended, "mask_not_binary"),
        ("row removed", case_of(broken), "clinical_without_patient"),
    }
    assert json.loads((cleaned / CLEANING_LOG).read_text())["kept_patients"] == list(cleaning.kept)
    # It opens with the strict reader, which takes no half-good set.
    scans = {files.patient: read_patient(files)[1] for files in find_patients(cleaned)}
    mask = scans[mended]
    assert mask is not None
    assert np.array_equal(mask.voxels[8], np.eye(64, dtype=bool))
    unchanged = {name: digest for name, digest in before.items() if name.startswith(whole)}
    assert unchanged.items() <= state(cleaned).items()
    assert (cleaned / whole / f"{whole}_1.tif").stat().st_nlink == 1
    assert not [path for path in (tmp_path / "out").iterdir() if path != cleaned]


def test_a_cleaned_copy_needs_no_cleaning(few: Path, tmp_path: Path) -> None:
    spoil(few)
    write_cleaned(check_dataset(open_source(few)), tmp_path / "once")
    again = write_cleaned(check_dataset(open_source(tmp_path / "once")), tmp_path / "twice")
    assert again.changes == ()


def test_a_json_name_gives_the_list_alone(few: Path, tmp_path: Path) -> None:
    _, broken, _ = spoil(few)
    write_cleaned(check_dataset(open_source(few)), tmp_path / "list.json")
    listed = json.loads((tmp_path / "list.json").read_text())
    assert ("patient left out", broken) in {(change["action"], change["patient"]) for change in listed["changes"]}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["few", "list.json"]


@pytest.mark.parametrize("place", ["few", "few/inside", "."])
def test_the_data_is_never_written_into(few: Path, tmp_path: Path, place: str) -> None:
    before = state(few)
    with pytest.raises(GliosegError, match="would write into the data"):
        write_cleaned(check_dataset(open_source(few)), tmp_path / place)
    assert state(few) == before


def test_a_full_folder_is_refused(few: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep")
    with pytest.raises(GliosegError, match="not an empty folder"):
        write_cleaned(check_dataset(open_source(few)), tmp_path / "full")


def test_a_copy_that_breaks_off_leaves_nothing(few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = check_dataset(open_source(few))
    copyfile = shutil.copyfile

    def full(source: Path, dest: Path) -> None:
        if source.name.endswith("_5.tif"):
            raise OSError(28, "No space left on device")
        copyfile(source, dest)

    monkeypatch.setattr(cleaning.shutil, "copyfile", full)
    with pytest.raises(GliosegError, match="No space left on device"):
        write_cleaned(result, tmp_path / "cleaned")
    assert [path.name for path in tmp_path.iterdir()] == ["few"]
