"""What a file or folder holds, by its content: names lie, and DICOM files often have none that tells."""

import gzip
import itertools
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from glioseg.errors import GliosegError

Kind = Literal["tif", "nifti", "nrrd", "dicom", "zip"]

KINDS: tuple[Kind, ...] = ("tif", "nifti", "nrrd", "dicom", "zip")
PICTURE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".nhdr")
"""Names of files that hold one sequence each."""

_LENGTH = 544
_TIF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_OTHERS = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"%PDF": "a PDF",
    b"\x89HDF": "HDF5",
    b"CDF": "MINC",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a rar archive",
}
_SAMPLE = 20


def detect(path: Path) -> Kind:
    """Tell the format of a file by its first bytes, or of a folder by those of its files, however deep they lie.

    Of each folder the first twenty files that belong to a format are looked at.

    Raises:
        GliosegError: If there is no such path, no known format, or a folder holds more than one.
    """
    if not path.is_dir():
        return _of_file(path)
    found: dict[Kind, Path] = {}
    for kind, file in _in_folder(path):
        found.setdefault(kind, file)
    if not found:
        raise GliosegError(f"{path} holds no scan", expected=f"files of {_list(KINDS)}", found=_content(path))
    if len(found) > 1:
        examples = ", ".join(f"{kind} ({file.relative_to(path)})" for kind, file in found.items())
        raise GliosegError(f"{path} holds several formats", found=examples, remedy="Give the folder of one of them")
    return next(iter(found))


def kind_of(path: Path) -> Kind | None:
    """The format of a file by its first bytes, or None if it is none that is read here.

    Raises:
        OSError: If the file cannot be read.
    """
    start = _start(path)
    if start.startswith(_TIF):
        return "tif"
    if start.startswith(_ZIP):
        return "zip"
    if start.startswith(b"NRRD0"):
        return "nrrd"
    if start[128:132] == b"DICM":
        return "dicom"
    return "nifti" if _is_nifti(start) else None


def _of_file(path: Path) -> Kind:
    try:
        kind = kind_of(path)
    except FileNotFoundError:
        raise GliosegError(f"{path} does not exist") from None
    except OSError as error:
        raise GliosegError(f"{path} cannot be read: {error.strerror or error}") from error
    if kind is None:
        raise GliosegError(
            f"{path} is no format that is read here",
            expected=_list(KINDS),
            found=_in_words(path),
            remedy="Give the scan as the scanner, archive or converter wrote it",
        )
    return kind


def _in_folder(root: Path) -> Iterator[tuple[Kind, Path]]:
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        files = (Path(folder) / name for name in sorted(names) if not name.startswith("."))
        known = ((kind, file) for file in files if (kind := _kind_or_none(file)) is not None)
        yield from itertools.islice(known, _SAMPLE)


def _kind_or_none(path: Path) -> Kind | None:
    # An unreadable file among others is for the reader to report, pipes and devices are nobody's scan.
    try:
        return kind_of(path) if path.is_file() else None
    except OSError:
        return None


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        start = file.read(_LENGTH)
    if not start.startswith(b"\x1f\x8b"):
        return start
    try:
        with gzip.open(path) as file:
            return file.read(_LENGTH)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return start


def _is_nifti(start: bytes) -> bool:
    return start[344:348] in (b"n+1\x00", b"ni1\x00") or start[4:8] in (b"n+2\x00", b"ni2\x00")


def _in_words(path: Path) -> str:
    start = _start(path)
    if not start:
        return "an empty file"
    for magic, words in _OTHERS.items():
        if start.startswith(magic):
            return words
    return f"a file that begins with the bytes {start[:8].hex(' ')}"


def _content(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") if names else "nothing"


def _list(kinds: tuple[Kind, ...]) -> str:
    return f"{', '.join(kinds[:-1])} or {kinds[-1]}"
