"""Several sequences of one patient on one grid: the FLAIR's, because it is the FLAIR that every mask is drawn on."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glioseg.errors import GliosegError
from glioseg.formats.not_numbers import roughly_head
from glioseg.formats.sequences import TITLES
from glioseg.scan import Scan
from glioseg.space.affine import grid_of, same_grid, spacing_mm
from glioseg.space.resampling import field_of_view, resample_scan
from glioseg.volume import CHANNELS, Volume, copies_of_flair, joined

MIN_HEAD_SHARE = 0.5
"""Least share of the FLAIR's head that another sequence must show; one that shows less is left out."""

_COMPLETE = 0.995


@dataclass(frozen=True)
class Assembly:
    """A patient's sequences on the FLAIR's grid, and what was done to bring them there.

    Attributes:
        volume: Channels in the order of :data:`glioseg.volume.CHANNELS`, float32.
        missing: Sequences that there was no scan for, or none that shows the FLAIR's head; their
            channel is a copy of the FLAIR.
        resampled: Sequences whose scan lay on another grid.
        remarks: What a user should know, the readers' remarks included, a sentence each.
    """

    volume: Volume
    missing: tuple[str, ...]
    resampled: tuple[str, ...]
    remarks: tuple[str, ...]


def assemble(patient: str, scans: Mapping[str, Scan]) -> Assembly:
    """Bring a patient's scans onto the grid of the FLAIR.

    A scan on the same grid is taken voxel for voxel, one on another is resampled. One that does not show the FLAIR's
    head, that is the same everywhere, or of which nothing tells where it lies, is left out. A sequence that is missing
    is filled by the FLAIR, as in the dataset, and counts as missing, as does one whose scan is a copy of the FLAIR.

    Args:
        patient: The patient's identifier.
        scans: By sequence; the FLAIR must be there.

    Raises:
        GliosegError: If there is no FLAIR, or a sequence is unknown.

    Example:
        >>> scan = Scan("P1", np.ones((12, 96, 96), np.float32), np.eye(4))
        >>> patient = assemble("P1", {"flair": scan})
        >>> patient.volume.voxels.shape, patient.missing
        ((12, 96, 96, 3), ('pre', 'post'))
    """
    _check_sequences(patient, scans)
    flair = scans["flair"]
    remarks = [remark for sequence in CHANNELS if sequence in scans for remark in scans[sequence].remarks]
    channels: list[NDArray[np.float32]] = []
    missing, resampled = [], []
    for sequence in CHANNELS:
        scan = scans.get(sequence)
        placed = None if scan is None else _onto_flair(sequence, scan, flair, remarks)
        if placed is None:
            missing.append(sequence)
        elif placed is not scan:
            resampled.append(sequence)
        channels.append((placed or flair).voxels)
    remarks += [
        f"there is no {TITLES[sequence]}; the FLAIR stands in for it" for sequence in missing if sequence not in scans
    ]
    voxels = joined(channels)
    volume = Volume(patient, voxels, missing=copies_of_flair(voxels), affine=flair.affine, place=flair.place)
    return Assembly(volume, tuple(missing), tuple(resampled), tuple(dict.fromkeys(remarks)))


def _check_sequences(patient: str, scans: Mapping[str, Scan]) -> None:
    unknown = [sequence for sequence in scans if sequence not in CHANNELS]
    if unknown or "flair" not in scans:
        raise GliosegError(
            f"patient {patient} has no FLAIR" if not unknown else f"patient {patient}: unknown sequence {unknown[0]}",
            expected="flair, and pre and post where they were taken",
            found=", ".join(scans) or "nothing",
        )


def _onto_flair(sequence: str, scan: Scan, flair: Scan, remarks: list[str]) -> Scan | None:
    """A scan on the FLAIR's grid, or None where it does not show the FLAIR's head; what was done is remarked."""
    left_out = f"so it is left out and the FLAIR stands in for the {TITLES[sequence]}"
    if scan is not flair and scan.voxels.min() == scan.voxels.max():
        remarks.append(f"{_named(scan)} is the same everywhere, {left_out}")
        return None
    if same_grid(grid_of(scan), grid_of(flair)):
        return scan
    if not (_is_placed(scan) and _is_placed(flair)):
        remarks.append(f"nothing tells how {_named(scan)} lies with respect to {_named(flair)}, {left_out}")
        return None
    seen = field_of_view(grid_of(scan), grid_of(flair))
    share = float(seen[roughly_head(flair.voxels)].mean())
    if share < MIN_HEAD_SHARE:
        remarks.append(f"{_named(scan)} shows {share:.0%} of the head of {_named(flair)}, {left_out}")
        return None
    partly = "" if share >= _COMPLETE else f"; it shows {share:.0%} of the head, the rest is left dark"
    remarks.append(f"{TITLES[sequence]} ({_in_words(scan)}) is resampled onto the FLAIR ({_in_words(flair)}){partly}")
    return resample_scan(scan, grid_of(flair))


def _is_placed(scan: Scan) -> bool:
    return scan.affine is not None and scan.place == "told"


def _named(scan: Scan) -> str:
    return scan.source or f"the {TITLES.get(scan.sequence or '', 'scan')} of {scan.patient}"


def _in_words(scan: Scan) -> str:
    assert scan.affine is not None
    size = " x ".join(map(str, scan.voxels.shape))
    return f"{size} voxels of {' x '.join(f'{step:.3g}' for step in spacing_mm(scan.affine))} mm"
