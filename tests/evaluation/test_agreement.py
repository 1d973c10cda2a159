import pytest

from glioseg.evaluation.agreement import cohens_kappa


def test_kappa_of_cohens_kind() -> None:
    """Of 50 cases both say yes to 20 and no to 15: the textbook's example, 0.4."""
    pairs = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15
    assert cohens_kappa(*zip(*pairs, strict=True)) == pytest.approx(0.4)


def test_kappa_of_full_agreement_of_chance_and_of_nothing() -> None:
    assert cohens_kappa([True, False], [True, False]) == 1
    assert cohens_kappa([True, True, False, False], [True, False, True, False]) == 0
    assert cohens_kappa([True, True], [True, True]) is None
    assert cohens_kappa([], []) is None
