import re
from pathlib import Path

import pytest

from glioseg.errors import GliosegError
from glioseg.inference.model import Model
from glioseg.inference.shipped import MODELS_FOLDER, SHIPPED, find_model
from glioseg.volume import Volume


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_model_works_and_has_a_card(name: str, scan: Volume) -> None:
    folder = find_model(name)
    found = Model.load(folder, device="cpu").probabilities(scan)
    assert found.shape == scan.voxels.shape[:3]
    assert 0 <= found.min() <= found.max() <= 1
    card = (folder / "card.md").read_text(encoding="utf-8")
    assert "Not a medical device" in card
    assert "CC BY-NC-SA 4.0" in card


@pytest.mark.parametrize("name", SHIPPED)
def test_its_scores_are_those_of_its_card(name: str) -> None:
    folder = find_model(name)
    rows = (folder / "scores.csv").read_text().splitlines()
    column = rows[0].split(",").index("dice")
    values = [float(row.split(",")[column]) for row in rows[1:]]
    card = (folder / "card.md").read_text(encoding="utf-8")
    assert re.search(r"\| 3-D Dice \| ([0-9.]+) \|", card)[1] == f"{sum(values) / len(values):.3f}"


def test_no_weights_are_larger_than_they_may_be() -> None:
    weights = list(MODELS_FOLDER.rglob("*.safetensors"))
    assert weights
    for path in weights:
        assert path.stat().st_size <= 35 * 2**20


def test_a_path_is_a_model_too(tmp_path: Path) -> None:
    assert find_model(tmp_path) == tmp_path
    assert find_model(str(tmp_path)) == tmp_path


def test_an_unknown_name_is_answered_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(GliosegError) as caught:
        find_model("quick")
    assert "there is no model quick" in str(caught.value)
    assert ", ".join(SHIPPED) in str(caught.value)
    (tmp_path / "file").touch()
    with pytest.raises(GliosegError, match="found a file"):
        find_model(tmp_path / "file")
