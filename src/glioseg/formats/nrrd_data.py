"""The voxels of an NRRD file: where they lie, and how they are unpacked without trusting what the header claims.

Source: the NRRD format definition, http://teem.sourceforge.net/nrrd/format.html.
"""

import bz2
import gzip
import math
import os
import unicodedata
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import nrrd
from numpy.typing import NDArray

from glioseg.errors import BadFileError, GliosegError
from glioseg.formats.claimed_size import GZIP_EXPANSION, check_claimed_size

_GZIP, _BZIP2, _TEXT = ("gzip", "gz"), ("bzip2", "bz2"), ("ascii", "text", "txt")
_DATA_FILE = ("data file", "datafile")
_SKIPS = ("line skip", "lineskip", "byte skip", "byteskip")


def read_voxels(path: Path, stream: IO[bytes], header: Mapping[str, Any], bytes_per_voxel: int) -> NDArray[Any]:
    """Read the voxels that follow the header, or lie in the file that it names.

    Args:
        path: The file of the header.
        stream: It, opened, just behind the header.
        header: As pynrrd parsed it.
        bytes_per_voxel: What one takes.

    Returns:
        The array with the file's axes in reverse order, the fastest last.

    Raises:
        GliosegError: If the claimed size cannot be, or the data file lies outside the header's folder.
        Exception: Whatever the unpacking raises on damaged data.
    """
    encoding = str(header["encoding"]).lower()
    with ExitStack() as opened:
        source = path
        name = next((header[key] for key in _DATA_FILE if key in header), None)
        if name is not None:
            source = _data_file(path, str(name))
            stream = opened.enter_context(source.open("rb"))
        stored = source.stat().st_size - stream.tell()
        expansion = GZIP_EXPANSION if encoding in _GZIP else None if encoding in _BZIP2 else 1
        least = 1 if encoding in _TEXT else bytes_per_voxel
        check_claimed_size(source, [int(size) for size in header["sizes"]], least, stored, expansion=expansion)
        own = {key: value for key, value in header.items() if key not in _DATA_FILE}
        if encoding not in (*_GZIP, *_BZIP2):
            return nrrd.read_data(own, stream, index_order="C")
        return _unpacked(source, stream, own, encoding, bytes_per_voxel)


def _unpacked(
    source: Path, stream: IO[bytes], header: Mapping[str, Any], encoding: str, bytes_per_voxel: int
) -> NDArray[Any]:
    """Unpack no more than the header claims: pynrrd would unpack all there is, however much that be."""
    for _ in range(_skip(header, "line")):
        stream.readline()
    skipped = _skip(header, "byte")
    if skipped < 0:
        raise GliosegError(f"{source} has a byte skip of -1, which compressed data cannot have")
    unpacker: Any = gzip.GzipFile(fileobj=stream) if encoding in _GZIP else bz2.BZ2File(stream)
    wanted = math.prod(int(size) for size in header["sizes"]) * bytes_per_voxel
    with unpacker:
        unpacker.seek(skipped)
        content = unpacker.read(wanted)
        # Only at its end does a compressed stream tell whether all of it was right.
        unpacker.read(2**20)
    plain = {key: value for key, value in header.items() if key not in _SKIPS} | {"encoding": "raw"}
    return nrrd.read_data(plain, BytesIO(content), index_order="C")


def _skip(header: Mapping[str, Any], what: str) -> int:
    return int(header.get(f"{what} skip", header.get(f"{what}skip", 0)))


def _data_file(path: Path, name: str) -> Path:
    """The file beside a detached header. A header from elsewhere is not to name any file of the machine."""
    if name.split()[:1] == ["LIST"] or "%" in name:
        raise BadFileError(
            path,
            "spreads its image over several files",
            remedy="Save it as a single .nrrd file, for example in 3D Slicer",
        )
    folder = path.parent.resolve()
    source = next(
        (found for spelt in _spellings(name) if (found := (folder / spelt).resolve()).is_file()), folder / name
    )
    if Path(name).is_absolute() or not source.is_relative_to(folder):
        raise BadFileError(
            path,
            "names a data file outside its folder",
            expected="a file beside the header",
            found=name,
            remedy="Move the data file beside the header and name it there",
        )
    if not source.is_file():
        raise BadFileError(path, f"lacks its data file {name}", remedy="Put it beside the header")
    return source


def _spellings(name: str) -> list[str]:
    """How a name may stand on the disk: macOS takes accents from their letters, old archives keep Latin-1 bytes."""
    spellings = [name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)]
    with suppress(UnicodeEncodeError):
        spellings.append(os.fsdecode(name.encode("latin-1")))
    return spellings
