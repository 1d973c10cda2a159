"""Prediction of a scan that does not come from the dataset: fit it, predict, and bring the result back."""

from glioseg.errors import GliosegError
from glioseg.head.bounding_box import Covering
from glioseg.inference.intensities import find_scaling
from glioseg.inference.model import Model, Prediction
from glioseg.inference.spatial_normalisation import SpatialNormalisation, find_spatial_normalisation
from glioseg.space.affine import spacing_mm
from glioseg.space.axial import axial_view
from glioseg.space.slabs import THICKNESS_MM
from glioseg.volume import Volume

SPACING_MM = (0.05, 50.0)
"""Voxels of a head lie at least and at most so far apart; to resample others would take forever or show nothing."""

_COVERINGS: dict[Covering, str] = {
    "whole": "one with skull and scalp",
    "stripped": "one without skull and scalp",
    "unsure": "one of which it is unsure whether it shows skull and scalp,",
}
MOST_SLICES = 1024
"""More axial slices than any scan of a head has; each takes as much memory as a whole image of the training set."""


def predict_external(model: Model, volume: Volume) -> Prediction:
    """Predict a scan on whatever grid, in whatever direction and intensities.

    Args:
        model: Ready for use.
        volume: On its source's grid.

    Raises:
        GliosegError: If the scan is a single slice, shows no head, claims a spacing that no head has, or lacks a
            channel that the model needs.

    Example:
        >>> from glioseg.formats.assemble import assemble
        >>> from glioseg.formats.readers import read_scan
        >>> from glioseg.inference.shipped import find_model
        >>> volume = assemble("P1", {"flair": read_scan(Path("flair.nii.gz"))}).volume
        >>> found = predict_external(Model.load(find_model("fast")), volume)
        >>> found.mask.voxels.shape  # on the grid of the file
        (12, 96, 96)
    """
    _check_is_scan(volume)
    scaling = find_scaling(volume)
    normalisation = find_spatial_normalisation(volume, scaling)
    placed = normalisation.place(volume, scaling)
    seen = model.probabilities(placed)
    fitted = _in_words(normalisation)
    unsure = (fitted,) if normalisation.bounding_box.covering == "unsure" else ()
    remarks = (*unsure, *model.check_distribution(placed))
    finding = model.find_presence(placed, seen, normalisation.step_mm)
    # What it saw is let go before what was found is brought back: both are large.
    del placed
    slices, rows, columns = volume.voxels.shape[:3]
    probabilities = normalisation.restore(seen, (slices, rows, columns))
    del seen
    mask = model.binarise(volume, probabilities)
    return Prediction(volume, probabilities, mask, remarks, preparation=(fitted,)).judged(finding)


def _in_words(normalisation: SpatialNormalisation) -> str:
    kind = _COVERINGS[normalisation.bounding_box.covering]
    fitted = "brought to the size of the training images" if normalisation.is_resampled else "left as it is"
    thin = "" if normalisation.slabs is None else f", its thin slices averaged to {THICKNESS_MM:g} mm"
    return f"The scan was taken as {kind} and {fitted}{thin}."


def _check_is_scan(volume: Volume) -> None:
    shape, flair = volume.voxels.shape[:3], volume.channel("flair")
    if min(shape) < 2:
        raise GliosegError(
            f"patient {volume.patient}: the FLAIR is a single slice",
            expected="a scan of two slices or more",
            found=" x ".join(map(str, shape)),
            remedy="Give the whole series",
        )
    slices = shape[axial_view(volume.affine).axes[0]]
    if slices > MOST_SLICES:
        raise GliosegError(
            f"patient {volume.patient}: the FLAIR claims more slices than any scan of a head",
            expected=f"at most {MOST_SLICES:,} axial slices",
            found=f"{slices:,}",
            remedy="Convert the scan again from DICOM",
        )
    steps_mm = () if volume.affine is None else spacing_mm(volume.affine)
    if any(not SPACING_MM[0] <= step <= SPACING_MM[1] for step in steps_mm):
        raise GliosegError(
            f"patient {volume.patient}: the FLAIR claims a spacing that no scan of a head has",
            expected=f"{SPACING_MM[0]:g} to {SPACING_MM[1]:g} mm between voxels",
            found=" x ".join(f"{step:.3g}" for step in steps_mm) + " mm",
            remedy="Convert the scan again from DICOM",
        )
    if flair.min() == flair.max():
        raise GliosegError(
            f"patient {volume.patient}: the FLAIR is the same everywhere",
            expected="a scan of a head",
            found=f"{flair.size:,} voxels of {float(flair.flat[0]):g}",
            remedy="Write the scan again from its source",
        )
