"""What happens to files: flipped bits, cuts, pieces doubled, exchanged or blanked, numbers that cannot be."""

import gzip
import io
import re
import struct
import zipfile
from collections.abc import Callable

import numpy as np

Random = np.random.Generator

HEADER_BYTES = 600
"""Where most formats keep what the rest is read by; two of three changes fall there."""

_EXTREME_INTEGERS = (0, 1, -1, 127, -128, 255, 32767, -32768, 65535, 2**31 - 1, -(2**31), 2**32 - 1, 2**63 - 1)
_EXTREME_FLOATS = (0.0, -0.0, -1.0, 1e-30, 1e9, 1e30, -1e30, float("inf"), float("-inf"), float("nan"))
_EXTREME_WORDS = (b"0", b"-1", b"1e308", b"nan", b"inf", b"99999999999999999999", b"", b"0.0000001", b"1 2 3 4", b"x")
_NUMBER = re.compile(rb"-?\d+(\.\d+)?(e-?\d+)?")
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"


def mutated(content: bytes, random: Random) -> bytes:
    """One to three changes, mostly one; of a gzip stream or zip, half of the times within what it unpacks to."""
    if random.random() < 0.5:
        if content.startswith(_GZIP):
            return gzip.compress(_changed(gzip.decompress(content), random), 1, mtime=0)
        if content.startswith(_ZIP):
            return _within_zip(content, random)
    return _changed(content, random)


def _changed(content: bytes, random: Random) -> bytes:
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        if content:
            content = CHANGES[random.integers(len(CHANGES))](content, random)
    return content


def _within_zip(content: bytes, random: Random) -> bytes:
    """One of the packed files is damaged, and packed again without a fault."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(packed, "w") as target:
        names = source.namelist()
        hit = names[random.integers(len(names))]
        for name in names:
            unpacked = source.read(name)
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            changed = _changed(unpacked, random) if name == hit else unpacked
            target.writestr(entry, changed, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _place(content: bytes, random: Random) -> int:
    reach = min(len(content), HEADER_BYTES) if random.random() < 2 / 3 else len(content)
    return int(random.integers(reach))


def flip(content: bytes, random: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(random.integers(1, 4)):
        changed[_place(content, random)] = random.integers(256)
    return bytes(changed)


def cut(content: bytes, random: Random) -> bytes:
    return content[: _place(content, random)]


def insert(content: bytes, random: Random) -> bytes:
    place, length = _place(content, random), int(random.integers(1, 65))
    return content[:place] + random.bytes(length) + content[place:]


def remove(content: bytes, random: Random) -> bytes:
    place, length = _place(content, random), int(random.integers(1, 65))
    return content[:place] + content[place + length :]


def exchange(content: bytes, random: Random) -> bytes:
    one, other = sorted((_place(content, random), _place(content, random)))
    length = int(min(random.integers(1, 257), other - one, len(content) - other))
    pieces = content[:one], content[other : other + length], content[one + length : other], content[one : one + length]
    return b"".join((*pieces, content[other + length :]))


def double(content: bytes, random: Random) -> bytes:
    place, length = _place(content, random), int(random.integers(1, 513))
    return content[: place + length] + content[place:]


def blank(content: bytes, random: Random) -> bytes:
    place, length = _place(content, random), int(random.integers(1, 129))
    return content[:place] + bytes(min(length, len(content) - place)) + content[place + length :]


def put_extreme_number(content: bytes, random: Random) -> bytes:
    order, place = "<>"[random.integers(2)], _place(content, random)
    if random.random() < 0.4:
        value = _EXTREME_FLOATS[random.integers(len(_EXTREME_FLOATS))]
        number = struct.pack(order + "fd"[random.integers(2)], value)
    else:
        size = int(random.choice([1, 2, 4, 8]))
        value = _EXTREME_INTEGERS[random.integers(len(_EXTREME_INTEGERS))] % 2 ** (8 * size)
        number = value.to_bytes(size, "little" if order == "<" else "big")
    # Numbers of a header lie at even places.
    place -= place % min(len(number), 4)
    return content[:place] + number + content[place + len(number) :]


def put_extreme_word(content: bytes, random: Random) -> bytes:
    """For headers and records of text: another number for one that stands there."""
    numbers = list(_NUMBER.finditer(content, 0, 4096))
    if not numbers:
        return flip(content, random)
    hit = numbers[random.integers(len(numbers))]
    return content[: hit.start()] + _EXTREME_WORDS[random.integers(len(_EXTREME_WORDS))] + content[hit.end() :]


CHANGES: tuple[Callable[[bytes, Random], bytes], ...] = (
    *[put_extreme_number] * 5,
    *[flip] * 4,
    *[put_extreme_word] * 2,
    *[blank] * 2,
    exchange,
    double,
    insert,
    remove,
    cut,
)
"""What leaves the size as it is comes more often: a file of another size is refused at the first look."""
