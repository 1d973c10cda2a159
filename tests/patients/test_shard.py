"""Shards are disjoint, together hold everything, and stay as they are when examinations are added."""

import pytest

from glioseg.errors import GliosegError
from glioseg.patients.shard import Shard, shards

KEYS = [f"1.2.{number}" for number in range(1000)]


def test_each_examination_is_in_one_shard() -> None:
    for count in (1, 3, 8):
        assert [sum(shard.holds(key) for shard in shards(count)) for key in KEYS] == [1] * len(KEYS)


def test_shards_are_of_about_one_size() -> None:
    sizes = [sum(shard.holds(key) for key in KEYS) for shard in shards(8)]
    assert min(sizes) > 90
    assert max(sizes) < 160


def test_which_shard_depends_on_the_examination_alone() -> None:
    """So that it is the same on every machine, for every version and whatever else there is."""
    assert [key for key in KEYS[:12] if Shard(2, 3).holds(key)] == ["1.2.8", "1.2.10"]


@pytest.mark.parametrize("text", ["0/3", "4/3", "1/0", "half", "1/2/3", "-1/2"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(GliosegError, match="shard"):
        Shard.parse(text)


def test_as_a_person_writes_it() -> None:
    assert Shard.parse("2/8") == Shard(2, 8)
    assert str(Shard(2, 8)) == "2/8"
