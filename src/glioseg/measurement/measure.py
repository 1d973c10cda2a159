"""The measurements of a patient's mask: all of it, and each connected component."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glioseg.errors import GliosegError
from glioseg.measurement.laterality import head_middle_x_mm
from glioseg.measurement.region import NO_GEOMETRY, NO_TUMOUR, Crop, Region, measure_region, rounded, value_names
from glioseg.scan import is_invertible
from glioseg.space.affine import grid_of, largest_displacement_mm, same_grid, spacing_mm
from glioseg.space.axial import axial_view
from glioseg.volume import Mask, Volume, box_of

TARGET_LESIONS = 5
"""RANO adds up the diameter products of at most so many measurable lesions (Wen et al., J Clin Oncol 2010)."""

NO_SCAN = "no scan was given to find the head's middle in; the plane x = 0 is the scanner's, not the patient's"
NO_DIRECTIONS = "the scan's file does not tell left from right"
NO_PLACE = "the scan's file tells its spacing alone"
NO_HEAD = "the scan shows no head against its background"
NO_MEASURABLE = "no part of the mask is measurable by RANO"

WHOLE = "all"
"""Stands in a table where the number of a component would."""


@dataclass(frozen=True)
class Measurement:
    """What was measured of a patient.

    Attributes:
        patient: The patient's identifier.
        slices: How many axial slices the grid has.
        spacing_mm: Distance between voxels along (slice, row, column), or None where the file does not tell.
        whole: All of the tumour. Its diameters are those of the component with the longest one, as every lesion is
            measured for itself.
        components: Its connected components (26 neighbours), the largest first.
        sum_of_products_mm2: RANO's measure of burden: the sum of the diameter products of the measurable components,
            of the five with the largest products at most.
        unknown: For each of these values that is None, the reason.
    """

    patient: str
    slices: int
    spacing_mm: tuple[float, float, float] | None
    whole: Region
    components: tuple[Region, ...]
    sum_of_products_mm2: float | None
    unknown: dict[str, str]

    def as_row(self) -> dict[str, Any]:
        """The whole tumour as a row of a table: values that nest are spread over columns, missing ones are None.

        The last column, ``unknown``, names what is missing with the reason.
        """
        return self._row(WHOLE, self.whole)

    def as_rows(self) -> list[dict[str, Any]]:
        """:meth:`as_row` and a row for each component; the column ``component`` holds ``all``, 1, 2 and so on."""
        numbered = [(WHOLE, self.whole), *((str(place), one) for place, one in enumerate(self.components, start=1))]
        return [{"component": name, **self._row(name, region)} for name, region in numbered]

    def as_json(self) -> dict[str, Any]:
        """Spacing, the whole tumour, its components and what is unknown, nested, for strict JSON."""
        whole = self.whole.as_json()
        return {
            "patient": self.patient,
            "slices": self.slices,
            "spacing_mm": rounded(self.spacing_mm),
            **whole,
            "sum_of_products_mm2": rounded(self.sum_of_products_mm2),
            "unknown": {**self.unknown, **self.whole.unknown},
            "components": [one.as_json() for one in self.components],
        }

    def _row(self, name: str, region: Region) -> dict[str, Any]:
        row: dict[str, Any] = {"patient": self.patient, "slices": self.slices}
        for key, value in region.values().items():
            row |= _spread(key, value)
        reasons = dict(region.unknown)
        if name == WHOLE:
            row |= {"components": len(self.components), "sum_of_products_mm2": rounded(self.sum_of_products_mm2)}
            reasons |= {key: reason for key, reason in self.unknown.items() if key in row}
        else:
            row |= {"components": None, "sum_of_products_mm2": None}
        row["unknown"] = _in_words(reasons)
        return row


def measured_columns() -> list[str]:
    """The columns of :meth:`Measurement.as_row`, in their order."""
    values = [column for name in value_names() for column in _spread(name, None)]
    return ["patient", "slices", *values, "components", "sum_of_products_mm2", "unknown"]


def measure_mask(mask: Mask, volume: Volume | None = None) -> Measurement:
    """Measure a patient's mask.

    Args:
        mask: The tumour. Without an affine, only voxels, slices and diameters in pixels can be known.
        volume: The scan on the same grid; its FLAIR shows where the head's middle is, and so the tumour's side.

    Raises:
        GliosegError: If mask and scan are not of one grid, or the affine places no voxel.

    Example:
        >>> voxels = np.zeros((10, 40, 40), bool)
        >>> voxels[2:6, 10:30, 10:30] = True
        >>> tumour = measure_mask(Mask("P1", voxels, affine=np.diag([5.0, 1.0, 1.0, 1.0])[[2, 1, 0, 3]]))
        >>> round(tumour.whole.volume_ml, 3), len(tumour.components)
        (8.0, 1)
        >>> tumour.whole.side, list(tumour.whole.unknown)  # the side needs the scan
        (None, ['side'])
    """
    _check_affine(mask)
    if volume is not None:
        _check_grid(mask, volume)
        if volume.place == "assumed":
            mask = replace(mask, affine=None)
    affine = mask.affine
    spacing = None if affine is None else spacing_mm(affine)
    middle, no_middle = _middle(mask, volume)
    components = tuple(measure_region(crop, middle_x_mm=middle, no_middle=no_middle) for crop in _components(mask))
    several = len(components) != 1
    whole = measure_region(_cropped(mask), middle_x_mm=middle, no_middle=no_middle) if several else components[0]
    whole = _with_sides(whole, components)
    if volume is not None and volume.place == "spacing":
        whole, components = _without_place(whole), tuple(map(_without_place, components))
    products, no_products = _sum_of_products(components, affine)
    unknown = {"sum_of_products_mm2": no_products} if no_products else {}
    if spacing is None:
        unknown["spacing_mm"] = NO_GEOMETRY
    slices = mask.voxels.shape[axial_view(affine).axes[0]]
    return Measurement(mask.patient, slices, spacing, whole, components, products, unknown)


def _check_grid(mask: Mask, volume: Volume) -> None:
    if mask.voxels.shape != volume.voxels.shape[:3]:
        raise GliosegError(
            f"patient {mask.patient}: mask and scan have different shapes",
            expected=f"{volume.voxels.shape[:3]} as in the scan",
            found=str(mask.voxels.shape),
            remedy="Give the scan on whose grid the mask was drawn",
        )
    if mask.affine is None or volume.affine is None or same_grid(grid_of(mask), grid_of(volume)):
        return
    apart = largest_displacement_mm(mask.affine, volume.affine, mask.voxels.shape)
    raise GliosegError(
        f"patient {mask.patient}: mask and scan lie in different places",
        expected="one affine for both",
        found=f"corners up to {apart:.1f} mm apart",
        remedy="Give the scan on whose grid the mask was drawn",
    )


def _check_affine(mask: Mask) -> None:
    if mask.affine is not None and not is_invertible(mask.affine):
        raise GliosegError(
            f"patient {mask.patient}: the affine of the mask places no voxel",
            expected="an invertible 4 x 4 matrix of finite numbers",
            remedy="Write the mask again with the affine of its scan",
        )


def _middle(mask: Mask, volume: Volume | None) -> tuple[float | None, str]:
    """The x of the head's middle, or None and the reason."""
    if volume is None:
        return None, NO_SCAN
    affine = mask.affine if volume.affine is None or volume.place == "assumed" else volume.affine
    if affine is None or not mask.voxels.any():
        return None, NO_GEOMETRY if affine is None else NO_TUMOUR
    if volume.place == "spacing":
        return None, NO_DIRECTIONS
    return head_middle_x_mm(volume.channel("flair"), affine, mask.voxels), NO_HEAD


def _components(mask: Mask) -> Iterator[Crop]:
    """The connected components, the largest first; equal ones in the order of the grid."""
    whole = _box(mask.voxels)
    voxels = mask.voxels[whole]
    labels, _ = ndimage.label(voxels, structure=np.ones((3, 3, 3)))
    # Of the mask alone, since what counts takes eight bytes for each.
    boxes, sizes = ndimage.find_objects(labels), np.bincount(labels[voxels])[1:]
    for index in np.argsort(-sizes, kind="stable"):
        slices, rows, columns = (
            slice(outer.start + inner.start, outer.start + inner.stop)
            for outer, inner in zip(whole, boxes[index], strict=True)
        )
        box = slices, rows, columns
        yield Crop.within(box, labels[boxes[index]] == index + 1, mask.affine)


def _cropped(mask: Mask) -> Crop:
    """The whole tumour; an empty mask is its own crop."""
    box = _box(mask.voxels)
    return Crop.within(box, mask.voxels[box], mask.affine)


def _box(voxels: NDArray[np.bool_]) -> tuple[slice, slice, slice]:
    slices, rows, columns = box_of(voxels) if voxels.any() else (slice(0, size) for size in voxels.shape)
    return slices, rows, columns


def _with_sides(region: Region, components: tuple[Region, ...]) -> Region:
    """Separate components on either side cross nothing."""
    if region.side == "crossing" and all(one.side != "crossing" for one in components):
        return replace(region, side="both")
    return region


def _without_place(region: Region) -> Region:
    """Of a scan whose directions and origin nobody knows: without what would lie in the patient's space."""
    places = {name: NO_PLACE for name in ("centroid_ras_mm", "bounding_box_ras_mm") if name not in region.unknown}
    return replace(region, centroid_ras_mm=None, bounding_box_ras_mm=None, unknown={**region.unknown, **places})


def _sum_of_products(
    components: tuple[Region, ...], affine: NDArray[np.float64] | None
) -> tuple[float | None, str | None]:
    if not components:
        return None, NO_TUMOUR
    if affine is None:
        return None, NO_GEOMETRY
    products = sorted((one.diameter_product_mm2 or 0.0 for one in components if one.rano_measurable), reverse=True)
    return (sum(products[:TARGET_LESIONS]), None) if products else (None, NO_MEASURABLE)


_AXES = {"voxel": ("slice", "row", "column"), "ras_mm": ("x_mm", "y_mm", "z_mm")}


def _spread(name: str, value: Any) -> dict[str, Any]:
    """One column for each number of a nested value."""
    for ending, axes in _AXES.items():
        if name == f"centroid_{ending}":
            return {f"centroid_{axis}": number for axis, number in zip(axes, value or (None,) * 3, strict=True)}
        if name == f"bounding_box_{ending}":
            ranges = value or ((None, None),) * 3
            return {
                f"{word}_{axis}": end
                for axis, limits in zip(axes, ranges, strict=True)
                for word, end in zip(("first", "last"), limits, strict=True)
            }
    return {name: value}


def _in_words(reasons: dict[str, str]) -> str | None:
    """What is missing by reason: ``volume_ml, side: no geometry``."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        by_reason.setdefault(reason, []).append(name)
    return "; ".join(f"{', '.join(names)}: {reason}" for reason, names in by_reason.items()) or None
