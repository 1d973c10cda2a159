"""What a study says, against tables whose answer is known."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from glioseg.study.analysis import analyse, patient_means
from glioseg.study.plan import ModelConfiguration
from glioseg.study.table import StudyTable

UNET, RESUNET_A, RESUNET_PP = (
    ModelConfiguration("unet", 32),
    ModelConfiguration("resunet-a", 16),
    ModelConfiguration("resunet-pp", 16),
)
Make = Callable[..., StudyTable]

HARD_TO_EASY = [0.30, 0.55, 0.62, 0.70, 0.74, 0.78, 0.80, 0.83, 0.86, 0.90]


def lower(by: float, growing: float = 0.0) -> list[float]:
    return [value - by - growing * i for i, value in enumerate(HARD_TO_EASY)]


def test_a_network_better_on_every_patient_wins(make_table: Make) -> None:
    analysis = analyse(make_table({RESUNET_A: lower(0.05, 0.001), UNET: HARD_TO_EASY, RESUNET_PP: lower(0.1, 0.002)}))
    assert analysis.configurations == (UNET, RESUNET_A, RESUNET_PP)
    assert analysis.ranks == {UNET: (1, 0, 0), RESUNET_A: (0, 1, 0), RESUNET_PP: (0, 0, 1)}
    first, second, third = analysis.pairs["dice"]
    assert (first.first, first.second) == (UNET, RESUNET_A)
    assert (first.comparison.wins, first.comparison.losses, first.comparison.ties) == (10, 0, 0)
    assert first.comparison.mean_difference == pytest.approx(0.05 + 0.001 * 4.5)
    # Ten differences of one sign: of the 2^10 ways to give signs, 2 are as extreme.
    assert first.comparison.p_value == pytest.approx(2 / 2**10)
    assert [pair.p_holm for pair in (first, second, third)] == pytest.approx([3 * 2 / 2**10] * 3)
    assert all(pair.is_shown for pair in (first, second, third))


def test_boundary_metric_is_compared_too_and_adjusted_by_itself(make_table: Make) -> None:
    analysis = analyse(make_table({UNET: HARD_TO_EASY, RESUNET_A: lower(0.05, 0.001)}))
    (pair,) = analysis.pairs["hd95_px"]
    assert pair.comparison.mean_difference == pytest.approx(-10 * (0.05 + 0.001 * 4.5))
    assert pair.p_holm == pair.comparison.p_value == pytest.approx(2 / 2**10)


def test_networks_of_equal_scores_show_no_difference(make_table: Make) -> None:
    analysis = analyse(make_table({UNET: HARD_TO_EASY, RESUNET_A: HARD_TO_EASY, RESUNET_PP: HARD_TO_EASY}))
    assert analysis.configurations == (UNET, RESUNET_A, RESUNET_PP)
    assert all(shares == (1, 0, 0) for shares in analysis.ranks.values())
    for pair in analysis.pairs["dice"]:
        assert (pair.comparison.mean_difference, pair.p_holm, pair.is_shown) == (0, 1, False)
        assert pair.comparison.reason == "both score the same on every patient"


def test_a_lead_that_chance_gives_is_not_shown(make_table: Make) -> None:
    signs = [1, -1, 1, -1, 1, -1, 1, -1, 1, 1]
    other = [value - 0.02 * sign for value, sign in zip(HARD_TO_EASY, signs, strict=True)]
    (pair,) = analyse(make_table({UNET: HARD_TO_EASY, RESUNET_A: other})).pairs["dice"]
    assert pair.first == UNET
    assert not pair.is_shown
    assert pair.comparison.ci_low is not None
    assert pair.comparison.ci_low < 0 < (pair.comparison.mean_difference or 0)


def test_p_values_are_those_of_scipy_and_holm(make_table: Make) -> None:
    chance = np.random.default_rng(1)
    scores = {c: chance.uniform(0.5, 0.9, 12).round(3).tolist() for c in (UNET, RESUNET_A, RESUNET_PP)}
    pairs = analyse(make_table(scores)).pairs["dice"]
    raw = [stats.wilcoxon(np.subtract(scores[p.first], scores[p.second]).round(12)).pvalue for p in pairs]
    assert [pair.comparison.p_value for pair in pairs] == pytest.approx(raw)
    order = np.argsort(raw)
    expected = np.minimum(1, np.maximum.accumulate(np.array(raw)[order] * [3, 2, 1]))
    assert [pairs[i].p_holm for i in order] == pytest.approx(expected)


def test_the_patient_is_the_unit_whatever_the_number_of_seeds(make_table: Make) -> None:
    table = make_table({UNET: [[0.8, 0.6, None], [0.6, 0.6, None], [0.7, None, None]]})
    names = sorted((facts.patient for facts in table.patients), key=lambda name: name.split("_")[2])
    means = patient_means(table, "dice")[UNET]
    assert [means[name] for name in names] == [pytest.approx(0.7), pytest.approx(0.6), None]
    summary = analyse(table).summaries[UNET]["dice"]
    assert (summary.count, summary.undefined, summary.mean) == (2, 1, pytest.approx(0.65))


def test_spread_between_seeds_stays_apart_from_that_between_patients(make_table: Make) -> None:
    analysis = analyse(make_table({UNET: [[0.9, 0.5], [0.7, 0.3]], RESUNET_A: [[0.8, 0.8], [0.8, 0.8]]}))
    assert analysis.seeds == 2
    assert analysis.spread[UNET].seed_sd == pytest.approx(np.std([0.7, 0.5], ddof=1))
    assert analysis.spread[UNET].patient_sd == pytest.approx(np.std([0.8, 0.4], ddof=1))
    assert (analysis.spread[RESUNET_A].seed_sd, analysis.spread[RESUNET_A].patient_sd) == (0, 0)


def test_one_seed_has_no_spread_between_seeds(make_table: Make) -> None:
    assert analyse(make_table({UNET: HARD_TO_EASY})).spread[UNET].seed_sd is None


def test_subgroups_hold_their_own_patients(make_table: Make) -> None:
    groups = analyse(make_table({UNET: HARD_TO_EASY, RESUNET_A: lower(0.1)})).subgroups
    assert groups["site"]["CS"][UNET].mean == pytest.approx(np.mean(HARD_TO_EASY[0::2]))
    assert groups["missing_sequences"]["post"][RESUNET_A].mean == pytest.approx(0.2)
    thirds = groups["true_volume"]
    assert sum(thirds[name][UNET].count for name in thirds) == 10
    assert thirds["smallest third"][UNET].mean == pytest.approx(np.mean(HARD_TO_EASY[:4]))


def test_pooled_dice_counts_voxels(make_table: Make) -> None:
    pooled = analyse(make_table({UNET: [0.5, 1.0]})).pooled_dice[UNET]
    assert pooled == pytest.approx(2 * (50 + 200) / (300 + 300))


def test_patients_without_every_score_take_no_part_in_ranks(make_table: Make) -> None:
    analysis = analyse(make_table({UNET: [0.9, None, 0.2], RESUNET_A: [0.8, 0.9, 0.1]}))
    assert analysis.ranks[UNET] == (1, 0)
    assert analysis.pairs["dice"][0].comparison.undefined == 1


def test_a_table_without_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="no scores"):
        analyse(StudyTable((), ()))
