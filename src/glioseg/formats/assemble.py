"""Several sequences of one patient on one grid: the FLAIR's, because it is the FLAIR that every mask is drawn on."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glioseg.errors import GliosegError
from glioseg.formats.sequences import TITLES
from glioseg.scan import Scan
from glioseg.space.affine import grid_of, same_grid, spacing_mm
from glioseg.space.resampling import field_of_view, resample_scan
from glioseg.volume import CHANNELS, Volume

MIN_HEAD_SHARE = 0.5
"""Least share of the FLAIR's head that another sequence must show."""

# Of the range from the darkest to the brightest voxels: above it lies the head, below it air and noise.
_HEAD_ABOVE = 0.1
_COMPLETE = 0.995


@dataclass(frozen=True)
class Assembly:
    """A patient's sequences on the FLAIR's grid, and what was done to bring them there.

    Attributes:
        volume: Channels in the order of :data:`glioseg.volume.CHANNELS`, float32.
        missing: Roles that there was no scan for; their channel is a copy of the FLAIR.
        resampled: Roles whose scan lay on another grid.
        remarks: What a user should know, the readers' remarks included, a sentence each.
    """

    volume: Volume
    missing: tuple[str, ...]
    resampled: tuple[str, ...]
    remarks: tuple[str, ...]


def assemble(patient: str, scans: Mapping[str, Scan]) -> Assembly:
    """Bring a patient's scans onto the grid of the FLAIR.

    A scan on the same grid is taken voxel for voxel, one on another is resampled. A sequence that is missing is
    filled by the FLAIR, as in the dataset, so that :meth:`glioseg.volume.Volume.missing_sequences` finds it.

    Args:
        patient: The patient's identifier.
        scans: By role; the FLAIR must be there.

    Raises:
        GliosegError: If there is no FLAIR, a role is unknown, a scan shows less than half of the FLAIR's head, or
            nothing tells where a scan lies with respect to the FLAIR.
    """
    _check_roles(patient, scans)
    flair = scans["flair"]
    remarks = [remark for role in CHANNELS if role in scans for remark in scans[role].remarks]
    channels: list[NDArray[np.float32]] = []
    resampled = []
    for role in CHANNELS:
        scan = scans.get(role, flair)
        if not same_grid(grid_of(scan), grid_of(flair)):
            remarks.append(_check_overlap(role, scan, flair))
            resampled.append(role)
            scan = resample_scan(scan, grid_of(flair))
        channels.append(scan.voxels)
    missing = tuple(role for role in CHANNELS if role not in scans)
    remarks += [f"there is no {TITLES[role]}; the FLAIR stands in for it" for role in missing]
    volume = Volume(patient, np.stack(channels, axis=-1), affine=flair.affine)
    return Assembly(volume, missing, tuple(resampled), tuple(dict.fromkeys(remarks)))


def _check_roles(patient: str, scans: Mapping[str, Scan]) -> None:
    unknown = [role for role in scans if role not in CHANNELS]
    if unknown or "flair" not in scans:
        raise GliosegError(
            f"patient {patient} has no FLAIR" if not unknown else f"patient {patient}: unknown sequence {unknown[0]}",
            expected="flair, and pre and post where they were taken",
            found=", ".join(scans) or "nothing",
        )


def _check_overlap(role: str, scan: Scan, flair: Scan) -> str:
    """Refuse a scan that does not show the FLAIR's head; otherwise tell that and how it is resampled."""
    if scan.affine is None or flair.affine is None:
        raise GliosegError(
            f"nothing tells how {_named(scan, role)} lies with respect to {_named(flair, 'flair')}",
            expected="both with their place in space",
            found=f"{_in_words(scan)} and {_in_words(flair)}",
            remedy="Convert both again from DICOM, or leave out the first",
        )
    seen = field_of_view(grid_of(scan), grid_of(flair))
    share = float(seen[_head(flair.voxels)].mean())
    if share < MIN_HEAD_SHARE:
        raise GliosegError(
            f"{_named(scan, role)} does not show the head of {_named(flair, 'flair')}",
            expected=f"{MIN_HEAD_SHARE:.0%} of it or more",
            found=f"{share:.0%}",
            remedy="Check that both are of one patient and one examination",
        )
    partly = "" if share >= _COMPLETE else f"; it shows {share:.0%} of the head, the rest is left dark"
    return f"{TITLES[role]} ({_in_words(scan)}) is resampled onto the FLAIR ({_in_words(flair)}){partly}"


def _head(voxels: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Roughly the voxels of the head; all, where nothing stands out."""
    dark, bright = np.percentile(voxels, (0.5, 99.5))
    head: NDArray[np.bool_] = voxels > dark + _HEAD_ABOVE * (bright - dark)
    return head if head.any() else np.ones(voxels.shape, np.bool_)


def _named(scan: Scan, role: str) -> str:
    return scan.source or f"the {TITLES[role]} of {scan.patient}"


def _in_words(scan: Scan) -> str:
    size = " x ".join(map(str, scan.voxels.shape))
    if scan.affine is None:
        return f"{size} voxels of unknown place"
    return f"{size} voxels of {' x '.join(f'{step:.3g}' for step in spacing_mm(scan.affine))} mm"
