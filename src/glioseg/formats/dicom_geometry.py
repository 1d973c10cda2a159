"""Where DICOM slices lie. DICOM's patient axes are Left, Posterior, Superior; what leaves this module is RAS+.

Slices are ordered by their position along the common normal, never by file name or instance number, and the distance
between them is that of their positions: SliceThickness leaves out the gaps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from glioseg.errors import GliosegError
from glioseg.formats.dicom_files import DicomFile
from glioseg.formats.dicom_headers import frame_numbers

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])

EVEN_MM, EVEN_SHARE = 0.1, 0.01
"""A slice may lie off the even grid by so much, or by this share of the spacing, whichever is more."""

REMARKED_MM = 0.001
SAME_DIRECTION = 1e-3
SAME_PLACE_MM = 0.01


@dataclass(frozen=True, eq=False)
class DicomSlice:
    """One image and its place.

    Attributes:
        file: Where it is stored.
        frame: Its number in the file, from 0.
        dataset: The file's header.
        corner_mm: Centre of the first pixel in LPS, shape (3,).
        directions: Unit vectors in LPS along which the column and the row number grow, shape (2, 3).
        pixel_spacing_mm: Distance between rows and between columns, shape (2,).
    """

    file: DicomFile
    frame: int
    dataset: Dataset
    corner_mm: NDArray[np.float64]
    directions: NDArray[np.float64]
    pixel_spacing_mm: NDArray[np.float64]


def locate(file: DicomFile, dataset: Dataset, frame: int) -> DicomSlice:
    """Read the place of one image (PS3.3, C.7.6.2, and C.7.6.16.2 for frames).

    Raises:
        GliosegError: If the header does not say where it lies, or impossible things.
    """
    corner = frame_numbers(dataset, frame, "PlanePositionSequence", "ImagePositionPatient", 3)
    directions = frame_numbers(dataset, frame, "PlaneOrientationSequence", "ImageOrientationPatient", 6)
    spacing = frame_numbers(dataset, frame, "PixelMeasuresSequence", "PixelSpacing", 2)
    values = {"ImagePositionPatient": corner, "ImageOrientationPatient": directions, "PixelSpacing": spacing}
    if corner is None or directions is None or spacing is None:
        raise _no_geometry(file, f"no {next(name for name, value in values.items() if value is None)}")
    directions = directions.reshape(2, 3)
    if not np.allclose(directions @ directions.T, np.eye(2), atol=5 * SAME_DIRECTION):
        raise _no_geometry(file, "directions that are not at right angles")
    if (spacing <= 0).any():
        raise _no_geometry(file, "a pixel spacing that is not positive")
    return DicomSlice(file, frame, dataset, corner, directions, spacing)


def order(slices: Sequence[DicomSlice]) -> list[DicomSlice]:
    """The slices of one grid by their position along the normal.

    Raises:
        GliosegError: If they differ in size, direction or pixel spacing, or lie at one place.
    """
    first = slices[0]
    for other in slices:
        _check_same_grid(first, other)
    along = _positions_mm(slices)
    ordered = [slices[index] for index in np.argsort(along, kind="stable")]
    gaps = np.diff(np.sort(along))
    if (gaps < SAME_PLACE_MM).any():
        at = int(np.argmax(gaps < SAME_PLACE_MM))
        raise GliosegError(
            f"{_name(ordered[at])} and {_name(ordered[at + 1])} lie at one place",
            expected="one image at each place",
            found=f"{len(slices)} images at {1 + int((gaps >= SAME_PLACE_MM).sum())} places",
            remedy="Several echoes, time points or copies share the series: export the one to be segmented",
        )
    return ordered


def affine_of(slices: Sequence[DicomSlice], thickness_mm: float | None = None) -> NDArray[np.float64]:
    """Voxel indices (slice, row, column) to RAS+ millimetres, shape (4, 4), of ordered slices.

    Args:
        slices: As :func:`order` returns them.
        thickness_mm: Stands for the spacing where there is one slice only.

    Raises:
        GliosegError: If slices are missing, uneven or shifted against each other, or one slice has no thickness.
    """
    first = slices[0]
    if len(slices) == 1:
        if not thickness_mm or thickness_mm <= 0:
            raise _no_geometry(first.file, "a single slice without its thickness")
        step = _normal(first) * thickness_mm
    else:
        step = (slices[-1].corner_mm - first.corner_mm) / (len(slices) - 1)
        _check_even(slices, step)
    affine = np.eye(4)
    affine[:3, 0] = step
    affine[:3, 1] = first.directions[1] * first.pixel_spacing_mm[0]
    affine[:3, 2] = first.directions[0] * first.pixel_spacing_mm[1]
    affine[:3, 3] = first.corner_mm
    affine[:3] = LPS_TO_RAS @ affine[:3]
    return affine


def unevenness_mm(slices: Sequence[DicomSlice]) -> float:
    """The farthest that a slice lies off the even grid."""
    return float(np.abs(_off_grid_mm(slices)).max())


def place_in(slices: Sequence[DicomSlice], other: DicomSlice) -> int | None:
    """The index of the slice at whose place another image of the same grid lies, or None."""
    distances = np.array([np.linalg.norm(one.corner_mm - other.corner_mm) for one in slices])
    nearest = int(distances.argmin())
    return nearest if distances[nearest] < EVEN_MM else None


def is_same_grid(one: DicomSlice, other: DicomSlice) -> bool:
    """Whether two images have the same size, directions and pixel spacing."""
    return all(same for _, same, _ in _comparisons(one, other))


def _comparisons(one: DicomSlice, other: DicomSlice) -> list[tuple[str, bool, Callable[[DicomSlice], str]]]:
    return [
        ("sizes", _size(one) == _size(other), _size),
        ("directions", bool(np.allclose(one.directions, other.directions, atol=SAME_DIRECTION)), _directions),
        ("pixel spacings", np.allclose(one.pixel_spacing_mm, other.pixel_spacing_mm, rtol=EVEN_SHARE), _spacing),
    ]


def _check_same_grid(one: DicomSlice, other: DicomSlice) -> None:
    for what, same, describe in _comparisons(one, other):
        if not same:
            raise GliosegError(
                f"{_name(one)} and {_name(other)} are of one series but have different {what}",
                expected=describe(one),
                found=describe(other),
                remedy="It may be a localiser: choose a series of parallel slices",
            )


def _check_even(slices: Sequence[DicomSlice], step: NDArray[np.float64]) -> None:
    normal, gaps = _normal(slices[0]), np.diff(_positions_mm(slices))
    usual, spacing = float(np.median(gaps)), float(step @ normal)
    allowed = max(EVEN_MM, EVEN_SHARE * usual)
    if np.abs(_off_grid_mm(slices)).max() > allowed:
        at = int(np.abs(gaps - usual).argmax())
        what = "slices are missing" if gaps[at] > 1.5 * usual else "the slices are unevenly spaced, most"
        raise GliosegError(
            f"{what} between {_name(slices[at])} and {_name(slices[at + 1])}",
            expected=f"{usual:.3f} mm",
            found=f"{gaps[at]:.3f} mm",
            remedy="Export the whole series again",
        )
    aside = np.linalg.norm(step - spacing * normal)
    if aside > max(EVEN_MM, EVEN_SHARE * spacing):
        raise GliosegError(
            f"the slices of {_name(slices[0])} are shifted sideways against each other",
            expected="a right-angled stack",
            found=f"{aside:.3f} mm from slice to slice",
            remedy="Resample the series to a right-angled grid",
        )


def _off_grid_mm(slices: Sequence[DicomSlice]) -> NDArray[np.float64]:
    """How far each slice lies off a grid of even steps from the first to the last."""
    along = _positions_mm(slices)
    return along - np.linspace(along[0], along[-1], len(slices))


def _positions_mm(slices: Sequence[DicomSlice]) -> NDArray[np.float64]:
    return np.array([one.corner_mm for one in slices]) @ _normal(slices[0])


def _normal(one: DicomSlice) -> NDArray[np.float64]:
    normal = np.cross(one.directions[0], one.directions[1])
    return normal / np.linalg.norm(normal)


def _size(one: DicomSlice) -> str:
    return f"{one.dataset.Rows} x {one.dataset.Columns}"


def _directions(one: DicomSlice) -> str:
    return ", ".join(f"{value:.4f}" for value in one.directions.flat)


def _spacing(one: DicomSlice) -> str:
    return " x ".join(f"{value:.4f}" for value in one.pixel_spacing_mm) + " mm"


def _name(one: DicomSlice) -> str:
    name = one.file.member or one.file.path.name
    return f"{name} frame {one.frame + 1}" if "PerFrameFunctionalGroupsSequence" in one.dataset else name


def _no_geometry(file: DicomFile, what: str) -> GliosegError:
    return GliosegError(
        f"{file} does not say where its image lies",
        expected="position, orientation and pixel spacing",
        found=what,
        remedy="Export the original series: copies for presentation lose their geometry",
    )
