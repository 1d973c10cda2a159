"""A patient's scan and its mask, with their place in space and the sequences of their channels."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from glioseg.errors import GliosegError
from glioseg.scan import Place

Voxels = NDArray[np.uint8] | NDArray[np.float32]
OfSequence = TypeVar("OfSequence")

CHANNELS = ("pre", "flair", "post")
"""The sequences of the dataset in its channel order: T1 before contrast, FLAIR, T1 after contrast."""


@dataclass(frozen=True)
class Volume:
    """A scan of one patient.

    Attributes:
        patient: The patient's identifier, which names results.
        voxels: Intensities, shape (slice, row, column, channel), uint8 or float32.
        channels: The sequence of each channel, in order.
        slice_names: The source's name for each slice, or empty where slices have none.
        missing: The sequences that were not taken and whose channel is a copy of the FLAIR, as the dataset fills them.
        affine: Voxel indices (slice, row, column) to RAS+ millimetres, shape (4, 4), or None where the source
            carries no geometry, as the dataset's tif files do not.
        place: How much of the affine the source tells.

    Raises:
        GliosegError: If shapes and sequences contradict each other.

    Example:
        >>> volume = Volume("P1", np.zeros((20, 256, 256, 3), np.uint8), missing=("post",))
        >>> volume.channel("flair").shape, volume.taken
        ((20, 256, 256), ('pre', 'flair'))
    """

    patient: str
    voxels: NDArray[np.uint8] | NDArray[np.float32]
    channels: tuple[str, ...] = CHANNELS
    slice_names: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    affine: NDArray[np.float64] | None = field(default=None, compare=False)
    place: Place = "told"

    def __post_init__(self) -> None:
        if self.voxels.ndim != 4 or self.voxels.shape[-1] != len(self.channels):
            raise GliosegError(
                f"patient {self.patient}: the scan has the wrong shape",
                expected=f"(slice, row, column, {len(self.channels)} channels {', '.join(self.channels)})",
                found=str(self.voxels.shape),
            )
        _check_slice_names(self.patient, self.slice_names, len(self.voxels))

    def channel(self, sequence: str) -> NDArray[np.uint8] | NDArray[np.float32]:
        """The intensities of one sequence, shape (slice, row, column)."""
        return self.voxels[..., self.channels.index(sequence)]

    @property
    def taken(self) -> tuple[str, ...]:
        """The sequences that were taken, in the order of the channels."""
        return tuple(sequence for sequence in self.channels if sequence not in self.missing)


def filled_by_flair(taken: Mapping[str, OfSequence], sequences: Iterable[str]) -> list[OfSequence]:
    """For each sequence what there is of it, or else of the FLAIR: the very same, as :func:`joined` makes use of."""
    return [taken[sequence if sequence in taken else "flair"] for sequence in sequences]


def joined(sequences: Sequence[Voxels]) -> Voxels:
    """Sequences (slice, row, column) as the channels of a volume.

    Each is in one piece of memory: whoever takes one, as all do, reads it several times as fast. Where all are the very
    same array, as of a scan of a FLAIR alone, that array is shown for each of them and must not be written to.
    """
    first: Any = sequences[0]
    if all(sequence is first for sequence in sequences):
        shown: Voxels = np.broadcast_to(first[..., np.newaxis], (*first.shape, len(sequences)))
        return shown
    stacked: Any = np.stack(sequences)
    voxels: Voxels = np.moveaxis(stacked, 0, -1)
    return voxels


def copies_of_flair(voxels: NDArray[np.uint8] | NDArray[np.float32]) -> tuple[str, ...]:
    """The sequences whose channel is a copy of the FLAIR: what :attr:`Volume.missing` holds of a scan that was just
    read.

    Args:
        voxels: Shape (slice, row, column, channel), with the channels of :data:`CHANNELS`.
    """
    flair = voxels[..., CHANNELS.index("flair")]
    others = ((sequence, voxels[..., index]) for index, sequence in enumerate(CHANNELS) if sequence != "flair")
    return tuple(sequence for sequence, other in others if _is_same(other, flair))


def _is_same(one: NDArray[np.generic], other: NDArray[np.generic]) -> bool:
    # Slice by slice, which ends at the first that differs.
    return one.__array_interface__ == other.__array_interface__ or all(map(np.array_equal, one, other))


@dataclass(frozen=True)
class Mask:
    """The contour of a tumour on the grid of a scan.

    Attributes:
        patient: The patient's identifier.
        voxels: True inside the tumour, shape (slice, row, column), bool.
        slice_names: As in the scan.
        affine: As in the scan.

    Raises:
        GliosegError: If the voxels are no three-dimensional array of bool.
    """

    patient: str
    voxels: NDArray[np.bool_]
    slice_names: tuple[str, ...] = ()
    affine: NDArray[np.float64] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.voxels.ndim != 3 or self.voxels.dtype != np.bool_:
            raise GliosegError(
                f"patient {self.patient}: the mask has the wrong form",
                expected="bool (slice, row, column)",
                found=f"{self.voxels.dtype} {self.voxels.shape}",
            )
        _check_slice_names(self.patient, self.slice_names, len(self.voxels))


def box_of(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    """The smallest box that holds all of a mask, which must not be empty."""
    others = [tuple(axis for axis in range(mask.ndim) if axis != kept) for kept in range(mask.ndim)]
    occupied = [np.flatnonzero(mask.any(axis=axes)) for axes in others]
    return tuple(slice(int(found[0]), int(found[-1]) + 1) for found in occupied)


def _check_slice_names(patient: str, names: tuple[str, ...], slices: int) -> None:
    if names and len(names) != slices:
        raise GliosegError(
            f"patient {patient}: slices and their names do not match",
            expected=f"{slices} names",
            found=str(len(names)),
        )
