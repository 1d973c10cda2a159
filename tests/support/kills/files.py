"""Whether files are whole, and what a folder holds."""

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import nibabel
import numpy as np
import onnx
import pydicom
import tifffile
import torch
from PIL import Image
from safetensors.numpy import load as load_tensors

from glioseg.errors import GliosegError
from glioseg.inference.contract import WEIGHTS, check_exported, load_contract

Reader = Callable[[bytes], object]


def broken(path: Path) -> str:
    """What keeps a file from being read to its end; nothing where it is whole."""
    reader = _READERS.get(path.suffix)
    if reader is None:
        return "" if path.suffix in _ANYTHING else "nobody knows how such a file is read"
    try:
        reader(path.read_bytes())
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def broken_bundle(folder: Path) -> str:
    """Why a folder with a contract is no model that can be used; nothing where it is one."""
    try:
        contract = load_contract(folder)
        if contract.weights_sha256 != hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest():
            return f"{WEIGHTS} is not that of the contract"
        if contract.exported is not None:
            check_exported(folder, contract)
    except (GliosegError, OSError) as error:
        return str(error)
    return ""


def listing(root: Path) -> set[str]:
    """Every file and every empty folder below one, hidden ones too, relative to it."""
    below = {path for path in root.rglob("*") if not path.is_dir() or not any(path.iterdir())}
    return {path.relative_to(root).as_posix() for path in below}


def hashes(root: Path, patterns: Iterable[str]) -> dict[str, str]:
    """By path the hash of every file that fits one of the patterns."""
    paths = {path for pattern in patterns for path in root.glob(pattern) if path.is_file()}
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(paths)}


def differing(found: Mapping[str, str], expected: Mapping[str, str]) -> list[str]:
    """Which files are others, lack or are too many."""
    return sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))


def is_hidden(name: str) -> bool:
    """Whether a file, or a folder that it lies in, is hidden."""
    return any(part.startswith(".") for part in Path(name).parts)


def _text(content: bytes) -> None:
    if not content.decode().endswith("\n"):
        raise ValueError("its last line has no end")


def _table(content: bytes) -> None:
    _text(content)
    header, *rows = csv.reader(io.StringIO(content.decode()))
    if any(len(row) != len(header) for row in rows):
        raise ValueError("its rows differ in length")


def _page(content: bytes) -> None:
    if not content.decode().rstrip().endswith("</html>"):
        raise ValueError("it does not end as a page")


def _image(content: bytes) -> None:
    Image.open(io.BytesIO(content)).load()


def _nifti(content: bytes) -> None:
    nibabel.Nifti1Image.from_bytes(gzip.decompress(content)).get_fdata()


def _arrays(content: bytes) -> None:
    with np.load(io.BytesIO(content)) as kept:
        for name in kept.files:
            kept[name]


def _dicom(content: bytes) -> None:
    dataset = pydicom.dcmread(io.BytesIO(content))
    if "PixelData" in dataset:
        dataset.pixel_array  # noqa: B018


_READERS: dict[str, Reader] = {
    ".json": json.loads,
    ".csv": _table,
    ".md": _text,
    ".txt": _text,
    ".html": _page,
    ".png": _image,
    ".tif": lambda content: tifffile.imread(io.BytesIO(content)),
    ".gz": _nifti,
    ".npz": _arrays,
    ".dcm": _dicom,
    ".safetensors": load_tensors,
    ".pt": lambda content: torch.load(io.BytesIO(content), weights_only=True),
    ".onnx": onnx.load_from_string,
}
# Written line by line, or without any content; arrays of a cache, whose index tells their size.
_ANYTHING = (".log", ".lock", ".u8")
