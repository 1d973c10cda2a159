from collections.abc import Callable
from pathlib import Path

import pytest

from glioseg.errors import GliosegError
from glioseg.study.plan import ModelConfiguration
from glioseg.study.table import StudyTable

UNET, RESUNET_A = ModelConfiguration("unet", 32), ModelConfiguration("resunet-a", 16)


def test_files_keep_every_digit_and_every_gap(make_table: Callable[..., StudyTable], tmp_path: Path) -> None:
    table = make_table({UNET: [[1 / 3, None], [0.1, 0.0]], RESUNET_A: [[0.7, 1.0], [0.2, None]]})
    table.write(tmp_path / "scores.csv", tmp_path / "patients.csv")
    assert StudyTable.read(tmp_path / "scores.csv", tmp_path / "patients.csv") == table
    first = (tmp_path / "scores.csv").read_text().splitlines()
    assert first[0] == "patient,network,width,seed,fold,metric,value"
    assert first[1] == f"TCGA_CS_0000_20000101,unet,32,0,fold-0,dice,{1 / 3!r}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "is no table of a study: expected columns patient, network"),
        ("", "found nothing"),
        ("x" * 200_000, "cannot be read: field larger"),
        ("\udcff", "cannot be read: .* can't decode"),
        ("patient,network,width,seed,fold,metric,value\np,unet,x,0,f,dice,1\n", "has a damaged row"),
        ("patient,network,width,seed,fold,metric,value\np,unet,32,0,f,dice,high\n", "has a damaged row"),
    ],
)
def test_what_is_no_table_is_refused(
    make_table: Callable[..., StudyTable], tmp_path: Path, text: str, message: str
) -> None:
    make_table({UNET: [0.5]}).write(tmp_path / "scores.csv", tmp_path / "patients.csv")
    (tmp_path / "scores.csv").write_text(text, errors="surrogateescape")
    with pytest.raises(GliosegError, match=message):
        StudyTable.read(tmp_path / "scores.csv", tmp_path / "patients.csv")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match=r"scores\.csv cannot be read"):
        StudyTable.read(tmp_path / "scores.csv", tmp_path / "patients.csv")
