import errno
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest

from glioseg.commands.presence import (
    CARD,
    EXAMPLES,
    HEADING,
    decisions_under_domain_shift,
    examples_as_csv,
    fit_examples,
    fit_model,
    read_examples,
    write_rule,
    write_section,
)
from glioseg.dataset.lgg import find_patients
from glioseg.dataset.splits import Split, save_split
from glioseg.errors import GliosegError
from glioseg.inference.contract import CONTRACT, load_contract
from glioseg.inference.evidence import Evidence
from glioseg.inference.presence import PresenceRule
from glioseg.training.presence import Example


@pytest.fixture
def known() -> list[Example]:
    rng = np.random.default_rng(0)
    return [
        Example(
            f"P{index}",
            "home" if index < 10 else "elsewhere",
            tumour,
            Evidence(round(float(rng.uniform(0.6, 0.9) if tumour else rng.uniform(0, 0.5)), 3), 20.0, 1, 0.9, 0.7),
        )
        for index in range(12)
        for tumour in (True, False)
    ]


def test_examples_come_back_from_their_table(known: list[Example], tmp_path: Path) -> None:
    (tmp_path / EXAMPLES).write_text(examples_as_csv(known))
    assert read_examples(tmp_path / EXAMPLES) == known


def test_a_damaged_or_missing_table_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    (tmp_path / "huge.csv").write_text("a\n" + "1" * 200_000)
    for name in ("other.csv", "huge.csv", "missing.csv"):
        with pytest.raises(GliosegError, match="no examples of tumours") as caught:
            read_examples(tmp_path / name)
        assert "--data" in str(caught.value.remedy)


def test_data_without_the_patients_of_the_model_and_an_empty_folder_are_refused_before_anything_is_predicted(
    few_slices: Path, untrained_bundle: Path, tmp_path: Path
) -> None:
    model = shutil.copytree(untrained_bundle, tmp_path / "model")
    first, second, third = (files.patient for files in find_patients(few_slices))
    save_split(Split("mine", (first,), (second,), ("PHANTOM_DU_9999_19990101",)), model / "split.json")
    with pytest.raises(GliosegError, match=r"lacks 1 patients that tested the model: found no PHANTOM_DU_9999"):
        fit_model(model, few_slices)
    save_split(Split("mine", (first,), (second,), (third,)), model / "split.json")
    (tmp_path / "empty").mkdir()
    said: list[str] = []
    with pytest.raises(GliosegError, match="empty holds no patient"):
        fit_model(model, few_slices, tumour_free=[tmp_path / "empty"], progress=said.append)
    assert said == []


def test_a_model_that_cannot_be_written_is_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(dir: Path) -> None:
        assert dir == tmp_path
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", forbidden)
    with pytest.raises(GliosegError, match=r"cannot write into .*: Permission denied\. Copy the folder of the model"):
        fit_model(tmp_path, tmp_path / "no data")


@pytest.mark.parametrize(("intercept", "said"), [(5, "present"), (0, "doubtful"), (-5, "none")])
def test_decisions_under_domain_shift_are_counted_and_nothing_is_written(
    few_slices: Path, untrained_bundle: Path, tmp_path: Path, intercept: float, said: str
) -> None:
    model = shutil.copytree(untrained_bundle, tmp_path / "model")
    first, second, third = (files.patient for files in find_patients(few_slices))
    save_split(Split("mine", (first,), (), (second, third)), model / "split.json")
    with pytest.raises(GliosegError, match="does not tell whether there is a tumour"):
        decisions_under_domain_shift(model, few_slices)
    write_rule(model, PresenceRule(intercept=intercept, weights={}, none_below=0.2, present_from=0.8))
    before = {path: path.read_bytes() for path in model.iterdir()}
    lines: list[str] = []
    found = decisions_under_domain_shift(model, few_slices, progress=lines.append)
    assert found["with tumour"] == {"present": 0, "doubtful": 0, "none": 0, "refused": 0, said: 2}
    assert found["tumour removed"].total() == found["tumour removed"][said] <= 2
    assert [line.split(",")[0] for line in lines] == [f"[1] {second}", f"[2] {third}"]
    assert {path: path.read_bytes() for path in model.iterdir()} == before


def test_the_rule_goes_into_the_contract_and_the_operating_points_into_the_card(
    known: list[Example], tmp_path: Path, untrained_bundle: Path
) -> None:
    (tmp_path / EXAMPLES).write_text(examples_as_csv(known))
    contract = load_contract(untrained_bundle)
    (tmp_path / CONTRACT).write_text(contract.model_dump_json())
    (tmp_path / CARD).write_text("# A model\n\n## Scores\n\nGood.\n")
    outcome = fit_model(tmp_path)
    assert load_contract(tmp_path) == contract.model_copy(update={"presence": outcome.rule})
    card = (tmp_path / CARD).read_text()
    assert card.startswith("# A model\n\n## Scores\n\nGood.\n\n## Presence\n")
    assert outcome.rates()["home, tumour"]["present"].of == 10
    assert outcome.rates()["elsewhere, none"]["none"].of == 2
    fit_model(tmp_path)
    assert (tmp_path / CARD).read_text() == card


def test_a_section_in_the_middle_of_a_card_is_replaced(known: list[Example], tmp_path: Path) -> None:
    card = tmp_path / CARD
    card.write_text(f"# A\n\n{HEADING}\n\nOld.\n\n## Last\n\nKept.\n")
    write_section(card, fit_examples(known))
    assert "Old." not in card.read_text()
    assert "## Last\n\nKept." in card.read_text()
    assert card.read_text().count(HEADING) == 1


def test_without_either_kind_there_is_no_rule(known: list[Example]) -> None:
    with pytest.raises(GliosegError, match="cannot be fitted"):
        fit_examples([example for example in known if example.tumour])


def test_rates_as_json_are_strict(known: list[Example]) -> None:
    outcome = fit_examples(known)
    rates = {kind: {n: r.as_json() for n, r in of.items()} for kind, of in outcome.rates().items()}
    assert json.loads(json.dumps(rates, allow_nan=False)) == rates
