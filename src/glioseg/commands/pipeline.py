"""Reading, computing and writing at the same time: while one is computed, the next is read and the last is written."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Read = TypeVar("Read")
Computed = TypeVar("Computed")
Written = TypeVar("Written")


def pipelined(
    items: Sequence[Item],
    read: Callable[[Item], Read],
    compute: Callable[[Item, Read], Computed],
    write: Callable[[Item, Computed], Written],
) -> Iterator[tuple[Item, Written | Exception]]:
    """Take each item through three stages, of which different ones run beside each other.

    At most three items are held at a time, however many there are. Computing stays in the caller's thread; reading and
    writing have a thread each, which go ahead while libraries compute or the disk is waited for.

    Args:
        items: What to do, in this order.
        read: An item to what is computed from.
        compute: An item and what was read to what is written.
        write: An item and what was computed to what is known at the end.

    Yields:
        Each item with what writing returned, or with the exception that ended it; the others go on.
    """
    with ThreadPoolExecutor(1, "read") as reader, ThreadPoolExecutor(1, "write") as writer:
        ahead = [reader.submit(read, item) for item in items[:1]]
        last: tuple[Item, Future[Written]] | None = None
        for number, item in enumerate(items):
            ready = ahead.pop()
            ahead = [reader.submit(read, following) for following in items[number + 1 : number + 2]]
            try:
                writing = writer.submit(write, item, compute(item, ready.result()))
            except Exception as error:
                writing = Future()
                writing.set_exception(error)
            # The one before is written by now as a rule; waiting for it bounds the memory.
            if last is not None:
                outcome = _outcome(last[1])
                yield last[0], outcome
            last = item, writing
        if last is not None:
            outcome = _outcome(last[1])
            yield last[0], outcome


def _outcome(writing: Future[Written]) -> Written | Exception:
    try:
        return writing.result()
    except Exception as error:
        return error
