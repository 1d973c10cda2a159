"""What CONTRIBUTING says of a new metric: one entry is enough, and scores from before are still read."""

from pathlib import Path

import numpy as np
import pytest

from glioseg.errors import GliosegError
from glioseg.evaluation import definitions
from glioseg.evaluation.definitions import Metric
from glioseg.evaluation.mask_overlap import ratio
from glioseg.evaluation.score_files import read_patient_values
from glioseg.evaluation.scores import NOT_MEASURED, Scores, score_patient
from glioseg.volume import Mask


def scores() -> Scores:
    predicted, true = np.zeros((2, 1, 4, 6), bool)
    predicted[:, 1:3, 1:3], true[:, 1:3, 1:5] = True, True
    return Scores((score_patient(Mask("A", predicted), Mask("A", true)),))


@pytest.fixture
def before() -> str:
    return scores().to_json()


@pytest.fixture
def _one_metric_more(before: str, monkeypatch: pytest.MonkeyPatch) -> None:
    jaccard = Metric("jaccard", "Jaccard", "", "|P and T| / |P or T|; undefined where both are empty.", "higher")
    entry = jaccard, lambda masks: ratio(masks.both, masks.predicted + masks.true - masks.both)
    monkeypatch.setattr(definitions, "_OVERLAP", (*definitions._OVERLAP, entry))


@pytest.mark.usefixtures("_one_metric_more")
def test_it_is_measured_written_and_read(tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text(scores().to_json())
    (tmp_path / "scores.csv").write_text(scores().to_csv())
    for name in ("scores.json", "scores.csv"):
        assert read_patient_values(tmp_path / name, "jaccard") == {"": {"A": 0.5}}
    assert scores().summary()["jaccard"].mean == 0.5
    assert "jaccard" in scores().measured()


@pytest.mark.usefixtures("_one_metric_more")
def test_scores_from_before_are_read_and_lack_it(before: str, tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text(before)
    old = Scores.from_json(before)
    assert old.patients[0].values == {**scores().patients[0].values, "jaccard": None}
    assert old.patients[0].undefined == {**scores().patients[0].undefined, "jaccard": NOT_MEASURED}
    assert Scores.from_json(old.to_json()) == old
    assert "jaccard" not in old.measured()
    with pytest.raises(GliosegError, match="holds no jaccard"):
        read_patient_values(tmp_path / "old.json", "jaccard")
    assert read_patient_values(tmp_path / "old.json", "dice") == {"": {"A": pytest.approx(2 / 3)}}


def test_a_value_that_the_own_table_of_a_file_names_is_damage(before: str) -> None:
    with pytest.raises(GliosegError, match="the metrics do not fit the settings"):
        Scores.from_json(before.replace('"dice": 0.66', '"dise": 0.66', 1))
