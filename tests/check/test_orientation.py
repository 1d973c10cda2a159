import numpy as np
import pytest
from numpy.typing import NDArray

from glioseg.check.orientation import LEVELS, SIZE, find_orientations


def thumbnail(seed: int) -> NDArray[np.uint8]:
    """A head with a pointed front that shrinks towards the vertex, and some noise."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    levels = []
    for level in range(LEVELS):
        radius = 0.85 - 0.1 * level
        width = radius * np.where(rows < 0, 0.55 + 0.2 * rows, 0.8)
        levels.append(150 * ((rows**2 / radius**2 + columns**2 / width**2) < 1))
    return np.clip(np.stack(levels) + rng.normal(0, 12, (LEVELS, SIZE, SIZE)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("turn", "name", "backwards"),
    [
        (lambda head: head[:, ::-1], "flipped up-down", False),
        (lambda head: head[::-1], "as it is", True),
        (lambda head: np.rot90(head, 3, axes=(1, 2)), "turned by 90 degrees", False),
        (lambda head: np.rot90(head, 1, axes=(1, 2)), "turned by 270 degrees", False),
        (lambda head: head[::-1, ::-1, ::-1], "flipped up-down", True),
    ],
)
def test_the_turn_that_puts_a_head_right_is_named(turn: object, name: str, backwards: bool) -> None:
    thumbnails = [thumbnail(seed) for seed in range(11)]
    thumbnails[4] = np.ascontiguousarray(turn(thumbnails[4]))  # type: ignore[operator]
    found = find_orientations(thumbnails)
    assert [one is not None and one.differs for one in found] == [number == 4 for number in range(11)]
    assert found[4] is not None
    assert (found[4].turn, found[4].reversed_slices) == (name, backwards)


def test_left_and_right_are_not_told_apart() -> None:
    thumbnails = [thumbnail(seed) for seed in range(10)]
    thumbnails[2] = np.ascontiguousarray(thumbnails[2][:, :, ::-1])
    assert not any(one is not None and one.differs for one in find_orientations(thumbnails))


def test_few_patients_are_not_compared() -> None:
    assert find_orientations([thumbnail(0), thumbnail(1)[:, ::-1], None]) == [None, None, None]
