import numpy as np
import pytest

from glioseg.check.order import find_misplaced, unlikeness


def distances(count: int = 20) -> np.ndarray:
    """Slices that change steadily: the farther apart, the less alike."""
    places = np.arange(count)
    return np.abs(places[:, None] - places[None]).astype(float) ** 0.9


def test_slices_in_order_are_left_alone() -> None:
    assert find_misplaced(distances()) == []


@pytest.mark.parametrize(("moved", "to"), [(4, 12), (15, 3), (9, 10)])
def test_a_slice_at_another_place_is_found_with_its_own_place(moved: int, to: int) -> None:
    order = list(range(20))
    order.insert(to, order.pop(moved))
    found = find_misplaced(distances()[np.ix_(order, order)])
    assert len(found) == 1
    assert order[found[0].place] in ({moved} if abs(moved - to) > 1 else {moved, to})
    if abs(moved - to) > 1:
        assert order[found[0].better] == moved - 1


def test_two_slices_that_changed_places_are_both_found() -> None:
    order = list(range(20))
    order[5], order[13] = order[13], order[5]
    assert {one.place for one in find_misplaced(distances()[np.ix_(order, order)])} == {5, 13}


def test_few_slices_are_not_judged() -> None:
    assert find_misplaced(distances(5)[::-1]) == []


def test_unlikeness_is_zero_for_an_image_and_its_brighter_copy() -> None:
    image = np.random.default_rng(0).random((1, 8, 8), np.float32)
    far = unlikeness(np.concatenate([image, 2 * image + 1, -image, np.zeros_like(image)]))
    assert far[0].tolist() == pytest.approx([0, 0, 2, 1], abs=1e-6)
