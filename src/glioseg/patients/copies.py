"""Copies of one examination under several lines of a list: the shard that meets one first does it, and no other."""

import hashlib
from collections.abc import Collection, Iterable
from pathlib import Path

from glioseg.atomic import claim, write_text_atomically
from glioseg.patients.examination import Examination


def done_from(
    folder: Path, examinations: Iterable[Examination], listed: Collection[str], *, take: bool
) -> dict[str, str]:
    """Which examinations another line of the list does.

    Args:
        folder: Holds a small file for each examination, which names the place that it is done from.
        examinations: As one shard, or all of them together, found them.
        listed: The real path of every line of the list; a copy that is on it no longer does not count.
        take: Whether examinations that no shard has met are this one's from now on.

    Returns:
        By key the place that it is done from instead.

    Raises:
        GliosegError: If one cannot be taken.
    """
    elsewhere = {}
    for one in examinations:
        place = _first_place(folder / hashlib.sha256(one.key.encode()).hexdigest()[:32], one.place, listed, take)
        if place != one.place:
            elsewhere[one.key] = place
    return elsewhere


def _first_place(path: Path, place: str, listed: Collection[str], take: bool) -> str:
    if take and claim(path, place):
        return place
    first = path.read_text(encoding="utf-8") if path.exists() else place
    if first == place or _is_listed(Path(first), listed):
        return first
    if take:
        write_text_atomically(path, place)
    return place


def _is_listed(place: Path, listed: Collection[str]) -> bool:
    real = place.resolve()
    return any(str(path) in listed for path in (real, *real.parents))
