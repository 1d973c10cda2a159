from pathlib import Path

import pytest

from glioseg.errors import GliosegError
from glioseg.patients.listing import read_list


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_editors_of_any_system_write_the_same_list(mark: bytes, end: bytes, tmp_path: Path) -> None:
    listing = tmp_path / "list.txt"
    listing.write_bytes(mark + end.join([b"a b", b"", b"# not this", b"  c  "]))
    assert read_list(listing) == [Path("a b"), Path("c")]


@pytest.mark.parametrize("content", ["", "\n \n", "# none yet\n"])
def test_a_list_that_names_nothing_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(content)
    with pytest.raises(GliosegError, match=r"list\.txt names no scan"):
        read_list(tmp_path / "list.txt")
