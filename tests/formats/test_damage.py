from pathlib import Path

import pytest

from glioseg.errors import GliosegError
from glioseg.formats.damage import damage_told


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (FileNotFoundError("x"), "scan does not exist"),
        (ValueError("first\nsecond"), "scan cannot be read as NIfTI: first. Fetch it again"),
        (EOFError(), "scan cannot be read as NIfTI: EOFError. Fetch it again"),
        (GliosegError("our own"), "our own"),
    ],
)
def test_every_error_of_reading_is_one_line(raised: Exception, message: str) -> None:
    with pytest.raises(GliosegError) as caught, damage_told(Path("scan"), "NIfTI", "Fetch it again"):
        raise raised
    assert str(caught.value).startswith(message)
    assert "second" not in str(caught.value)
