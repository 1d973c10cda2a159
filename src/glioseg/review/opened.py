"""A case in memory: its scan and masks, all on the scan's own grid."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glioseg.errors import GliosegError
from glioseg.patients.source import PatientSource
from glioseg.review.cases import Cases, Origin, ReviewCase
from glioseg.review.images import Sequence, as_steps, sequences_of, thumbnail
from glioseg.review.runs import as_list, mask_of_runs, parse_runs, runs_of
from glioseg.review.store import Store
from glioseg.scan import Place
from glioseg.volume import Mask

_CHANGED = "The mask on disk has changed since this reading began; the reading goes on from the one it began with."


@dataclass(frozen=True)
class OpenCase:
    """A case in memory; arrays have the shape (slice, row, column) of the scan's own grid.

    Attributes:
        case: Which.
        sequences: The FLAIR first.
        prediction: The mask that reading began from.
        probabilities: In steps, as :func:`glioseg.review.images.as_steps` makes them, or None.
        candidate: What was found and taken for no tumour, or None.
        affine: Of the scan, or None.
        place: How much of the affine the scan tells.
        slice_names: Of the scan.
        remarks: On the scan's files.
    """

    case: ReviewCase
    sequences: tuple[Sequence, ...]
    prediction: NDArray[np.bool_]
    probabilities: NDArray[np.uint8] | None = field(repr=False)
    candidate: NDArray[np.bool_] | None
    affine: NDArray[np.float64] | None
    place: Place
    slice_names: tuple[str, ...]
    remarks: tuple[str, ...]

    def mask(self, voxels: NDArray[np.bool_]) -> Mask:
        """Voxels as a mask on this grid."""
        return Mask(self.case.patient, voxels, slice_names=self.slice_names, affine=self.affine)

    def thumbnail(self) -> bytes:
        """The small image of the queue, PNG."""
        return thumbnail(self.sequences[0], self.prediction, self.affine, self.candidate)


def open_case(cases: Cases, store: Store, case: ReviewCase) -> OpenCase:
    """Read a case, and keep the mask that its reading begins from.

    Raises:
        GliosegError: If scan, mask or probabilities cannot be read or do not fit each other.
    """
    if case.source is None:
        raise GliosegError(f"patient {case.patient} cannot be opened", found=(case.problem or "").rstrip("."))
    origin = cases.origin
    with ThreadPoolExecutor(1) as beside:
        # Unpacking leaves the interpreter free: two cores halve the wait.
        stored = beside.submit(_steps, origin, case.source)
        read = case.source.read()
        volume, mask = read.volume, origin.mask(case.source, read)
        sequences = sequences_of(volume)
        probabilities = stored.result()
    found = None if mask.voxels.any() else origin.candidate(case.source)
    candidate = None if found is None else found.voxels
    shape = volume.voxels.shape[:3]
    for what, array in (("mask", mask.voxels), ("probability", probabilities), ("candidate", candidate)):
        if array is not None:
            _check_shape(case.patient, what, array, shape)
    runs = as_list(runs_of(mask.voxels))
    store.keep_prediction(case.id, case.patient, list(shape), runs, origin.kind)
    kept_shape, kept, _ = store.prediction(case.id)
    _check_shape(case.patient, "mask that reading began from", np.empty(kept_shape, np.bool_), shape)
    remarks = read.remarks if kept == runs else (*read.remarks, _CHANGED)
    return OpenCase(
        case=case,
        sequences=sequences,
        prediction=mask_of_runs(parse_runs(kept, mask.voxels.size), shape),
        probabilities=probabilities,
        candidate=candidate,
        affine=volume.affine,
        place=volume.place,
        slice_names=volume.slice_names,
        remarks=remarks,
    )


def _steps(origin: Origin, source: PatientSource) -> NDArray[np.uint8] | None:
    probabilities = origin.probabilities(source)
    return None if probabilities is None else as_steps(probabilities)


def _check_shape(patient: str, what: str, found: NDArray[Any], expected: tuple[int, ...]) -> None:
    if found.shape != expected:
        raise GliosegError(
            f"patient {patient}: the {what} does not fit the scan",
            expected=str(expected),
            found=str(found.shape),
            remedy="Give the scan that it was made on",
        )
