"""What an image of a head shows without any network: where the head ends, where the brain lies."""

from glioseg.errors import GliosegError

FOREGROUND_THRESHOLD = 10.0
"""FLAIR above this belongs to the head, of intensities between 0 and 255."""


def no_head(patient: str) -> GliosegError:
    """What is said of a scan whose FLAIR shows none."""
    return GliosegError(
        f"patient {patient}: the FLAIR shows no head",
        expected="a scan of a head",
        found="an image that is black or even all over",
    )
