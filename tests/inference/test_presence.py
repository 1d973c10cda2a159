import pytest
from pydantic import ValidationError

from glioseg.inference.evidence import Evidence
from glioseg.inference.presence import PresenceRule

RULE = PresenceRule(intercept=-3, weights={"expected_dice": 6}, none_below=0.2, present_from=0.6)


@pytest.mark.parametrize(("expected", "presence"), [(0.1, "none"), (0.5, "doubtful"), (0.9, "present")])
def test_the_chance_decides(expected: float, presence: str) -> None:
    finding = RULE.judge(Evidence(expected_dice=expected, components=1))
    assert finding.presence == presence
    assert finding.as_json()["presence"] == presence


def test_the_chance_is_the_logistic_function() -> None:
    assert RULE.chance(Evidence(expected_dice=0.5, components=1)) == pytest.approx(0.5)
    assert RULE.chance(Evidence(expected_dice=0.9, components=1)) == pytest.approx(0.9168, abs=1e-4)


def test_where_nothing_was_found_there_is_none() -> None:
    always = RULE.model_copy(update={"none_below": 0.0, "present_from": 0.0})
    assert always.judge(Evidence()).presence == "none"
    assert always.chance(Evidence()) == 0


def test_a_rule_of_unknown_evidence_or_crossed_thresholds_is_refused() -> None:
    with pytest.raises(ValidationError, match="no evidence shoe_size"):
        PresenceRule(intercept=0, weights={"shoe_size": 1}, none_below=0, present_from=1)
    with pytest.raises(ValidationError, match="lies above"):
        PresenceRule(intercept=0, weights={}, none_below=0.5, present_from=0.1)


def test_a_rule_comes_back_from_its_json() -> None:
    assert PresenceRule.model_validate_json(RULE.model_dump_json()) == RULE
