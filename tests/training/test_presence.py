import numpy as np

from glioseg.inference.evidence import Evidence
from glioseg.training.presence import Example, fit_presence, left_out_chances


def examples(number: int, *, elsewhere: int = 0) -> list[Example]:
    """Tumours are large and expected well, but for noise."""
    rng = np.random.default_rng(0)
    found = []
    for index in range(number + elsewhere):
        kind = "home" if index < number else "elsewhere"
        for tumour in (True, False):
            expected = float(np.clip(rng.normal(0.8 if tumour else 0.3, 0.12), 0, 1))
            volume = float(rng.uniform(10, 80) if tumour else rng.uniform(0, 15))
            evidence = Evidence(expected_dice=expected, volume_ml=volume, components=1, mean=0.6, peak=0.9)
            found.append(Example(f"{kind}-{index}", kind, tumour, evidence))
    return found


def test_tumours_are_told_from_none_in_people_who_were_left_out() -> None:
    known = examples(40, elsewhere=3)
    rule, chances = fit_presence(known), left_out_chances(known)
    truth = np.array([example.tumour for example in known])
    assert (chances[truth] < rule.none_below).mean() <= 0.01
    assert (chances[truth] >= rule.present_from).mean() >= 0.95
    assert (chances[~truth] >= rule.present_from).mean() <= 0.1
    assert rule.fitted_on == {"home, tumour": 40, "home, none": 40, "elsewhere, tumour": 3, "elsewhere, none": 3}


def test_a_person_is_told_by_a_rule_that_does_not_know_them() -> None:
    """The answer that stands beside a person's own examples changes nothing for them."""
    known = examples(12, elsewhere=2)
    odd = [
        Example(e.person, e.kind, not e.tumour if e.person == "elsewhere-13" else e.tumour, e.evidence) for e in known
    ]
    for before, after, example in zip(left_out_chances(known), left_out_chances(odd), known, strict=True):
        if example.person == "elsewhere-13":
            assert before == after


def test_two_of_a_person_weigh_as_one() -> None:
    once = examples(10)
    twice = [*once, *(e for e in once if e.person == "home-3")]
    one, other = fit_presence(once), fit_presence(twice)
    np.testing.assert_allclose(list(one.weights.values()), list(other.weights.values()), rtol=0.25, atol=0.2)


def test_where_nothing_was_found_nothing_is_learnt() -> None:
    known = examples(10)
    empty = [Example(f"none-{n}", "home", False, Evidence()) for n in range(5)]
    assert fit_presence([*known, *empty]).weights == fit_presence(known).weights
    assert (left_out_chances([*known, *empty])[-5:] == 0).all()
