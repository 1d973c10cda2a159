"""The formats that are read: an entry for each, by which every command tells files apart and reads them.

Files are told apart by their first bytes: names lie, and DICOM files often have none that tells.
"""

import gzip
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from glioseg.errors import BadFileError

if TYPE_CHECKING:
    # It brings numpy, which a list of the formats does not need.
    from glioseg.scan import Scan

Kind = str
"""The name of a format, as its entry in :data:`READERS` says."""

_LENGTH = 2**11
_OTHERS = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"%PDF": "a PDF",
    b"\x89HDF": "HDF5",
    b"CDF": "MINC",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a rar archive",
}


@dataclass(frozen=True)
class Reader:
    """What is known of a format.

    Attributes:
        kind: Its name.
        suffixes: How its files' names end; a file that is recognised needs none of them.
        recognises: Whether a file that begins so, unpacked if it is a gzip stream, is of the format.
        location: ``module:function`` that reads a file of one sequence as :func:`read_scan` does, imported when it is
            called; None where a patient is several files.
        companions: The files that belong to one, such as that of the voxels.
    """

    kind: Kind
    suffixes: tuple[str, ...]
    recognises: Callable[[bytes], bool]
    location: str | None = None
    companions: Callable[[Path], tuple[Path, ...]] = lambda path: ()

    @property
    def may_be_packed(self) -> bool:
        """Whether a file may be a gzip stream."""
        return any(suffix.endswith(".gz") for suffix in self.suffixes)


def _is_nifti(start: bytes) -> bool:
    """NIfTI-1 or -2, or Analyze, which NIfTI's reader refuses with the reason."""
    return start[4:8] in (b"n+2\x00", b"ni2\x00") or (
        len(start) >= 348 and (start[344:348] in (b"n+1\x00", b"ni1\x00") or start[:4] in _ANALYZE)
    )


def is_dicom(start: bytes) -> bool:
    """With the preamble of PS3.10, section 7.1, or beginning at once with the first elements."""
    return start[128:132] == b"DICM" or is_bare_dicom(start)


def is_bare_dicom(start: bytes) -> bool:
    """Whether a file without preamble begins with a first element of file meta information or of a data set."""
    if len(start) < 12:
        return False
    group, element, length = struct.unpack_from("<HHI", start)
    if (group, element) not in _FIRST_ELEMENTS:
        return False
    return start[4:6] in (b"UL", b"OB", b"CS", b"UI") or (length <= 64 and length % 2 == 0)


def _voxels_of_pair(path: Path) -> tuple[Path, ...]:
    if not path.name.lower().endswith((".hdr", ".hdr.gz")):
        return ()
    beside = (path.with_name(without_suffix(path.name) + suffix) for suffix in (".img", ".IMG", ".img.gz"))
    return tuple(file for file in beside if file.is_file())[:1]


def _data_of_header(path: Path) -> tuple[Path, ...]:
    named = re.search(rb"^data ?file: *(.+?)\r?$", _start(path), re.IGNORECASE | re.MULTILINE)
    beside = path.parent / named[1].decode(errors="surrogateescape") if named else path
    return (beside,) if beside != path and beside.is_file() else ()


_ANALYZE = (b"\x5c\x01\x00\x00", b"\x00\x00\x01\x5c")
_FIRST_ELEMENTS = ((2, 0), (2, 1), (2, 2), (8, 0), (8, 1), (8, 5), (8, 6), (8, 8), (8, 0x12), (8, 0x16))
_NIFTI, _NRRD = "glioseg.formats.nifti:read_nifti", "glioseg.formats.nrrd:read_nrrd"

READERS = (
    Reader("tif", (".tif", ".tiff"), lambda start: start[:4] in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")),
    Reader("nifti", (".nii.gz", ".nii", ".hdr", ".hdr.gz"), _is_nifti, _NIFTI, _voxels_of_pair),
    Reader("nrrd", (".nrrd", ".nhdr"), lambda start: start.startswith(b"NRRD0"), _NRRD, _data_of_header),
    Reader("dicom", (".dcm", ".dicom", ".ima"), is_dicom),
    Reader("zip", (".zip",), lambda start: start[:4] in (b"PK\x03\x04", b"PK\x05\x06")),
)
KINDS: tuple[Kind, ...] = tuple(reader.kind for reader in READERS)
SCANS: tuple[Kind, ...] = tuple(reader.kind for reader in READERS if reader.location is not None)
"""The formats whose files hold one sequence, or one mask, each."""


UNRECOGNISED = ("empty file", "of no known format")
"""What :func:`other_content` says of files that may have been anything."""

_OF_KIND = {reader.kind: reader for reader in READERS}
_SUFFIX = re.compile(
    "(?:" + "|".join(re.escape(suffix) for reader in READERS for suffix in reader.suffixes) + ")$", re.IGNORECASE
)


def kind_of(path: Path) -> Kind | None:
    """The format of a file by its first bytes, or None if it is none that is read here.

    Raises:
        OSError: If the file cannot be read.
    """
    start = _start(path)
    reader = next((reader for reader in READERS if reader.recognises(start)), None)
    return reader.kind if reader and (reader.may_be_packed or not _is_packed(path)) else None


def kind_by_name(name: str) -> Kind | None:
    """The format that a name claims, for files too damaged to be recognised."""
    return next((reader.kind for reader in READERS if name.lower().endswith(reader.suffixes)), None)


def without_suffix(name: str) -> str:
    """A file's name without the ending of its format, ``P1_flair`` of ``P1_flair.nii.gz``."""
    return _SUFFIX.sub("", name)


def companions(path: Path, kind: Kind) -> tuple[Path, ...]:
    """The files that belong to one: the voxels of a header; none where it cannot be read."""
    try:
        return _OF_KIND[kind].companions(path)
    except OSError:
        return ()


def detect(path: Path) -> Kind:
    """Tell the format of a file by its first bytes.

    Raises:
        GliosegError: If there is no such file, or it is of no known format.
    """
    try:
        kind = kind_of(path)
    except FileNotFoundError:
        raise BadFileError(path, "does not exist") from None
    except OSError as error:
        raise BadFileError(path, f"cannot be read: {error.strerror or error}") from error
    if kind is None:
        raise BadFileError(
            path,
            "is no format that is read here",
            expected=f"{', '.join(KINDS[:-1])} or {KINDS[-1]}",
            found=content_in_words(path),
            remedy="Give the scan as the scanner, archive or converter wrote it",
        )
    return kind


def read_scan(path: Path, *, patient: str | None = None, sequence: str | None = None) -> "Scan":
    """Read a file of one sequence, of whichever format it is by its content.

    Args:
        path: Of a format of :data:`SCANS`.
        patient: The patient's identifier; without it the file's name.
        sequence: The sequence (see :data:`glioseg.volume.CHANNELS`), where it is known.

    Raises:
        GliosegError: If it is of another format, or as the format's reader does.

    Example:
        >>> scan = read_scan(Path("flair.nii.gz"))
        >>> scan.voxels.shape, scan.voxels.dtype
        ((12, 96, 96), dtype('float32'))
        >>> from glioseg.space.affine import spacing_mm
        >>> spacing_mm(scan.affine)
        (5.0, 2.0, 2.0)
    """
    kind = detect(path)
    location = _OF_KIND[kind].location
    if location is None:
        raise BadFileError(path, "is no image of a single sequence", expected=" or ".join(SCANS), found=kind)
    module, _, function = location.partition(":")
    scan: Scan = getattr(import_module(module), function)(path, patient=patient, sequence=sequence)
    return scan


def content_in_words(path: Path) -> str:
    """What a file of no known format holds."""
    start = _start(path)
    return _other_content(start) or f"a file that begins with the bytes {start[:8].hex(' ')}"


def other_content(path: Path) -> str:
    """What a file of no known format holds, in the few words of a count."""
    start = _start(path)
    words = _other_content(start) or ("text" if _is_text(start) else UNRECOGNISED[1])
    return words.removeprefix("a ").removeprefix("an ")


def _other_content(start: bytes) -> str | None:
    if not start:
        return "an empty file"
    return next((words for magic, words in _OTHERS.items() if start.startswith(magic)), None)


def _is_text(start: bytes) -> bool:
    # Other encodings than UTF-8 hold letters above 127, no text holds the control characters.
    return not any(byte < 32 and byte not in b"\t\n\r\f" for byte in start)


def _start(path: Path) -> bytes:
    if not _is_packed(path):
        with path.open("rb") as file:
            return file.read(_LENGTH)
    try:
        with gzip.open(path) as file:
            return file.read(_LENGTH)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return b"\x1f\x8b"


def _is_packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"
