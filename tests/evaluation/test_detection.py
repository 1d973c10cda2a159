import pytest
from hypothesis import given
from hypothesis import strategies as st

from glioseg.evaluation.detection import Rate, auroc, detection


def test_sensitivity_and_specificity_by_hand() -> None:
    found = detection([True, True, True, False, False], [True, True, False, True, False], [0.9, 0.8, 0.3, 0.5, 0.1])
    assert (found.sensitivity, found.specificity) == (Rate(2, 3), Rate(1, 2))
    assert found.auroc == pytest.approx(5 / 6)


def test_of_one_kind_alone_the_other_is_undefined() -> None:
    found = detection([True, True], [True, False], [0.9, 0.1])
    assert found.specificity.share is None
    assert found.specificity.interval is None
    assert found.specificity.as_json() == {"hits": 0, "of": 0, "share": None, "ci_low": None, "ci_high": None}
    assert found.auroc is None


def test_wilson_interval_of_ten_of_ten() -> None:
    """Wilson 1927: 10 of 10 reach down to 10 / (10 + 1.96^2)."""
    low, high = Rate(10, 10).interval or (0, 0)
    assert (low, high) == (pytest.approx(10 / (10 + 1.959964**2), abs=1e-6), 1)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=2, max_size=30))
def test_auroc_is_the_share_of_pairs_in_the_right_order(patients: list[tuple[bool, float]]) -> None:
    truth, chances = [tumour for tumour, _ in patients], [chance for _, chance in patients]
    pairs = [(a > b) + (a == b) / 2 for t, a in patients for u, b in patients if t and not u]
    expected = sum(pairs) / len(pairs) if pairs else None
    assert auroc(truth, chances) == (None if expected is None else pytest.approx(expected))
