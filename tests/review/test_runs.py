import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from glioseg.errors import GliosegError
from glioseg.review.runs import as_list, changed, indices, mask_of_runs, parse_runs, runs_of, voxels_in

MASKS = arrays(np.bool_, st.tuples(*[st.integers(1, 4)] * 3))


def test_runs_of_a_row() -> None:
    assert as_list(runs_of(np.array([1, 0, 0, 1, 1, 0, 1], bool))) == [0, 1, 3, 2, 6, 1]
    assert as_list(runs_of(np.zeros(3, bool))) == []
    assert as_list(runs_of(np.ones((2, 2), bool))) == [0, 4]


@given(MASKS)
def test_runs_lead_back_to_the_mask(mask: np.ndarray) -> None:
    runs = parse_runs(as_list(runs_of(mask)), mask.size)
    assert voxels_in(runs) == mask.sum()
    assert indices(runs).tolist() == np.flatnonzero(mask).tolist()
    assert np.array_equal(mask_of_runs(runs, mask.shape), mask)


@given(st.data())
def test_exchanging_added_and_removed_undoes_a_stroke(data: st.DataObject) -> None:
    before = data.draw(MASKS)
    after = data.draw(arrays(np.bool_, before.shape))
    added, removed = runs_of(after & ~before), runs_of(before & ~after)
    assert np.array_equal(changed(before, added, removed), after)
    assert np.array_equal(changed(after, removed, added), before)


@pytest.mark.parametrize(
    "numbers",
    [
        [0],
        [0, 0],
        [0, 2, 1, 1],
        [0, 2, 2, 1],
        [4, 1, 0, 1],
        [9, 2],
        [-1, 2],
        [0.0, 1],
        [True, 1],
        ["0", 1],
        "01",
        {"0": 1},
        None,
        [10**30, 1],
        [0, 10**30],
    ],
)
def test_what_is_no_runs_is_refused(numbers: object) -> None:
    with pytest.raises(GliosegError, match="malformed"):
        parse_runs(numbers, 10)


def test_a_stroke_that_does_not_fit_is_refused() -> None:
    mask = np.array([1, 0, 0], bool)
    for added, removed in (([0, 1], []), ([], [1, 1])):
        with pytest.raises(GliosegError, match="does not fit"):
            changed(mask, parse_runs(added, 3), parse_runs(removed, 3))
    assert mask.tolist() == [True, False, False]
