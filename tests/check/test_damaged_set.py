"""Damage of many kinds, injected by a seed: what of it is found, and that a clean set raises no alarm."""

import importlib.util
import shutil
import sys
from collections import defaultdict
from pathlib import Path
from types import ModuleType

import pytest

from glioseg.check.dataset_check import CheckResult, check_dataset, open_source
from glioseg.check.finding import Finding


def _load_damage() -> ModuleType:
    """The script beside this file; tests are no package."""
    spec = importlib.util.spec_from_file_location("damage", Path(__file__).with_name("damage.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["damage"] = module
    spec.loader.exec_module(module)
    return module


damage = _load_damage()
Tally = dict[str, list[bool]]


def finds(finding: Finding, injected: "damage.Injected") -> bool:  # type: ignore[name-defined]
    """Whether a finding names the damage, by code, patient and slice."""
    named = {finding.patient, *(patient for patient, _ in finding.others)}
    same_patient = injected.patient in named or (finding.patient or "?") == damage.case_of(injected.patient)
    named_in_file = any(f"_{number}." in (finding.file or "") for number in injected.slices)
    same_slice = not injected.slices or finding.slice_number in injected.slices or named_in_file
    return finding.code == injected.code and same_patient and same_slice


@pytest.fixture(scope="module")
def tally(clean_set: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Tally, CheckResult]:
    """For each kind of damage whether each injection was found, and all that was found."""
    root = tmp_path_factory.mktemp("damaged") / "set"
    shutil.copytree(clean_set, root)
    injected = damage.corrupt(root, seed=1)
    result = check_dataset(open_source(root))
    found: Tally = defaultdict(list)
    for one in injected:
        found[one.kind].append(any(finds(finding, one) for finding in result.findings))
    shutil.rmtree(root)
    return found, result


def recall(found: Tally, kinds: object) -> float:
    hits = [hit for kind in kinds for hit in found.get(kind, [])]  # type: ignore[attr-defined]
    return sum(hits) / len(hits)


def test_the_damage_is_manifold(tally: tuple[Tally, CheckResult]) -> None:
    found, _ = tally
    assert len(found) >= 30
    assert sum(map(len, found.values())) >= 200


def test_structural_damage_is_found(tally: tuple[Tally, CheckResult]) -> None:
    found, _ = tally
    assert recall(found, [*damage.STRUCTURE, "no contour", "scaled to 0 and 1", "row lost", "mask smoothed"]) >= 0.95


def test_damage_of_images_is_found(tally: tuple[Tally, CheckResult]) -> None:
    found, _ = tally
    print({kind: f"{sum(hits)} of {len(hits)}" for kind, hits in found.items()})
    assert recall(found, damage.CONTENT) >= 0.85
    assert recall(found, ["post copied", "upside down", "too bright", "patient copied"]) == 1


def test_damage_of_labels_is_found(tally: tuple[Tally, CheckResult]) -> None:
    found, _ = tally
    assert recall(found, damage.LABELS) >= 0.85


def test_a_clean_set_has_no_error_and_few_warnings(clean_result: CheckResult) -> None:
    assert [finding for finding in clean_result.findings if finding.severity == "error"] == []
    doubtful = [one for one in clean_result.findings if one.severity == "warning" and one.code != "sequence_copied"]
    assert len(doubtful) <= 6


def test_copied_sequences_of_practice_patients_are_found_exactly(clean_set: Path, clean_result: CheckResult) -> None:
    from glioseg.dataset.phantom import missing_sequences

    patients = sorted(path.name for path in clean_set.iterdir() if path.is_dir())
    by_case = {int(patient.split("_")[2]) - 1: patient for patient in patients}
    expected = {by_case[k]: " ".join(missing_sequences(0, k)) for k in by_case if missing_sequences(0, k)}
    copied = [finding for finding in clean_result.findings if finding.code == "sequence_copied"]
    assert {finding.patient: finding.evidence["copies"] for finding in copied} == expected
    assert all(finding.evidence["original"] == "flair" for finding in copied)


def test_hidden_files_are_no_finding(few: Path) -> None:
    """Data check and training agree on what is nobody's."""
    before = check_dataset(open_source(few))
    for path in list(few.glob("*/*.tif")):
        path.with_name(f"._{path.name}").write_bytes(b"\x00\x05\x16\x07")
    (few / "Thumbs.db").write_bytes(b"\xd0\xcf")
    (few / "__MACOSX").mkdir()
    after = check_dataset(open_source(few))
    assert after.findings == before.findings
    assert after.files == before.files
