"""What the check calls an error, training refuses, and the reverse."""

from collections.abc import Callable
from pathlib import Path

import pytest
import tifffile

from glioseg.check.cleaning import write_cleaned
from glioseg.check.dataset_check import check_dataset, open_source
from glioseg.dataset.lgg import find_patients, read_clinical
from glioseg.dataset.store import open_store
from glioseg.errors import GliosegError


def leave(root: Path) -> None:
    """Nothing is wrong."""


def save_as_excel_does(root: Path) -> None:
    text = (root / "data.csv").read_text().replace("Patient,", "Patient,M\u00fcnster,", 1)
    (root / "data.csv").write_bytes(text.encode("cp1252"))


def rename_column(root: Path) -> None:
    (root / "data.csv").write_text((root / "data.csv").read_text().replace("Patient", "Person", 1))


def garble_table(root: Path) -> None:
    (root / "data.csv").write_bytes(b"\x81\x8d\x8f")


def crop_a_patient(root: Path) -> None:
    folder = next(path for path in sorted(root.iterdir()) if path.is_dir())
    for path in folder.glob("*.tif"):
        pixels = tifffile.imread(path)[:56, :48].copy()
        tifffile.imwrite(path, pixels, photometric="rgb" if pixels.ndim == 3 else "minisblack", metadata=None)


@pytest.mark.parametrize(
    ("change", "is_wrong"),
    [
        (leave, False),
        (save_as_excel_does, False),
        (rename_column, True),
        (garble_table, True),
        (crop_a_patient, True),
    ],
)
def test_the_check_and_training_agree(
    few: Path, tmp_path: Path, change: Callable[[Path], None], is_wrong: bool
) -> None:
    change(few)
    result = check_dataset(open_source(few))
    assert any(finding.severity == "error" for finding in result.findings) is is_wrong
    if is_wrong:
        with pytest.raises(GliosegError):
            open_store(few, cache=tmp_path / "cache")
    else:
        assert len(open_store(few, cache=tmp_path / "cache").patients) == 3


def test_a_table_in_windows_1252_is_read(few: Path) -> None:
    before = {case: row["gender"] for case, row in read_clinical(few).items()}
    save_as_excel_does(few)
    after = read_clinical(few)
    assert all("M\u00fcnster" in row for row in after.values())
    assert after.keys() == before.keys()


def test_the_cleaned_copy_lacks_the_patient_of_another_size(few: Path, tmp_path: Path) -> None:
    crop_a_patient(few)
    write_cleaned(check_dataset(open_source(few)), tmp_path / "clean")
    assert len(find_patients(tmp_path / "clean")) == 2
