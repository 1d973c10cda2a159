"""``glioseg review``: the reader's desk on a folder of masks."""

import getpass
import re
import webbrowser
from collections.abc import Callable
from functools import partial
from pathlib import Path

from glioseg.errors import BadOptionError
from glioseg.files import READINGS
from glioseg.review.cases import find_review_cases
from glioseg.review.desk import FOLDER, SHARED, Desk
from glioseg.review.store import Store

_NAME = re.compile(r"\w[\w.-]{0,31}")


def open_desk(folder: Path, *, scans: Path | None = None, reader: str | None = None) -> Desk:
    """A desk on a folder, ready to be served.

    Args:
        folder: What is read; see :func:`glioseg.review.cases.find_review_cases`.
        scans: Where the scans lie.
        reader: Reads blind to others under this name; without it everyone shares one reading under their login name.

    Raises:
        GliosegError: If there is nothing to read, the name cannot name a folder, or the store cannot be used.
    """
    if reader is not None and (not _NAME.fullmatch(reader) or reader == SHARED):
        raise BadOptionError(
            f"--reader {reader} cannot name a reading",
            expected=f"1 to 32 letters, digits, dots and hyphens, not {SHARED!r}",
        )
    cases = find_review_cases(folder, scans)
    store = Store(folder / FOLDER / READINGS)
    return Desk(cases, store, reader or login_name(), reader or SHARED)


def review(
    folder: Path,
    *,
    scans: Path | None = None,
    reader: str | None = None,
    port: int = 0,
    browser: bool = True,
    progress: Callable[[str], None] = lambda line: None,
) -> None:
    """Serve the desk until it is interrupted.

    Args:
        folder: As for :func:`open_desk`.
        scans: Likewise.
        reader: Likewise.
        port: As for :func:`glioseg.review.serve.serve`.
        browser: Whether the page is opened.
        progress: Gets the address.

    Raises:
        GliosegError: As both.
    """
    from glioseg.review.serve import serve

    desk = open_desk(folder, scans=scans, reader=reader)

    def opened(address: str, ticket: str) -> None:
        progress(
            f"{len(desk.cases.cases)} cases at {address}\nCtrl-C ends the desk; everything is kept in {desk.store.path}"
        )
        if browser:
            webbrowser.open(ticket)

    serve(desk, port=port, opened=opened)


def fetch_scans(folder: Path, url: str, *, progress: Callable[[str], None] = lambda line: None) -> None:
    """Fetch the scans of masks from the archive that ``glioseg predict`` had them from; they stay in the folder.

    Raises:
        GliosegError: As :func:`glioseg.review.archive.fetch_scans`.
    """
    from glioseg.archive.dicomweb import fetch_examination
    from glioseg.review import archive

    archive.fetch_scans(folder, url, partial(fetch_examination, progress=progress))


def report_readings(folder: Path, path: Path, *, scans: Path | None = None) -> None:
    """Write the page of every reading of a folder; arguments and errors as :func:`open_desk`, or if none is decided."""
    from glioseg.review.report import write_reading_report

    desk = open_desk(folder, scans=scans)
    try:
        write_reading_report(path, desk.cases, desk.store)
    finally:
        desk.close()


def store_results(folder: Path, url: str, *, scans: Path | None = None, reader: str | None = None) -> int:
    """Send accepted and corrected DICOM results to an archive, and tell how many objects it took.

    Raises:
        GliosegError: As :func:`open_desk` and :func:`glioseg.review.archive.send_results`.
    """
    from glioseg.archive.dicomweb import store_files
    from glioseg.review.archive import send_results

    desk = open_desk(folder, scans=scans, reader=reader)
    try:
        return send_results(desk.folder, desk.store, desk.reading, url, store_files)
    finally:
        desk.close()


def login_name() -> str:
    """Who is logged in, for the log."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
