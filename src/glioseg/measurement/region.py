"""What is measured of a tumour, or of one connected component of it."""

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glioseg.errors import GliosegError
from glioseg.measurement.diameters import Bidirectional, Line, Point, as_point, bidirectional, maximum_extent
from glioseg.measurement.laterality import NEAR_THE_MIDDLE, Side, side_of
from glioseg.space.affine import positions_mm
from glioseg.space.axial import axial_view

MEASURABLE_MM = 10.0
"""RANO: both diameters of a measurable lesion are at least this long (Wen et al., J Clin Oncol 2010)."""

MEASURABLE_SLICES = 2
"""RANO, in the same place: and it is visible on at least so many axial slices. Where slices are thicker than 5 mm,
RANO asks for diameters of twice their thickness; an affine tells their distance, not their thickness."""

NO_GEOMETRY = "the mask's file tells neither voxel spacing nor orientation"
NO_TUMOUR = "the mask is empty"

Range = tuple[float, float]


@dataclass(frozen=True)
class Region:
    """Measurements of a set of voxels. What cannot be known is None, and ``unknown`` says why.

    Attributes:
        voxels: How many voxels it has.
        tumour_slices: On how many axial slices it lies.
        volume_ml: Its volume.
        longest_diameter_mm: The longest diameter within any axial slice, edge to edge.
        perpendicular_diameter_mm: The longest diameter at right angles to it on the same slice.
        diameter_product_mm2: The product of the two.
        longest_diameter_px: The longest diameter in steps of the grid, where pixels are taken to be square if no
            spacing is known.
        perpendicular_diameter_px: Likewise.
        diameter_slice: The axial slice on which they are longest, counted from 1 in the order of the file.
        rano_measurable: Whether both diameters are at least 10 mm long and it lies on two axial slices or more.
        maximum_extent_mm: The longest straight line between any two of its places, in 3-D.
        side: ``left`` or ``right`` of the patient, ``crossing`` the middle of the head, or ``both`` where separate
            parts lie on either side. The middle is taken from the image of the head.
        centroid_voxel: Its centre of gravity as voxel indices (slice, row, column).
        centroid_ras_mm: The same in RAS+ millimetres.
        bounding_box_voxel: First and last voxel index it reaches along slice, row and column.
        bounding_box_ras_mm: Lowest and highest RAS+ millimetres it reaches along x, y and z, to the voxels' edges.
        diameters: Where the diameters lie, or None where there is no tumour.
        extent: Where the longest straight line lies, likewise.
        unknown: For each value that is None, the reason.

    Raises:
        GliosegError: If a value is None without a reason, or the reverse.
    """

    voxels: int
    tumour_slices: int
    volume_ml: float | None
    longest_diameter_mm: float | None
    perpendicular_diameter_mm: float | None
    diameter_product_mm2: float | None
    longest_diameter_px: float | None
    perpendicular_diameter_px: float | None
    diameter_slice: int | None
    rano_measurable: bool | None
    maximum_extent_mm: float | None
    side: Side | None
    centroid_voxel: Point | None
    centroid_ras_mm: Point | None
    bounding_box_voxel: tuple[tuple[int, int], ...] | None
    bounding_box_ras_mm: tuple[Range, ...] | None
    diameters: Bidirectional | None
    extent: Line | None
    unknown: dict[str, str]

    def __post_init__(self) -> None:
        missing = {name for name in value_names() if getattr(self, name) is None}
        if missing != self.unknown.keys():
            raise GliosegError(
                "measurements and the reasons for missing ones do not match",
                expected=f"reasons for {', '.join(sorted(missing)) or 'none'}",
                found=f"reasons for {', '.join(sorted(self.unknown)) or 'none'}",
            )

    def values(self) -> dict[str, Any]:
        """The measurements by name, lengths and volumes rounded to a thousandth."""
        return {name: rounded(getattr(self, name)) for name in value_names()}

    def as_json(self) -> dict[str, Any]:
        """The measurements, where the lines lie, and under ``unknown`` the reasons."""
        lines = {
            "diameters": None if self.diameters is None else rounded(asdict(self.diameters)),
            "extent": None if self.extent is None else rounded(asdict(self.extent)),
        }
        return {**self.values(), "lines": lines, "unknown": self.unknown}


def value_names() -> list[str]:
    """The names of the measurements, in their order."""
    return [field.name for field in fields(Region) if field.name not in ("diameters", "extent", "unknown")]


@dataclass(frozen=True)
class Crop:
    """Some voxels of a grid, cropped to what they need.

    Attributes:
        voxels: Shape (slice, row, column) of the crop.
        origin: The voxel of the whole grid that is the first of the crop.
        affine: Voxel indices of the crop to RAS+ millimetres, or None.
    """

    voxels: NDArray[np.bool_]
    origin: tuple[int, int, int]
    affine: NDArray[np.float64] | None

    @classmethod
    def within(
        cls, box: tuple[slice, slice, slice], voxels: NDArray[np.bool_], affine: NDArray[np.float64] | None
    ) -> "Crop":
        """What lies in a box of a grid: the crop's voxels, the grid's affine."""
        origin = (int(box[0].start or 0), int(box[1].start or 0), int(box[2].start or 0))
        if affine is not None:
            affine = affine.copy()
            affine[:3, 3] += affine[:3, :3] @ origin
        return cls(voxels, origin, affine)


def measure_region(
    crop: Crop,
    *,
    middle_x_mm: float | None,
    no_middle: str,
) -> Region:
    """Measure a set of voxels; every index of the result is one of the whole grid.

    Args:
        crop: The voxels.
        middle_x_mm: The x of the head's middle, or None where it is unknown.
        no_middle: Why it is unknown.
    """
    voxels, affine = crop.voxels, crop.affine
    count = int(np.count_nonzero(voxels))
    values: dict[str, Any] = dict.fromkeys(value_names())
    values |= {"voxels": count, "tumour_slices": _slices(voxels, affine), "diameters": None, "extent": None}
    if affine is not None:
        values["volume_ml"] = count * _voxel_volume_ml(affine)
    elif not count:
        # Nothing is nothing, however large its voxels.
        values["volume_ml"] = 0.0
    if count:
        values |= _lines(crop) | _place(crop)
    values["rano_measurable"] = _is_measurable(values, known=affine is not None or count == 0)
    if count and affine is not None and middle_x_mm is not None:
        values["side"] = side_of(voxels, affine, middle_x_mm)
    no_side = no_middle if middle_x_mm is None else NEAR_THE_MIDDLE
    unknown = {
        name: _reason(name, empty=count == 0, placed=affine is not None, no_side=no_side)
        for name in value_names()
        if values[name] is None
    }
    return Region(**values, unknown=unknown)


def rounded(value: Any) -> Any:
    """Every number in nested values to a thousandth: a micrometre, a microlitre."""
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return [rounded(inner) for inner in value] if isinstance(value, (tuple, list)) else value


def _voxel_volume_ml(affine: NDArray[np.float64]) -> float:
    """Exact for a sheared grid too."""
    return float(abs(np.linalg.det(affine[:3, :3]))) / 1000


def _slices(voxels: NDArray[np.bool_], affine: NDArray[np.float64] | None) -> int:
    others = tuple({0, 1, 2} - {axial_view(affine).axes[0]})
    return int(np.count_nonzero(voxels.any(axis=others)))


def _lines(crop: Crop) -> dict[str, Any]:
    diameters, extent = bidirectional(crop.voxels, crop.affine), maximum_extent(crop.voxels, crop.affine)
    if diameters is None or extent is None:
        return {}
    diameters = diameters.moved(crop.origin, axial_view(crop.affine).axes[0])
    longest, perpendicular = diameters.longest, diameters.perpendicular
    known = longest.length_mm is not None and perpendicular.length_mm is not None
    return {
        "longest_diameter_mm": longest.length_mm,
        "perpendicular_diameter_mm": perpendicular.length_mm,
        "diameter_product_mm2": (longest.length_mm or 0) * (perpendicular.length_mm or 0) if known else None,
        "longest_diameter_px": longest.length_px,
        "perpendicular_diameter_px": perpendicular.length_px,
        "diameter_slice": diameters.axial_slice + 1,
        "maximum_extent_mm": extent.length_mm,
        "diameters": diameters,
        "extent": extent.moved(crop.origin),
    }


def _place(crop: Crop) -> dict[str, Any]:
    indices, affine = np.argwhere(crop.voxels).astype(np.float64), crop.affine
    centroid = indices.mean(axis=0)
    box = np.stack([indices.min(axis=0), indices.max(axis=0)], axis=1) + np.array(crop.origin)[:, np.newaxis]
    place: dict[str, Any] = {
        "centroid_voxel": as_point(centroid + crop.origin),
        "bounding_box_voxel": tuple((int(low), int(high)) for low, high in box),
    }
    if affine is not None:
        centres = positions_mm(affine, indices)
        half_voxel = np.abs(affine[:3, :3]).sum(axis=1) / 2
        lowest, highest = centres.min(axis=0) - half_voxel, centres.max(axis=0) + half_voxel
        place["centroid_ras_mm"] = as_point(positions_mm(affine, centroid))
        place["bounding_box_ras_mm"] = tuple(
            (float(low), float(high)) for low, high in zip(lowest, highest, strict=True)
        )
    return place


def _is_measurable(values: dict[str, Any], *, known: bool) -> bool | None:
    if not known:
        return None
    shorter = values["perpendicular_diameter_mm"]
    # A length that is 10 mm on paper must not fail by its last binary digits.
    long_enough = shorter is not None and shorter >= MEASURABLE_MM * (1 - 1e-9)
    return bool(long_enough and values["tumour_slices"] >= MEASURABLE_SLICES)


def _reason(name: str, *, empty: bool, placed: bool, no_side: str) -> str:
    if empty:
        return NO_TUMOUR
    return no_side if placed and name == "side" else NO_GEOMETRY
