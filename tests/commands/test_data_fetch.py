import shutil
from pathlib import Path

import pytest

from glioseg.commands.data_fetch import DATASET, fetch
from glioseg.errors import GliosegError

CLIENT = """#!/bin/sh
echo "$@" > {told}
while [ $# -gt 1 ]; do shift; done
mkdir -p "$1/kaggle_3m" && cp -r {data}/PHANTOM* "$1/kaggle_3m"
{end}
"""


def client(folder: Path, monkeypatch: pytest.MonkeyPatch, data: Path, end: str = "") -> None:
    """A stand-in for Kaggle's client, alone on the path with what it needs itself."""
    (folder / "bin").mkdir()
    path = folder / "bin" / "kaggle"
    path.write_text(CLIENT.format(told=folder / "told", data=data, end=end))
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")


def test_the_clients_folder_becomes_the_dataset(
    few_slices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client(tmp_path, monkeypatch, few_slices)
    assert fetch(tmp_path / "lgg") == 3
    assert (tmp_path / "told").read_text().startswith(f"datasets download {DATASET} --unzip --path ")
    assert len(list((tmp_path / "lgg" / "kaggle_3m").iterdir())) == 3


def test_what_the_client_says_of_its_failure_is_told_and_nothing_stays(
    few_slices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client(tmp_path, monkeypatch, few_slices, end="echo '401 - Unauthorized' >&2; exit 1")
    with pytest.raises(GliosegError, match="found 401 - Unauthorized") as caught:
        fetch(tmp_path / "lgg")
    assert f"https://www.kaggle.com/datasets/{DATASET}" in str(caught.value)
    assert not (tmp_path / "lgg").exists()
    assert not list(tmp_path.glob(".lgg*"))


def test_without_the_client_two_lines_say_how_to_fetch_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(GliosegError) as caught:
        fetch(tmp_path / "lgg")
    first, second = str(caught.value).splitlines()
    assert "pip install kaggle" in first
    assert f"https://www.kaggle.com/datasets/{DATASET}" in second
    assert str(tmp_path / "lgg") in second


def test_a_folder_that_holds_something_is_left_alone(few_slices: Path) -> None:
    with pytest.raises(GliosegError, match="is not an empty folder"):
        fetch(few_slices)
