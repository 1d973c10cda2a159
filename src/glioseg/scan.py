"""One sequence of one patient as a file gave it: voxels, their place in space, and what the reader remarked."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from glioseg.errors import GliosegError

Place = Literal["told", "spacing", "assumed"]
"""How much of an affine the file itself tells: all of it; the spacing alone, in the directions that its format's
standard takes; or nothing, the spacing being 1 mm for want of another."""


@dataclass(frozen=True)
class Scan:
    """A single sequence on the grid of its file; a :class:`glioseg.volume.Volume` joins several on one grid.

    Attributes:
        patient: The patient's identifier, which names results.
        voxels: Intensities as measured, finite, shape (slice, row, column), float32. The axes are the file's own,
            in whichever direction: only the affine tells where a slice lies.
        affine: Voxel indices (slice, row, column) to RAS+ millimetres, shape (4, 4), or None where the file carries
            no geometry.
        sequence: ``pre``, ``flair`` or ``post`` (see :data:`glioseg.volume.CHANNELS`), or None if not recognised.
        source: Where it came from, for messages and records.
        remarks: What a user should know of the file, a sentence each.
        place: How much of the affine the file tells.

    Raises:
        GliosegError: If the voxels are no three-dimensional array of float32, not finite, or the affine is no
            invertible matrix.
    """

    patient: str
    voxels: NDArray[np.float32]
    affine: NDArray[np.float64] | None = field(default=None, compare=False)
    sequence: str | None = None
    source: str = ""
    remarks: tuple[str, ...] = ()
    place: Place = "told"

    def __post_init__(self) -> None:
        if self.voxels.ndim != 3 or self.voxels.dtype != np.float32:
            raise GliosegError(
                f"{self.source or self.patient}: the image has the wrong form",
                expected="float32 (slice, row, column)",
                found=f"{self.voxels.dtype} {self.voxels.shape}",
            )
        if not _all_finite(self.voxels):
            raise GliosegError(
                f"{self.source or self.patient} holds voxels that are no numbers",
                expected="finite intensities in the head",
                found=f"{int((~np.isfinite(self.voxels)).sum())} voxels NaN or infinite",
                remedy="Write the scan again from its source",
            )
        if self.affine is not None and not is_invertible(self.affine):
            raise GliosegError(
                f"{self.source or self.patient}: the affine places no voxel",
                expected="an invertible 4 x 4 matrix of finite numbers",
                found=f"shape {self.affine.shape}",
                remedy="Convert the scan again from DICOM",
            )


def _all_finite(voxels: NDArray[np.float32]) -> bool:
    """By the least and the greatest, which take no memory to find."""
    return bool(np.isfinite([voxels.min(initial=0), voxels.max(initial=0)]).all())


def is_invertible(affine: NDArray[np.float64]) -> bool:
    """Whether an affine places voxels: a 4 x 4 matrix of finite numbers that has an inverse."""
    if affine.shape != (4, 4) or not np.isfinite(affine).all():
        return False
    return bool(abs(np.linalg.det(affine[:3, :3])) > 1e-9)
