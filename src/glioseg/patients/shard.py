"""A part of an archive: the same examinations whenever and wherever it is asked for, however many are added."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from glioseg.errors import GliosegError


@dataclass(frozen=True)
class Shard:
    """One of n disjoint parts.

    Attributes:
        number: Which, from 1.
        count: How many there are.

    Raises:
        GliosegError: If there is no such part.
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise GliosegError(f"there is no shard {self}", expected=f"1/{self.count} to {self.count}/{self.count}")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @property
    def name(self) -> str:
        """Fit for a file, as ``2-of-8``."""
        return f"{self.number}-of-{self.count}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a part as a person writes it, as ``2/8``.

        Raises:
            GliosegError: If it is not written so, or there is no such part.
        """
        found = re.fullmatch(r"(\d+)/(\d+)", text.strip())
        if not found:
            raise GliosegError(f"{text!r} names no shard", expected="i/n, as 2/8")
        return cls(int(found[1]), int(found[2]))

    def holds(self, key: str) -> bool:
        """Whether an examination belongs to this part, by a hash of what tells it from all others."""
        return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % self.count == self.number - 1


def shards(count: int) -> Iterable[Shard]:
    """The shards 1 to ``count``."""
    return (Shard(number, count) for number in range(1, count + 1))
