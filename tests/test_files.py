import os
from pathlib import Path

import pytest

from glioseg.files import entries, is_hidden, readable, visible_files, walk


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def below(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in walk(root))


@pytest.mark.parametrize("name", ["._P1_1.tif", ".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX", ".git"])
def test_what_systems_leave_behind_is_hidden(tmp_path: Path, name: str) -> None:
    touch(tmp_path, "a.nii", f"sub/{name}", f"{name}2/a.nii" if name.startswith(".") else "b/a.nii")
    assert is_hidden(name)
    assert name not in [path.name for path in entries(tmp_path / "sub")]
    assert [path.name for path in visible_files(tmp_path)] == ["a.nii"] + ["a.nii"] * (not name.startswith("."))
    assert f"sub/{name}" in below(tmp_path)


def test_a_link_to_a_folder_is_followed(tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere", "P1/a.nii")
    touch(tmp_path / "in", "P2/b.nii")
    (tmp_path / "in" / "P1").symlink_to(tmp_path / "elsewhere" / "P1")
    (tmp_path / "in" / "c.nii").symlink_to(tmp_path / "elsewhere" / "P1" / "a.nii")
    assert below(tmp_path / "in") == ["P1/a.nii", "P2/b.nii", "c.nii"]


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    touch(tmp_path, "beside.nii", "in/P1/a.nii", "in/P2/b.nii")
    (tmp_path / "in" / "P1" / "up").symlink_to(tmp_path)
    (tmp_path / "in" / "P1" / "self").symlink_to(tmp_path / "in" / "P1")
    (tmp_path / "in" / "P1" / "other").symlink_to(tmp_path / "in" / "P2")
    (tmp_path / "in" / "P2" / "back").symlink_to(tmp_path / "in" / "P1")
    assert below(tmp_path / "in") == ["P1/a.nii", "P2/b.nii"]


def test_what_lies_there_itself_comes_before_a_link_to_it(tmp_path: Path) -> None:
    touch(tmp_path, "real/a.nii")
    (tmp_path / "another").symlink_to(tmp_path / "real")
    assert below(tmp_path) == ["real/a.nii"]


def test_a_link_to_nothing_is_a_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "gone.nii").symlink_to(tmp_path / "nowhere")
    assert below(tmp_path) == ["gone.nii"]
    assert visible_files(tmp_path) == []


def test_names_of_any_encoding_become_text() -> None:
    assert readable(os.fsdecode("Müller–1".encode("cp1252"))) == "Müller–1"
    assert readable("Müller 山田") == "Müller 山田"
    readable(os.fsdecode(bytes(range(1, 256)))).encode()


def test_what_readers_made_of_masks_is_left_to_those_who_name_it(tmp_path: Path) -> None:
    for name in ("a.tif", "review/review.sqlite", "review/ann/a.tif", "other/review/b.tif"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in visible_files(tmp_path)]
    assert found == ["a.tif", "other/review/b.tif"]
    assert [path.name for path in visible_files(tmp_path / "review")] == ["a.tif", "review.sqlite"]
