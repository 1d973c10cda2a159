"""``glioseg export`` calibrates on patients that the network has seen and compares on those it has not."""

from pathlib import Path
from typing import Any

import pytest

from glioseg.commands import export as module
from glioseg.commands.export import export
from glioseg.dataset.splits import Split, save_split
from glioseg.errors import GliosegError
from glioseg.inference.contract import SPLIT


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the export was asked for, by names of patients."""
    found: dict[str, Any] = {}

    def keep(bundle: Path, out: Path, form: str, **settings: Any) -> None:
        for part in ("patients", "calibration"):
            found[part] = {patient.volume.patient for patient in settings[part]}

    monkeypatch.setattr(module, "export_bundle", keep)
    return found


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def bundle_of(folder: Path, train: list[str], test: list[str]) -> Path:
    folder.mkdir()
    save_split(Split("mine", tuple(train), (), tuple(test)), folder / SPLIT)
    return folder


def test_who_was_trained_on_calibrates_and_who_was_held_back_is_compared(
    few_slices: Path, tmp_path: Path, asked: dict[str, Any]
) -> None:
    first, second, *_ = names(few_slices)
    bundle = bundle_of(tmp_path / "bundle", [first], [second])
    export(bundle, "onnx", tmp_path / "new", int8=True, patients=few_slices)
    assert asked == {"patients": {second}, "calibration": {first}}
    export(bundle, "onnx", tmp_path / "new", patients=few_slices)
    assert asked == {"patients": {second}, "calibration": set()}


def test_without_a_split_or_one_of_its_parts_all_serve_for_both(
    few_slices: Path, tmp_path: Path, asked: dict[str, Any]
) -> None:
    everyone = set(names(few_slices))
    strange = bundle_of(tmp_path / "strange", ["TCGA_XX_0000_20000101"], sorted(everyone))
    plain = tmp_path / "plain"
    plain.mkdir()
    for bundle in (strange, plain):
        export(bundle, "onnx", tmp_path / "new", int8=True, patients=few_slices)
        assert asked == {"patients": everyone, "calibration": set()}


def test_test_patients_alone_are_refused(few_slices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = bundle_of(tmp_path / "bundle", [], [])
    monkeypatch.setattr(module, "PUBLISHED_TEST_CASES", {"_".join(name.split("_")[:3]) for name in names(few_slices)})
    with pytest.raises(GliosegError, match="holds only test patients"):
        export(bundle, "onnx", tmp_path / "new", patients=few_slices)
