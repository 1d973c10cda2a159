"""Whole scans and masks in the axial view and back, to hold readers and writers against."""

from dataclasses import replace

from glioseg.space.axial import axial_affine, axial_view, from_axial, to_axial
from glioseg.volume import Mask, Volume


def axial_volume(volume: Volume) -> Volume:
    """A scan in the axial view. Slice names are kept where the view's slices are the source's."""
    view = axial_view(volume.affine)
    if volume.affine is None:
        return volume
    names = volume.slice_names if view.axes[0] == 0 else ()
    return replace(
        volume,
        voxels=to_axial(volume.voxels, view),
        slice_names=names[::-1] if view.reversed_axes[0] else names,
        affine=axial_affine(volume.affine, volume.voxels.shape, view),
    )


def mask_from_axial(mask: Mask, source: Volume) -> Mask:
    """Bring a mask from the axial view of a scan back to the scan's own grid, voxel for voxel.

    Raises:
        ValueError: If the mask does not lie on the axial view of this scan.
    """
    voxels = from_axial(mask.voxels, axial_view(source.affine))
    if voxels.shape != source.voxels.shape[:3]:
        raise ValueError(f"the mask comes back as {voxels.shape}, the scan is {source.voxels.shape[:3]}")
    return Mask(source.patient, voxels, slice_names=source.slice_names, affine=source.affine)
