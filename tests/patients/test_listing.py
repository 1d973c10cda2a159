from pathlib import Path

import pytest

from glioseg.patients.listing import read_list


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_editors_of_any_system_write_the_same_list(mark: bytes, end: bytes, tmp_path: Path) -> None:
    listing = tmp_path / "list.txt"
    listing.write_bytes(mark + end.join([b"a b", b"", b"# not this", b"  c  "]))
    assert read_list(listing) == [Path("a b"), Path("c")]
