"""What is kept of a patient when its images are let go: some kilobytes, whatever its size."""

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from glioseg.check.content import names_of_copies, well_filled
from glioseg.check.duplicates import hash_slices
from glioseg.check.head import shrink
from glioseg.check.labels import REPEATED_PIXELS
from glioseg.check.measures import SliceMeasures
from glioseg.check.orientation import SIZE as THUMBNAIL_SIZE
from glioseg.check.orientation import Thumbnail, thumbnail
from glioseg.check.scan import CheckedScan
from glioseg.dataset.lgg import site_of

COMPARED = 0.5
"""Slices whose head fills this share of the patient's largest are looked for in other patients."""


@dataclass(frozen=True)
class PatientSummary:
    """A patient without images.

    Attributes:
        patient: The patient's identifier.
        site: The hospital's code.
        numbers: The slices' numbers.
        size: Rows and columns.
        channels: The sequence of each channel.
        copied: For each sequence that copies another, which one.
        digests: A hash of each slice's pixels, None where it is black.
        compared: Places of the slices that have a perceptual hash, shape (compared,).
        hashes: These hashes, shape (compared, 4).
        histograms: How often each intensity occurs in the head, shape (channel, 256).
        tumour_voxels: Size of the mask.
        tumour_slices: How many slices have a mask.
        mask_digests: A hash of each slice's mask, None where it is small.
        thumbnail: The head in very small, or None.
        tumour_map: Share of the slices' masks at each place of the frame, shape (20, 20), float32.
        axes: Directions of the axes in space, or None where unknown.
        whole: Whether nothing of the patient was unreadable or missing.
    """

    patient: str
    site: str
    numbers: tuple[int, ...]
    size: tuple[int, int]
    channels: tuple[str, ...]
    copied: dict[str, str]
    digests: tuple[bytes | None, ...] = field(repr=False)
    compared: NDArray[np.intp] = field(repr=False)
    hashes: NDArray[np.uint64] = field(repr=False)
    histograms: NDArray[np.int64] = field(repr=False)
    tumour_voxels: int
    tumour_slices: int
    mask_digests: tuple[bytes | None, ...] = field(repr=False)
    thumbnail: Thumbnail | None = field(repr=False)
    tumour_map: NDArray[np.float32] = field(repr=False)
    axes: str | None
    whole: bool

    @property
    def slices(self) -> int:
        """How many slices the patient has."""
        return len(self.numbers)


def summarise(scan: CheckedScan, measures: SliceMeasures, *, whole: bool = True) -> PatientSummary:
    """Keep what is needed of a patient to compare it with others."""
    digests = image_digests(scan)
    compared = np.flatnonzero(well_filled(measures, COMPARED))
    masked = scan.masks[scan.masks.any(axis=(1, 2))]
    return PatientSummary(
        patient=scan.patient,
        site=site_of(scan.patient),
        numbers=scan.numbers,
        size=(scan.images.shape[1], scan.images.shape[2]),
        channels=scan.channels,
        copied=names_of_copies(scan, measures.shows_head)[0],
        digests=tuple(digest if shown else None for digest, shown in zip(digests, measures.shows_head, strict=True)),
        compared=compared,
        hashes=hash_slices(measures.tiny[compared]),
        histograms=_histograms(measures),
        tumour_voxels=int(scan.masks.sum()),
        tumour_slices=len(masked),
        mask_digests=tuple(mask_digests(scan)),
        thumbnail=thumbnail(measures),
        tumour_map=shrink(masked, THUMBNAIL_SIZE).mean(axis=0)
        if len(masked)
        else np.zeros((THUMBNAIL_SIZE,) * 2, np.float32),
        axes=scan.axes,
        whole=whole,
    )


def image_digests(scan: CheckedScan) -> list[bytes]:
    """A hash of each slice's pixels in all sequences."""
    return [hashlib.blake2b(np.ascontiguousarray(one).data, digest_size=16).digest() for one in scan.images]


def mask_digests(scan: CheckedScan) -> list[bytes | None]:
    """A hash of each slice's mask; None where it is so small that two may be equal by chance."""
    large = scan.masks.sum(axis=(1, 2)) >= REPEATED_PIXELS
    return [
        hashlib.blake2b(np.packbits(mask).data, digest_size=16).digest() if enough else None
        for mask, enough in zip(scan.masks, large, strict=True)
    ]


def _histograms(measures: SliceMeasures) -> NDArray[np.int64]:
    """Of the small images, whose area means are less noisy than single pixels."""
    inside = measures.small[measures.head].astype(np.uint8)
    return np.stack([np.bincount(channel, minlength=256) for channel in inside.T])
