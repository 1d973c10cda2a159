import pytest

from glioseg.errors import GliosegError


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
