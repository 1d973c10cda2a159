"""NIfTI scans with masks, read with tolerance, in whichever of the usual arrangements they lie.

A file's last word tells what it is: ``case7_flair.nii.gz``, ``case7_t1ce.nii.gz``, ``case7_seg.nii.gz``, or
``case7_0000.nii.gz`` by channel number as nnU-Net names them; the words before it name the patient. A file without
such a word is a mask where its folder is named for labels, and a picture otherwise, so that ``images/case7.nii.gz`` and
``labels/case7.nii.gz`` are a pair. A patient's folder may stand for the patient's name.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from glioseg.check.finding import Finding
from glioseg.check.scan import CheckedScan, Reading
from glioseg.formats.sequences import patient_of, role_of
from glioseg.volume import CHANNELS

ROLES = {
    "pre": ("pre", "t1", "t1n", "t1w", "t1pre"),
    "flair": ("flair", "t2f", "fl"),
    "post": ("post", "t1ce", "t1c", "t1gd", "t1post"),
    "t2": ("t2", "t2w"),
    "mask": ("mask", "seg", "label", "segmentation", "tumour", "tumor"),
}
_ROLE_OF = {word: role for role, words in ROLES.items() for word in words}
LABEL_FOLDERS = re.compile(r"(label|mask|seg|annotation)s?(tr|ts)?", re.IGNORECASE)
_SUFFIX = re.compile(r"\.nii(\.gz)?$", re.IGNORECASE)
AFFINE_TOLERANCE_MM = 0.01
BRIGHTEST_PERCENTILE = 99.8

Array = NDArray[Any]


@dataclass(frozen=True)
class NiftiPairs:
    """A folder of NIfTI scans, read one patient at a time.

    Attributes:
        root: The data folder.
        files: By patient and role, the file.
        extra: What was found besides.
    """

    root: Path
    files: dict[str, dict[str, Path]]
    extra: tuple[Finding, ...] = ()

    @property
    def patients(self) -> tuple[str, ...]:
        """The patients in the order of their names."""
        return tuple(sorted(self.files))

    def read(self, patient: str) -> Reading:
        """Read one patient; what cannot be read is a finding."""
        files = self.files[patient]
        findings: list[Finding] = []
        images = {role: image for role, path in files.items() if (image := self._open(patient, path, findings))}
        scan = self._join(patient, images, findings)
        if scan is None:
            findings.append(Finding("patient_unreadable", f"{patient} has no readable picture", patient))
        if "mask" not in files:
            findings.append(Finding("mask_missing", f"{patient} has no mask", patient))
        missing = [role for role in CHANNELS if role not in files and "flair" in files]
        findings += [Finding("sequence_missing", f"{patient} has no file for {role}", patient) for role in missing]
        return Reading(scan, tuple(findings), tuple(sorted(map(self._place, files.values()))))

    def check_set(self) -> list[Finding]:
        """Files that could not be told apart."""
        return list(self.extra)

    def _open(self, patient: str, path: Path, findings: list[Finding]) -> "_Image | None":
        try:
            image = nibabel.load(path)
            voxels = np.asarray(image.dataobj)
        # nibabel reports a damaged file by whichever error its reader meets first: zlib's, numpy's, its own.
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            findings.append(Finding("file_unreadable", f"{path.name}: {reason}", patient, file=self._place(path)))
            return None
        if voxels.ndim == 4 and voxels.shape[-1] == 1:
            voxels = voxels[..., 0]
        if voxels.ndim != 3 or not np.isfinite(voxels).all():
            found = str(voxels.shape) if voxels.ndim != 3 else "voxels that are no numbers"
            message = f"{path.name} holds {found}, not finite numbers in three dimensions"
            findings.append(Finding("picture_form", message, patient, file=self._place(path)))
            return None
        placed = bool(image.header["sform_code"] or image.header["qform_code"])
        return _Image(voxels, np.asarray(image.affine), _axes(image.affine) if placed else None)

    def _join(self, patient: str, images: "dict[str, _Image]", findings: list[Finding]) -> CheckedScan | None:
        pictures = {role: image for role, image in images.items() if role != "mask"}
        if not pictures:
            return None
        main = pictures.get("flair") or next(iter(pictures.values()))
        fitting = {role: image for role, image in pictures.items() if self._fits(patient, role, image, main, findings)}
        mask = images.get("mask")
        inside = np.zeros(main.voxels.shape, bool)
        labelled = mask is not None and self._fits(patient, "mask", mask, main, findings)
        if mask is not None and labelled:
            inside = self._outline(patient, mask.voxels, findings)
            if not inside.any():
                findings.append(Finding("mask_empty", "no slice has a mask", patient))
        order = [role for role in CHANNELS if role in fitting]
        order += [role for role in fitting if role not in order]
        pictures_by_slice = np.stack([_by_slice(_as_bytes(fitting[role].voxels), main) for role in order], axis=-1)
        return CheckedScan(
            patient=patient,
            numbers=tuple(range(1, len(pictures_by_slice) + 1)),
            pictures=pictures_by_slice,
            masks=_by_slice(inside, main),
            labelled=np.full(len(pictures_by_slice), labelled),
            channels=tuple(order),
            original_range=False,
            axes=main.axes,
        )

    def _fits(self, patient: str, role: str, image: "_Image", main: "_Image", findings: list[Finding]) -> bool:
        place = self._place(self.files[patient][role])
        if image.voxels.shape != main.voxels.shape:
            code = "mask_size" if role == "mask" else "picture_size"
            message = f"{role} has the shape {image.voxels.shape}, the main sequence {main.voxels.shape}"
            findings.append(Finding(code, message, patient, file=place))
            return False
        away = float(np.abs(image.affine - main.affine).max())
        if away > AFFINE_TOLERANCE_MM:
            message = f"the affine of {role} differs from the main sequence's by up to {away:.3g}"
            findings.append(
                Finding("geometry_differs", message, patient, file=place, evidence={"difference": round(away, 4)})
            )
        return True

    def _outline(self, patient: str, voxels: Array, findings: list[Finding]) -> NDArray[np.bool_]:
        values = np.unique(voxels)
        # Several whole numbers are several kinds of tissue, as in BraTS; fractions are a smoothed mask.
        if not np.array_equal(values, np.round(values)) or len(values) > 16 or values[0] < 0:
            shown = " ".join(f"{value:g}" for value in values[:6])
            place = self._place(self.files[patient]["mask"])
            message = f"the mask has the values {shown}{' ...' if len(values) > 6 else ''}"
            findings.append(Finding("mask_not_binary", message, patient, file=place, evidence={"values": shown}))
            return np.asarray(voxels > values[-1] / 2)
        return np.asarray(voxels > 0)

    def _place(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


@dataclass(frozen=True)
class _Image:
    """Voxels in the file's axes, their affine, and towards which sides the axes run."""

    voxels: Array
    affine: NDArray[np.float64]
    axes: str | None


def find_nifti_pairs(root: Path) -> NiftiPairs:
    """Sort the NIfTI files of a folder by patient and role; nothing is read."""
    files: defaultdict[str, dict[str, Path]] = defaultdict(dict)
    extra: list[Finding] = []
    for path in sorted(path for path in root.rglob("*") if path.is_file() and _SUFFIX.search(path.name)):
        patient, role = name_of(path, root)
        if role in files[patient]:
            message = f"{path.name} and {files[patient][role].name} are both {role} of {patient}"
            place = path.relative_to(root).as_posix()
            extra.append(Finding("slice_claimed_twice", message, patient, file=place))
        files[patient].setdefault(role, path)
    return NiftiPairs(root, dict(files), tuple(extra))


def name_of(path: Path, root: Path) -> tuple[str, str]:
    """The patient and the role that a file's name and folder tell."""
    words = re.split(r"[_\-.\s]+", _SUFFIX.sub("", path.name))
    last = words[-1].lower()
    folder = path.parent.name if path.parent != root else ""
    channel = f"channel {int(last)}" if re.fullmatch(r"0\d{3}", last) else None
    role = _ROLE_OF.get(last) or channel
    if path.name.startswith("sub-"):
        # BIDS tells contrast in a word of its own, as sub-01_ce-gd_T1w.
        told = role_of(path.name) if role in CHANNELS else None
        return patient_of(path.name) or folder, told or role or "picture"
    if role is None:
        return _SUFFIX.sub("", path.name), "mask" if LABEL_FOLDERS.fullmatch(folder) else "picture"
    stem = re.sub(r"[_\-.\s]*[^_\-.\s]+$", "", _SUFFIX.sub("", path.name))
    return stem or folder or "patient", role


def _by_slice(voxels: Array, main: _Image) -> Array:
    """To (slice, row, column) with the patient's front up, as the dataset has it, where the affine tells."""
    if main.axes is not None:
        orientation = nibabel.orientations.io_orientation(main.affine)
        voxels = nibabel.orientations.apply_orientation(voxels, orientation)
    return np.ascontiguousarray(voxels.transpose(2, 1, 0)[:, ::-1])


def _as_bytes(voxels: Array) -> NDArray[np.uint8]:
    """To 0 to 255, from the smallest value, which is background, to the brightest but for some outliers."""
    low = float(voxels.min())
    high = float(np.percentile(voxels, BRIGHTEST_PERCENTILE))
    scaled = (voxels.astype(np.float32) - low) * (255 / max(high - low, 1e-6))
    return np.asarray(np.clip(scaled, 0, 255), np.uint8)


def _axes(affine: NDArray[np.float64]) -> str | None:
    codes = nibabel.aff2axcodes(affine)
    return None if None in codes else "".join(codes)
