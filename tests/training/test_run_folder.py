import csv
from pathlib import Path

import pytest

from glioseg.errors import GliosegError
from glioseg.training.run_folder import HISTORY_COLUMNS, RunFolder, read_history, write_history


def row(epoch: int, **values: float | None) -> dict[str, float | None]:
    usual: dict[str, float | None] = dict.fromkeys(HISTORY_COLUMNS, 0.5)
    return {**usual, "epoch": epoch, "step": 10 * epoch, **values}


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_part_has_a_place_of_its_own(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    names = ("config", "split", "checkpoint", "log", "learning_curve", "bundle", "scores")
    places = {getattr(folder, name) for name in names}
    assert len(places) == len(names)
    assert {place.parent for place in places} == {tmp_path}


def test_a_row_for_each_epoch(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    write_history(path, [row(1, validation_dice=None, learning_rate=2e-3), row(2, loss=1 / 3)])
    first, second = read(path)
    assert tuple(first) == HISTORY_COLUMNS
    assert (first["epoch"], first["step"], first["validation_dice"], first["learning_rate"]) == ("1", "10", "", "0.002")
    assert (second["epoch"], second["loss"]) == ("2", "0.333333")


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"epoch,step\n1,two\n", b"epoch\n1,2,3\n", b'epoch\n"' + b"1" * 200_000]
)
def test_a_damaged_log_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "log.csv").write_bytes(content)
    with pytest.raises(GliosegError, match=r"log\.csv cannot be read: expected the log of a training"):
        read_history(tmp_path / "log.csv")


def test_a_zero_is_no_gap(tmp_path: Path) -> None:
    write_history(tmp_path / "log.csv", [row(1, validation_dice=0.0)])
    assert read(tmp_path / "log.csv")[0]["validation_dice"] == "0"


def test_a_step_keeps_all_its_digits(tmp_path: Path) -> None:
    write_history(tmp_path / "log.csv", [row(1, step=1_234_567)])
    assert read(tmp_path / "log.csv")[0]["step"] == "1234567"


def test_is_written_anew_each_time(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    write_history(path, [row(1), row(2), row(3)])
    write_history(path, [row(1), row(2)])
    assert [entry["epoch"] for entry in read(path)] == ["1", "2"]


def test_before_the_first_epoch_there_is_a_header_alone(tmp_path: Path) -> None:
    write_history(tmp_path / "log.csv", [])
    assert (tmp_path / "log.csv").read_text() == ",".join(HISTORY_COLUMNS) + "\n"
