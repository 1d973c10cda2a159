"""What the libraries of a format raise on a damaged file, as one message to the user."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glioseg.errors import BadFileError, GliosegError


@contextmanager
def damage_told(path: Path, form: str, remedy: str) -> Iterator[None]:
    """Turn whatever reading a file raises into the user's error; our own pass as they are.

    Args:
        path: The file.
        form: Its format's name.
        remedy: What the user may do.

    Raises:
        BadFileError: If the file does not exist or reading it fails.
    """
    try:
        yield
    except GliosegError:
        raise
    except FileNotFoundError:
        raise BadFileError(path, "does not exist") from None
    # nibabel, pynrrd, gzip and numpy each have errors of their own for a damaged file.
    except Exception as error:
        raise BadFileError(
            path,
            f"cannot be read as {form}: {str(error).splitlines()[0] if str(error) else type(error).__name__}",
            remedy=remedy,
        ) from error
