import io
import struct

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit

from glioseg.formats.dicom_encapsulation import encapsulated_syntax

ITEM = b"\xfe\xff\x00\xe0"


def element(fragment: bytes, offsets: bytes = b"") -> bytes:
    """Pixels of one fragment (PS3.5, table A.4-1)."""
    items = b"".join(ITEM + struct.pack("<I", len(content)) + content for content in (offsets, fragment))
    return b"\xe0\x7f\x10\x00OB\x00\x00\xff\xff\xff\xff" + items


def jpeg() -> bytes:
    content = io.BytesIO()
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(content, "jpeg")
    return content.getvalue()


@pytest.mark.parametrize("offsets", [b"", bytes(4)])
def test_a_jpeg_is_told_by_its_frame_header(offsets: bytes) -> None:
    assert encapsulated_syntax(element(jpeg(), offsets)) == JPEGBaseline8Bit
    assert encapsulated_syntax(element(jpeg().replace(b"\xff\xc0", b"\xff\xc1"), offsets)) == JPEGExtended12Bit


@pytest.mark.parametrize("content", [element(b"\x00" * 64), element(jpeg())[:30], element(b"")[:12], jpeg(), b""])
def test_anything_else_is_no_coding_that_is_known(content: bytes) -> None:
    assert encapsulated_syntax(content) is None


def test_no_cut_breaks_it() -> None:
    whole = element(jpeg(), bytes(4))
    assert {encapsulated_syntax(whole[:length]) for length in range(len(whole))} == {None, JPEGBaseline8Bit}
