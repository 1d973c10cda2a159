from pathlib import Path

import pytest

from glioseg.errors import BadFileError, BadOptionError, GliosegError, MissingLibraryError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (GliosegError("a.tif is missing"), "a.tif is missing."),
        (GliosegError("bad", expected="this"), "bad: expected this."),
        (GliosegError("bad", found="that"), "bad: found that."),
        (GliosegError("bad", expected="this", found="that"), "bad: expected this, found that."),
        (GliosegError("bad", remedy="Mend it"), "bad. Mend it."),
        (
            GliosegError("bad", expected="this", found="that", remedy="Mend it"),
            "bad: expected this, found that. Mend it.",
        ),
    ],
)
def test_the_text_says_what_is_wrong_then_the_contrast_then_the_remedy(error: GliosegError, text: str) -> None:
    assert str(error) == text
    assert error.args == (text,)


def test_the_parts_can_be_asked_for() -> None:
    error = GliosegError("bad", expected="this", found="that", remedy="Mend it")
    assert (error.problem, error.expected, error.found, error.remedy) == ("bad", "this", "that", "Mend it")


def test_a_bad_file_tells_its_path_apart_from_its_fault() -> None:
    error = BadFileError(Path("a") / "b.nii", "is cut short", expected="9 bytes", found="8", remedy="Fetch it again")
    assert (error.path, error.fault) == (Path("a/b.nii"), "is cut short")
    assert str(error) == f"{Path('a/b.nii')} is cut short: expected 9 bytes, found 8. Fetch it again."


def test_every_kind_is_the_users_error() -> None:
    assert issubclass(BadFileError, GliosegError)
    assert issubclass(BadOptionError, GliosegError)
    assert issubclass(MissingLibraryError, GliosegError)


def test_names_in_old_encodings_are_readable() -> None:
    assert str(GliosegError("M\udcfcller is missing")) == "Müller is missing."
