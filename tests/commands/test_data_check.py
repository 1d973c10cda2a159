"""The check as the command line has it: what it prints and writes, and its exit code."""

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from glioseg.cli import main
from glioseg.dataset.lgg import find_patients
from glioseg.formats.tif import read_mask_slice


def run(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["glioseg", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_whole_set_ends_with_0_and_a_damaged_one_with_1(
    few_slices: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "data", "check", few_slices) == 0
    assert "3 patients: 0 errors" in capsys.readouterr().out
    mask = find_patients(few_slices)[1].masks[2]
    mask.unlink()
    assert run(monkeypatch, "data", "check", few_slices, "--json") == 1
    found = json.loads(capsys.readouterr().out)
    errors = [finding for finding in found["findings"] if finding["severity"] == "error"]
    number = int(mask.stem.split("_")[-2])
    assert [(one["code"], one["slice"]) for one in errors] == [("mask_missing", number)]
    assert found["counts"]["error"] == 1
    assert found["statistics"]["patients"] == 3


def test_a_leak_between_the_parts_of_a_split_is_an_error(
    few_slices: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, third = (files.patient for files in find_patients(few_slices))
    copied = find_patients(few_slices)[0].images[3]
    shutil.copy(copied, find_patients(few_slices)[1].images[0])
    split = few_slices.parent / "split.json"
    for train, test, code in (([first, second], [third], 0), ([first], [second, third], 1)):
        split.write_text(json.dumps({"train": train, "validation": [], "test": test}))
        assert run(monkeypatch, "data", "check", few_slices, "--split", split, "--json") == code
        found = json.loads(capsys.readouterr().out)["findings"]
        shared = [one for one in found if one["code"] in ("split_leak", "slice_shared")]
        assert [(one["code"], one["patient"]) for one in shared] == [("split_leak" if code else "slice_shared", first)]
        assert [other["patient"] for other in shared[0]["others"]] == [second]


def test_the_page_holds_the_findings_with_images_and_needs_no_other_file(
    few_slices: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = find_patients(few_slices)[2]
    inside = read_mask_slice(files.masks[2])
    tifffile.imwrite(files.masks[2], inside.astype(np.uint8), photometric="minisblack", metadata=None)
    page, print_ = few_slices.parent / "page.html", few_slices.parent / "print.json"
    assert run(monkeypatch, "data", "check", few_slices, "--html", page, "--statistics", print_) == 1
    text = page.read_text(encoding="utf-8")
    assert "Mask that is not binary" in text
    assert "data:image/png;base64," in text
    assert "The set at a glance" in text
    assert not re.findall(r'(?:src|href)="(?!data:|#)', text)
    assert len(text) < 2_000_000
    assert json.loads(print_.read_text())["sites"]


def test_predictions_on_disk_give_a_ranked_list(
    few_slices: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    truths = {
        files.patient: np.stack([read_mask_slice(path) for path in files.masks]) for files in find_patients(few_slices)
    }
    np.savez(few_slices.parent / "masks.npz", **truths)  # type: ignore[arg-type]
    spoilt = find_patients(few_slices)[0]
    path = spoilt.masks[2]
    tifffile.imwrite(path, np.zeros_like(tifffile.imread(path)), photometric="minisblack", metadata=None)
    run(monkeypatch, "data", "check", few_slices, "--probabilities", few_slices.parent / "masks.npz", "--json")
    found = json.loads(capsys.readouterr().out)["findings"]
    suspects = [(one["patient"], one["file"], one["slice"]) for one in found if one["code"] == "label_suspect"]
    assert suspects == [(spoilt.patient, None, int(path.stem.split("_")[-2]))]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["nowhere"], "holds no patient"),
        (["few_slices", "--fix", "few_slices"], "would write into the data"),
        (["few_slices", "--split", "none.json"], "does not exist"),
        (["few_slices", "--probabilities", "few_slices"], "holds no probabilities"),
        (["few_slices", "--model", "a", "--probabilities", "b"], "exclude each other"),
    ],
)
def test_a_mistake_of_the_user_is_one_line(
    few_slices: Path,
    words: list[str],
    named: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(few_slices.parent)
    assert run(monkeypatch, "data", "check", *words) == 2
    assert named in capsys.readouterr().err.splitlines()[-1]
