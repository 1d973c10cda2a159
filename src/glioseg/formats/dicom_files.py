"""The DICOM files of a folder or of a zip, which is read in memory and never unpacked."""

import os
import stat
import struct
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from glioseg.errors import BadFileError, GliosegError
from glioseg.files import visible_files
from glioseg.formats.readers import is_dicom, kind_of

LARGEST_FILE_BYTES = 4 * 2**30
LARGEST_ZIP_BYTES = 16 * 2**30
LARGEST_ZIP_MEMBERS = 100_000
LARGEST_ZIP_DIRECTORY_BYTES = 32 * 2**20
"""Of the table at a zip's end, which is parsed as a whole before members can be counted."""

_PREFIX_BYTES = 132
_END, _END_BYTES = b"PK\x05\x06", 22
_END64_PLACE, _END64_PLACE_BYTES, _END64_BYTES = b"PK\x06\x07", 20, 56
_LONGEST_ZIP_COMMENT = 2**16


@dataclass(frozen=True, order=True)
class DicomFile:
    """Where a DICOM file lies.

    Attributes:
        path: The file, or the zip that holds it.
        member: Its name in the zip; empty for a file of its own.
    """

    path: Path
    member: str = ""

    def __str__(self) -> str:
        return f"{self.path}/{self.member}" if self.member else str(self.path)


def find_dicom_files(path: Path) -> Iterator[tuple[DicomFile, bytes]]:
    """Every DICOM file of a folder, of its subfolders, or of a zip, with its content; one file alone is taken too.

    A DICOM file is known by its beginning (:func:`glioseg.formats.readers.is_dicom`), whatever its name; all others,
    and hidden ones, are passed over.

    Raises:
        GliosegError: If there is no such path, or a file is unreadable or too large, or the zip is damaged, encrypted,
            too large, or holds links or names that lead out of it.
    """
    if path.is_dir():
        yield from ((DicomFile(file), _read_file(file)) for file in visible_files(path) if _is_dicom_file(file))
    elif _is_dicom_file(path):
        yield DicomFile(path), _read_file(path)
    elif _is_zip(path):
        yield from ((file, stream.read()) for file, stream in _zip_streams(path))


def dicom_streams(path: Path) -> Iterator[tuple[DicomFile, IO[bytes]]]:
    """Every DICOM file of a zip, or one file alone whatever it is, opened to look at its beginning; raises as above."""
    if kind_of(path) != "zip":
        with path.open("rb") as file:
            yield DicomFile(path), file
        return
    yield from _zip_streams(path)


def read_dicom_files(files: Sequence[DicomFile]) -> Iterator[bytes]:
    """The content of each file, in order; all members come from one zip, which is opened once.

    Raises:
        GliosegError: As :func:`find_dicom_files`.
    """
    if not files or not files[0].member:
        yield from (_read_file(file.path) for file in files)
        return
    with _open_zip(files[0].path) as archive:
        yield from (archive.read(file.member) for file in files)


def _is_dicom_file(path: Path) -> bool:
    if not path.exists():
        raise BadFileError(path, "does not exist")
    if not path.is_file():
        return False
    try:
        return kind_of(path) == "dicom"
    except OSError as error:
        raise BadFileError(path, f"cannot be read: {error.strerror}") from error


def _is_zip(path: Path) -> bool:
    """Whether it begins or ends as a zip does: one that is cut short has no end."""
    with path.open("rb") as file:
        return file.read(2) == b"PK" or zipfile.is_zipfile(path)


def _read_file(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size <= LARGEST_FILE_BYTES:
            return path.read_bytes()
    except OSError as error:
        raise BadFileError(path, f"cannot be read: {error.strerror}") from error
    raise BadFileError(path, "is too large", expected=f"up to {LARGEST_FILE_BYTES:,} bytes", found=f"{size:,} bytes")


def _zip_streams(path: Path) -> Iterator[tuple[DicomFile, IO[bytes]]]:
    with _open_zip(path) as archive:
        for member in sorted(_checked_members(path, archive), key=lambda member: member.filename):
            with archive.open(member) as file:
                if is_dicom(file.read(_PREFIX_BYTES)):
                    file.seek(0)
                    yield DicomFile(path, member.filename), file


@contextmanager
def _open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        _check_directory(path)
        with zipfile.ZipFile(path) as archive:
            yield archive
    # What the zip module raises on damage depends on where it lies; RuntimeError is its word for encryption.
    except (zipfile.BadZipFile, zipfile.LargeZipFile, OSError, EOFError, KeyError, ValueError, RuntimeError) as error:
        raise BadFileError(
            path,
            f"cannot be read as a zip: {' '.join(str(error).split())}",
            remedy="Fetch it again, without a password, or unpack it and give the folder",
        ) from error
    # zlib.error and lzma.LZMAError have no common ancestor below Exception.
    except Exception as error:
        if type(error).__module__ not in ("zlib", "_lzma", "_bz2"):
            raise
        raise BadFileError(path, f"is damaged: {error}", remedy="Fetch the zip again") from error


def _checked_members(path: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    members = archive.infolist()
    if len(members) > LARGEST_ZIP_MEMBERS:
        raise BadFileError(
            path, "holds too many files", expected=f"up to {LARGEST_ZIP_MEMBERS:,}", found=f"{len(members):,}"
        )
    size = sum(member.file_size for member in members)
    if size > LARGEST_ZIP_BYTES:
        raise BadFileError(
            path, "holds too much", expected=f"up to {LARGEST_ZIP_BYTES:,} bytes", found=f"{size:,} bytes unpacked"
        )
    for member in members:
        _check_member(path, member)
    names = [member.filename for member in members]
    if len(set(names)) < len(names):
        raise BadFileError(path, "holds two files of one name", remedy="Unpack it, look, and give the folder")
    return [member for member in members if not member.is_dir()]


def _check_member(path: Path, member: zipfile.ZipInfo) -> None:
    name = member.filename
    # A zip made under Windows may hold either kind of slash.
    for parts in (PurePosixPath(name), PureWindowsPath(name)):
        if parts.is_absolute() or parts.drive or parts.root or ".." in parts.parts:
            raise BadFileError(
                path,
                f"holds the name {name!r}, which leads out of it",
                expected="names relative to the zip, without ..",
                remedy="Do not unpack it; ask where it comes from",
            )
    if stat.S_ISLNK(member.external_attr >> 16):
        raise BadFileError(path, f"holds a link, {name!r}", expected="files", remedy="Pack the files themselves")
    if member.file_size > LARGEST_FILE_BYTES:
        raise GliosegError(f"{path}/{name} is too large", expected=f"up to {LARGEST_FILE_BYTES:,} bytes")


def _check_directory(path: Path) -> None:
    """Refuse a zip by the size of its table of members, since the zip module parses the table before all else."""
    size = _directory_bytes(path)
    if size > LARGEST_ZIP_DIRECTORY_BYTES:
        raise BadFileError(
            path,
            "holds too many files",
            expected=f"up to {LARGEST_ZIP_MEMBERS:,}",
            found=f"a table of members of {size:,} bytes",
            remedy="Pack one patient into a zip",
        )


def _directory_bytes(path: Path) -> int:
    """The size of the central directory, from the end record or, where there is one, its 64-bit form (APPNOTE 4.3)."""
    with path.open("rb") as file:
        length = file.seek(0, os.SEEK_END)
        file.seek(max(length - _LONGEST_ZIP_COMMENT - _END_BYTES - _END64_PLACE_BYTES - _END64_BYTES, 0))
        tail = file.read()
    end = tail.rfind(_END)
    if end < 0 or end + _END_BYTES > len(tail):
        return 0
    place = end - _END64_PLACE_BYTES
    record = place - _END64_BYTES
    if record >= 0 and tail[place:end].startswith(_END64_PLACE):
        (size,) = struct.unpack_from("<Q", tail, record + 40)
    else:
        (size,) = struct.unpack_from("<I", tail, end + 12)
    return int(size)
