"""The dataset's layout read with tolerance: a bad file becomes a finding, and the rest is checked all the same."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glioseg.check.finding import Finding
from glioseg.check.scan import CheckedScan, Reading
from glioseg.dataset.lgg import (
    CLINICAL_TABLE,
    case_of,
    find_patient_folders,
    parse_slice_name,
    read_clinical,
)
from glioseg.errors import BadFileError, GliosegError
from glioseg.files import entries, visible_files
from glioseg.formats.readers import kind_by_name
from glioseg.formats.tif import read_tif
from glioseg.volume import CHANNELS

CLEANING_LOG = "cleaning.json"
"""What the program itself leaves in a cleaned copy."""

NARROW_RANGE = 13
"""A twentieth of 0 to 255: images scaled to 0 to 1 or to few grey levels stay below it."""

Pixels = NDArray[Any]


@dataclass(frozen=True)
class TifLayout:
    """A folder of patients' folders, read one patient at a time.

    Attributes:
        root: The folder that holds ``data.csv``.
        patients: The patients' folders, in the order of their names.
        whole: Whether these are all patients of the folder.
    """

    root: Path
    patients: tuple[str, ...]
    whole: bool = True

    def read(self, patient: str) -> Reading:
        """Read one patient; what cannot be read is a finding."""
        folder = self.root / patient
        listing = _list_files(self.root, folder)
        findings = list(listing.findings)
        findings += _numbering(listing)
        images = _read_all(self.root, listing.images, patient, findings)
        masks = _read_all(self.root, listing.masks, patient, findings)
        files = tuple(path.relative_to(self.root).as_posix() for path in visible_files(folder))
        judge = _Judge(self.root, patient, listing, findings)
        scan = judge.join(images, masks)
        if scan is None:
            findings.append(Finding("patient_unreadable", f"{patient} has no readable image", patient))
        return Reading(scan, tuple(findings), files)

    def check_set(self) -> list[Finding]:
        """What concerns no single patient: stray files, and ``data.csv`` against the folders."""
        if not self.whole:
            return []
        return [*_stray_files(self.root, set(self.patients)), *_check_clinical(self.root, self.patients)]


def find_tif_layout(root: Path) -> TifLayout | None:
    """The patients of a folder in the dataset's layout, or None where there is none; nothing is read."""
    try:
        folders = find_patient_folders(root)
    except GliosegError:
        return None
    whole = folders[0].resolve() != root.resolve()
    return TifLayout(folders[0].parent, tuple(folder.name for folder in folders), whole)


@dataclass(frozen=True)
class _Listing:
    """The files of a patient by slice number."""

    patient: str
    images: dict[int, Path]
    masks: dict[int, Path]
    findings: tuple[Finding, ...]


def _list_files(root: Path, folder: Path) -> _Listing:
    images: dict[int, Path] = {}
    masks: dict[int, Path] = {}
    findings: list[Finding] = []

    def found(code: str, path: Path, message: str, number: int | None = None) -> None:
        findings.append(Finding(code, message, folder.name, number, path.relative_to(root).as_posix()))

    for path in entries(folder):
        if kind_by_name(path.name) != "tif" or not path.is_file():
            found("file_extra", path, f"{path.name} belongs to no slice")
            continue
        name = parse_slice_name(path.name)
        if name is None or name.patient != folder.name:
            found("file_misnamed", path, f"{path.name} does not name a slice of {folder.name}")
            continue
        kind = masks if name.is_mask else images
        if name.number in kind:
            found("slice_claimed_twice", path, f"{path.name} and {kind[name.number].name} are one slice", name.number)
            continue
        kind[name.number] = path
    return _Listing(folder.name, images, masks, tuple(findings))


def _numbering(listing: _Listing) -> Iterator[Finding]:
    numbers = sorted(listing.images.keys() | listing.masks.keys())
    if not numbers:
        return
    for number in range(numbers[0], numbers[-1] + 1):
        image, mask = number in listing.images, number in listing.masks
        if image and mask:
            continue
        code = "mask_missing" if image else "picture_missing" if mask else "slice_missing"
        lacks = {"mask_missing": "no mask", "picture_missing": "no image", "slice_missing": "no file"}[code]
        yield Finding(code, f"slice {number} of {numbers[0]} to {numbers[-1]} has {lacks}", listing.patient, number)


def _read_all(root: Path, paths: dict[int, Path], patient: str, findings: list[Finding]) -> dict[int, Pixels]:
    pixels = {}
    for number, path in sorted(paths.items()):
        try:
            pixels[number] = read_tif(path)
        except BadFileError as error:
            place = path.relative_to(root).as_posix()
            findings.append(Finding("file_unreadable", f"{path.name} {error.fault}", patient, number, place))
    return pixels


@dataclass(frozen=True)
class _Judge:
    """Sorts out what was read: what has the right form goes into the scan, the rest becomes findings."""

    root: Path
    patient: str
    listing: _Listing
    findings: list[Finding]

    def join(self, images: dict[int, Pixels], masks: dict[int, Pixels]) -> CheckedScan | None:
        """The slices that fit each other, or None where there is none."""
        formed = {number: pixels for number, pixels in images.items() if self._has_form(number, pixels)}
        if not formed:
            return None
        size = Counter(pixels.shape[:2] for pixels in formed.values()).most_common(1)[0][0]
        kept = {number: pixels for number, pixels in formed.items() if self._has_size(number, pixels, size)}
        numbers = tuple(kept)
        contours = {number: self._contour(number, masks[number], size) for number in numbers if number in masks}
        labelled = np.array([contours.get(number) is not None for number in numbers])
        inside = np.zeros((len(numbers), *size), bool)
        for place, number in enumerate(numbers):
            if (contour := contours.get(number)) is not None:
                inside[place] = contour
        stack = np.stack([kept[number] for number in numbers])
        self._check_range(stack)
        if labelled.any() and not inside.any():
            self._found("mask_empty", None, "no slice has a mask", slices=len(numbers))
        return CheckedScan(self.patient, numbers, stack, inside, labelled)

    def _has_form(self, number: int, pixels: Pixels) -> bool:
        fits = pixels.ndim == 3 and pixels.shape[-1] == len(CHANNELS) and pixels.dtype == np.uint8
        if not fits:
            found = f"{pixels.dtype} {pixels.shape}"
            message = f"the image is {found}, not uint8 (row, column, {len(CHANNELS)})"
            self._found("picture_form", self.listing.images[number], message, number, found=found)
        return fits

    def _has_size(self, number: int, pixels: Pixels, size: tuple[int, int]) -> bool:
        if pixels.shape[:2] != size:
            found = _times(pixels.shape[:2])
            message = f"the slice is {found}, most are {_times(size)}"
            self._found("picture_size", self.listing.images[number], message, number, found=found)
        return pixels.shape[:2] == size

    def _contour(self, number: int, pixels: Pixels, size: tuple[int, int]) -> NDArray[np.bool_] | None:
        path = self.listing.masks[number]
        if pixels.ndim != 2 or pixels.dtype != np.uint8:
            found = f"{pixels.dtype} {pixels.shape}"
            self._found("mask_form", path, f"the mask is {found}, not uint8 (row, column)", number, found=found)
            return None
        if pixels.shape != size:
            found = _times(pixels.shape)
            self._found("mask_size", path, f"the mask is {found}, the image {_times(size)}", number, found=found)
            return None
        is_binary = np.all((pixels == 255) | (pixels == 0))
        if not is_binary:
            values = np.unique(pixels)
            shown = " ".join(map(str, values[:6])) + (" ..." if len(values) > 6 else "")
            self._found("mask_not_binary", path, f"the mask has the values {shown}", number, values=shown)
        return binarised(pixels)

    def _check_range(self, images: NDArray[np.uint8]) -> None:
        brightest = images.max(axis=(1, 2, 3))
        if 0 < brightest.max() < NARROW_RANGE:
            message = f"no intensity exceeds {brightest.max()} of 255 in any slice"
            self._found("picture_range", None, message, brightest=int(brightest.max()))

    def _found(
        self, code: str, path: Path | None, message: str, number: int | None = None, **numbers: str | int
    ) -> None:
        place = path.relative_to(self.root).as_posix() if path else None
        self.findings.append(Finding(code, message, self.patient, number, place, numbers))


def binarised(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The mask that was meant: the upper half of grey values, or everything above 0 where no value is large."""
    return np.asarray(pixels > (127 if pixels.max() > 127 else 0))


def _stray_files(root: Path, patients: set[str]) -> Iterator[Finding]:
    for path in entries(root):
        if path.name in patients or path.name in (CLINICAL_TABLE, CLEANING_LOG):
            continue
        what = "holds no image" if path.is_dir() else "belongs to no patient"
        yield Finding("file_extra", f"{path.name} {what}", file=path.name)


def _check_clinical(root: Path, patients: tuple[str, ...]) -> Iterator[Finding]:
    try:
        rows = read_clinical(root)
    except GliosegError as error:
        yield Finding("clinical_unreadable", str(error).rstrip("."), file=CLINICAL_TABLE)
        return
    if not rows:
        return
    cases = {case_of(patient): patient for patient in patients}
    for case in sorted(rows.keys() - cases.keys()):
        yield Finding(
            "clinical_without_patient", f"{case} has a row in data.csv and no folder", case, file=CLINICAL_TABLE
        )
    for case in sorted(cases.keys() - rows.keys()):
        yield Finding("patient_without_clinical", f"{case} has no row in data.csv", cases[case], file=CLINICAL_TABLE)


def _times(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, size))
