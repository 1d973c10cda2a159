from pathlib import Path

import pytest

from glioseg.commands.compare import compare_scores
from glioseg.errors import GliosegError
from glioseg.evaluation.comparison import holm, paired_comparison


def table(path: Path, dice: dict[str, float | None]) -> Path:
    path.parent.mkdir(exist_ok=True)
    rows = [f"{patient},{'' if value is None else value}" for patient, value in dice.items()]
    path.write_text("\n".join(["patient,dice", *rows]) + "\n")
    return path


def test_every_two_models_are_paired_on_the_patients_of_both(tmp_path: Path) -> None:
    a = table(tmp_path / "a.csv", {"P": 0.5, "Q": 0.75, "R": None})
    b = table(tmp_path / "b.csv", {"Q": 0.5, "R": 0.25, "S": 1.0, "P": 0.25})
    c = table(tmp_path / "c.csv", {"T": 0.5})
    found = compare_scores([str(a), str(b), str(c)])
    assert {name: summary.mean for name, summary in found.summaries().items()} == {"a": 0.625, "b": 0.5, "c": 0.5}
    assert [(pair.first, pair.second) for pair in found.pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert found.pairs[0].comparison == paired_comparison([0.5, 0.75, None], [0.25, 0.5, 0.25])
    assert found.pairs[1].comparison.mean_difference is None
    assert [pair.p_holm for pair in found.pairs] == holm([pair.comparison.p_value for pair in found.pairs])


def test_files_of_one_name_are_folds(tmp_path: Path) -> None:
    first, second = table(tmp_path / "1.csv", {"P": 0.5}), table(tmp_path / "2.csv", {"Q": 1.0})
    assert compare_scores([f"new={first}", f"new={second}"]).values == {"new": {"P": 0.5, "Q": 1.0}}


def test_scores_are_named_after_their_folder_and_networks_by_their_table(tmp_path: Path) -> None:
    plain = table(tmp_path / "model" / "scores.csv", {"P": 0.5})
    study = tmp_path / "scores.csv"
    study.write_text("patient,network,width,seed,fold,metric,value\nP,unet,16,0,fold-0,dice,0.5\n")
    assert list(compare_scores([str(plain), str(study), f"old={study}"]).values) == ["model", "unet-16", "old unet-16"]


def test_a_path_with_an_equals_sign_is_a_path(tmp_path: Path) -> None:
    assert list(compare_scores([str(table(tmp_path / "lr=1.csv", {"P": 0.5}))]).values) == ["lr=1"]


def test_a_patient_twice_under_one_name_and_no_file_at_all_are_refused(tmp_path: Path) -> None:
    path = str(table(tmp_path / "a.csv", {"P": 0.5}))
    with pytest.raises(GliosegError, match="patient P was scored already"):
        compare_scores([path, path])
    with pytest.raises(GliosegError, match="no scores are given"):
        compare_scores([])
