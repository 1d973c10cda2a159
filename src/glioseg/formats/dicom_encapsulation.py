"""How compressed pixels are encoded, by the pixels themselves: for files without the meta information that tells."""

import struct
from collections.abc import Iterator

from pydicom.uid import (
    JPEG2000,
    UID,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLSNearLossless,
    RLELossless,
)

LOOKED_AT_BYTES = 2**16
_UNDEFINED_LENGTH, _ITEM = b"\xff\xff\xff\xff", b"\xfe\xff\x00\xe0"
_JPEG, _JPEG_2000, _JP2 = b"\xff\xd8", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP"
# The frame header of a JPEG stream by its marker (ITU-T T.81, table B.1; T.87, table C.1); lossy and lossless forms of
# one coding are read by the same decoder.
_BY_FRAME_HEADER = {0xC0: JPEGBaseline8Bit, 0xC1: JPEGExtended12Bit, 0xC3: JPEGLossless, 0xF7: JPEGLSNearLossless}
_MOST_RLE_SEGMENTS, _RLE_HEADER_BYTES = 15, 64


def encapsulated_syntax(element: bytes) -> UID | None:
    """The transfer syntax of compressed pixels, or None where they are not compressed or by no coding that is known.

    Args:
        element: The beginning of the element that holds the pixels, its tag included (PS3.5, A.4).
    """
    if element[8:12] != _UNDEFINED_LENGTH:
        return None
    fragments = list(_fragments(element[12:]))
    # The first holds offsets alone.
    return _coding(fragments[1]) if len(fragments) > 1 else None


def _fragments(items: bytes) -> Iterator[bytes]:
    """The first two items, the second as far as it is there."""
    place = 0
    for _ in range(2):
        if items[place : place + 4] != _ITEM or place + 8 > len(items):
            return
        (length,) = struct.unpack_from("<I", items, place + 4)
        yield items[place + 8 : place + 8 + length]
        place += 8 + length


def _coding(fragment: bytes) -> UID | None:
    if fragment.startswith(_JPEG):
        return next((_BY_FRAME_HEADER[marker] for marker in _markers(fragment) if marker in _BY_FRAME_HEADER), None)
    if fragment.startswith((_JPEG_2000, _JP2)):
        return JPEG2000
    if len(fragment) < _RLE_HEADER_BYTES:
        return None
    segments, first = struct.unpack_from("<II", fragment)
    return RLELossless if 1 <= segments <= _MOST_RLE_SEGMENTS and first == _RLE_HEADER_BYTES else None


def _markers(stream: bytes) -> Iterator[int]:
    """The markers of a JPEG stream's segments, in order."""
    place = 2
    while place + 4 <= len(stream) and stream[place] == 0xFF:
        marker, length = struct.unpack_from(">xBH", stream, place)
        yield marker
        place += 2 + length
