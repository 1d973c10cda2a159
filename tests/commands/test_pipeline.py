import threading

import pytest

from glioseg.commands.pipeline import pipelined
from glioseg.errors import GliosegError

PATIENCE_S = 30


def double(item: int, read: int) -> int:
    return read * 2


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_every_item_goes_through_all_stages_in_order(count: int) -> None:
    items = list(range(count))
    found = list(pipelined(items, lambda item: item + 1, double, lambda item, computed: (item, computed)))
    assert found == [(item, (item, 2 * (item + 1))) for item in items]


@pytest.mark.parametrize("stage", ["read", "compute", "write"])
@pytest.mark.parametrize("bad", [0, 2, 4])
def test_a_bad_item_is_told_in_its_place_and_the_others_finish(stage: str, bad: int) -> None:
    def step(name: str, item: int) -> int:
        if name == stage and item == bad:
            raise GliosegError(f"{item} is bad")
        return item

    found = pipelined(
        range(5), lambda item: step("read", item), lambda item, _: step("compute", item), lambda i, _: step("write", i)
    )
    assert [(item, str(result)) for item, result in found] == [
        (item, f"{item} is bad." if item == bad else str(item)) for item in range(5)
    ]


def test_a_fault_of_the_program_comes_as_itself_with_its_traceback_and_the_others_finish() -> None:
    found = list(pipelined([1, 0, 2], lambda item: 4 // item, double, lambda item, computed: computed))
    assert [found[0], found[2]] == [(1, 8), (2, 4)]
    assert isinstance(found[1][1], ZeroDivisionError)
    assert found[1][1].__traceback__ is not None


def test_who_stops_the_work_stops_it() -> None:
    def stop(item: int, read: int) -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(pipelined([1, 2], lambda item: item, stop, lambda item, computed: computed))


def test_the_next_is_read_and_the_last_is_written_while_one_is_computed() -> None:
    """Item 1 is computed only once 2 has been read and 0 is being written, which waits for 1's end in turn."""
    read = [threading.Event() for _ in range(3)]
    writing, computed = threading.Event(), threading.Event()

    def compute(item: int, _: None) -> None:
        if item == 1:
            assert read[2].wait(PATIENCE_S)
            assert writing.wait(PATIENCE_S)
            computed.set()

    def write(item: int, _: None) -> None:
        if item == 0:
            writing.set()
            assert computed.wait(PATIENCE_S)

    assert len(list(pipelined(range(3), lambda item: read[item].set(), compute, write))) == 3


def test_at_most_three_items_are_held() -> None:
    held, most, lock = set(), [], threading.Lock()

    def read(item: int) -> int:
        with lock:
            held.add(item)
            most.append(len(held))
        return item

    def write(item: int, _: int) -> None:
        with lock:
            held.discard(item)

    list(pipelined(range(40), read, double, write))
    assert not held
    assert max(most) <= 3
