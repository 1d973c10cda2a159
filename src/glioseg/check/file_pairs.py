"""NIfTI and NRRD scans with masks, read with tolerance, in whichever of the usual arrangements they lie.

Patients and sequences are told by the names of files and folders, as for prediction: ``case7_flair.nii.gz`` and
``case7_seg.nii.gz``, ``images/case7.nii.gz`` and ``labels/case7.nii.gz``, BIDS, BraTS, and nnU-Net's channels.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from glioseg.check.finding import Finding
from glioseg.check.scan import CheckedScan, Reading
from glioseg.errors import BadFileError, GliosegError
from glioseg.files import visible_files
from glioseg.formats.cases import by_patient
from glioseg.formats.readers import SCANS, kind_by_name, read_scan, without_suffix
from glioseg.formats.sequences import MASK, patient_of
from glioseg.scan import Scan
from glioseg.space.axial import axial_view, to_axial
from glioseg.volume import CHANNELS

AFFINE_TOLERANCE_MM = 0.01
BRIGHTEST_PERCENTILE = 99.8
_CHANNEL = re.compile(r"(?P<patient>.+)_(?P<channel>0\d{3})")

Array = NDArray[Any]


@dataclass(frozen=True)
class FilePairs:
    """A folder of NIfTI and NRRD scans, read one patient at a time.

    Attributes:
        root: The data folder.
        files: By patient and sequence, the file.
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
        images = {sequence: image for sequence, path in files.items() if (image := self._open(patient, path, findings))}
        scan = self._join(patient, images, findings)
        if scan is None:
            findings.append(Finding("patient_unreadable", f"{patient} has no readable image", patient))
        if "mask" not in files:
            findings.append(Finding("mask_missing", f"{patient} has no mask", patient))
        missing = [sequence for sequence in CHANNELS if sequence not in files and "flair" in files]
        findings += [
            Finding("sequence_missing", f"{patient} has no file for {sequence}", patient) for sequence in missing
        ]
        return Reading(scan, tuple(findings), tuple(sorted(map(self._place, files.values()))))

    def check_set(self) -> list[Finding]:
        """Files that could not be told apart."""
        return list(self.extra)

    def _open(self, patient: str, path: Path, findings: list[Finding]) -> Scan | None:
        try:
            return read_scan(path, patient=patient)
        except BadFileError as error:
            found = Finding("file_unreadable", f"{path.name} {error.fault}", patient, file=self._place(path))
        except GliosegError as error:
            found = Finding("picture_form", str(error).rstrip("."), patient, file=self._place(path))
        findings.append(found)
        return None

    def _join(self, patient: str, images: dict[str, Scan], findings: list[Finding]) -> CheckedScan | None:
        pictures = {sequence: image for sequence, image in images.items() if sequence != "mask"}
        if not pictures:
            return None
        main = pictures.get("flair") or next(iter(pictures.values()))
        fitting = {
            sequence: image
            for sequence, image in pictures.items()
            if self._fits(patient, sequence, image, main, findings)
        }
        mask = images.get("mask")
        inside = np.zeros(main.voxels.shape, bool)
        labelled = mask is not None and self._fits(patient, "mask", mask, main, findings)
        if mask is not None and labelled:
            inside = self._outline(patient, mask.voxels, findings)
            if not inside.any():
                findings.append(Finding("mask_empty", "no slice has a mask", patient))
        order = [sequence for sequence in CHANNELS if sequence in fitting]
        order += [sequence for sequence in fitting if sequence not in order]
        images_by_slice = np.stack(
            [_by_slice(_as_bytes(fitting[sequence].voxels), main) for sequence in order], axis=-1
        )
        return CheckedScan(
            patient=patient,
            numbers=tuple(range(1, len(images_by_slice) + 1)),
            images=images_by_slice,
            masks=_by_slice(inside, main),
            labelled=np.full(len(images_by_slice), labelled),
            channels=tuple(order),
            original_range=False,
            axes=_axes(main),
        )

    def _fits(self, patient: str, sequence: str, image: Scan, main: Scan, findings: list[Finding]) -> bool:
        place = self._place(self.files[patient][sequence])
        if image.voxels.shape != main.voxels.shape:
            code = "mask_size" if sequence == "mask" else "picture_size"
            message = f"{sequence} has the shape {image.voxels.shape}, the main sequence {main.voxels.shape}"
            findings.append(Finding(code, message, patient, file=place))
            return False
        away = 0.0
        if image.affine is not None and main.affine is not None:
            away = float(np.abs(image.affine - main.affine).max())
        if away > AFFINE_TOLERANCE_MM:
            message = f"the affine of {sequence} differs from the main sequence's by up to {away:.3g}"
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


def find_file_pairs(root: Path) -> FilePairs:
    """Sort the NIfTI and NRRD files of a folder by patient and sequence; nothing is read."""
    files: defaultdict[str, dict[str, Path]] = defaultdict(dict)
    extra: list[Finding] = []
    for patient, sequence, path in _sorted_files(root):
        if sequence in files[patient]:
            message = f"{path.name} and {files[patient][sequence].name} are both {sequence} of {patient}"
            place = path.relative_to(root).as_posix()
            extra.append(Finding("slice_claimed_twice", message, patient, file=place))
        files[patient].setdefault(sequence, path)
    return FilePairs(root, dict(files), tuple(extra))


def _sorted_files(root: Path) -> Iterator[tuple[str, str, Path]]:
    """Each file with its patient and role: a sequence, ``mask``, or what its name says beside the patient."""
    groups = list(by_patient(root, (path for path in visible_files(root) if kind_by_name(path.name) in SCANS)))
    labelled = {patient for patient, group in groups if MASK in group}
    for patient, group in groups:
        for sequence, paths in group.items():
            for path in paths:
                channel = _CHANNEL.fullmatch(patient)
                if sequence is None and channel and channel["patient"] in labelled:
                    yield channel["patient"], f"channel {int(channel['channel'])}", path
                else:
                    yield patient, _sequence(sequence, path), path


def _sequence(sequence: str | None, path: Path) -> str:
    if sequence in CHANNELS or sequence == MASK:
        return "mask" if sequence == MASK else str(sequence)
    stem, patient = without_suffix(path.name), patient_of(path.name)
    return stem[len(patient) :].strip("_-. ").lower() or "picture"


def _by_slice(voxels: Array, main: Scan) -> Array:
    """To axial slices from the neck up with the patient's front up, and the patient's right to the right.

    Where nothing tells the place, slices are taken to be axial, with the front at the end of the rows.
    """
    if _axes(main) is None:
        return np.ascontiguousarray(voxels[:, ::-1])
    return np.ascontiguousarray(to_axial(voxels, axial_view(main.affine))[:, :, ::-1])


def _axes(scan: Scan) -> str | None:
    """Towards which sides the file's own axes (i, j, k) run, where it tells."""
    if scan.affine is None or scan.place != "told":
        return None
    codes = nibabel.aff2axcodes(scan.affine[:, [2, 1, 0, 3]])
    return None if None in codes else "".join(codes)


def _as_bytes(voxels: Array) -> NDArray[np.uint8]:
    """To 0 to 255, from the smallest value, which is background, to the brightest but for some outliers."""
    low = float(voxels.min())
    high = float(np.percentile(voxels, BRIGHTEST_PERCENTILE))
    scaled = (voxels.astype(np.float32) - low) * (255 / max(high - low, 1e-6))
    return np.asarray(np.clip(scaled, 0, 255), np.uint8)
