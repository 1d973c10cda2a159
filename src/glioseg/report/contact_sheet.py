"""A patient on one image: axial slices through the tumour with its contour, ready to be looked at.

Slices hang as radiologists hang them, the patient's right on the left, and keep the proportions of the patient
whatever the grid's steps are. Sides are marked only where the file tells them.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from glioseg.atomic import write_bytes_atomically
from glioseg.display import PREDICTION_COLOUR, intensity_window, to_grey
from glioseg.errors import GliosegError
from glioseg.head.depth import filled
from glioseg.measurement.diameters import Line
from glioseg.measurement.measure import Measurement, measure_mask
from glioseg.report.overlay import head_box
from glioseg.report.sheet_drawing import SheetText, Tile, draw_sheet
from glioseg.space.affine import spacing_mm
from glioseg.space.axial import AxialView, axial_affine, axial_view, to_axial
from glioseg.volume import Mask, Volume

SLICES_SHOWN = 10
TITLES = {"flair": "FLAIR", "post": "T1 post"}
DARKEST_OF_HEAD = 40
"""Grey levels above this, of 255, are head and not the noise of the background."""

SCALP_SHARE = 0.08
"""How far scalp and skull reach into the head, as a share of its width. Their fat is bright and would leave the brain
dark if the window held it."""

BRIGHTEST = 2.9
"""White, in medians of the brain above black: a tumour on FLAIR and its enhancement on T1 reach about two."""

WINDOW_SLICES, WINDOW_PX = 12, 128
"""A window is found on so many slices, thinned to about so many columns: what decides it is centimetres large."""

COMPRESSION = 2
"""Of the image: larger by a tenth than by the usual level, in less than a third of the time."""


@dataclass(frozen=True)
class _Hung:
    """A patient in the axial view, cropped to the head; arrays are (slice, row, column).

    Attributes:
        images: Intensities by sequence.
        windows: Intensities shown as black and as white, by sequence.
        tumour: The mask, bool.
        proportions: Height and width of a pixel, in millimetres where they are known.
        into_view: Voxel indices of the source to those of the cropped view, shape (4, 4).
        from_view: The slice of the source of each slice, from 0.
    """

    images: dict[str, NDArray[np.uint8] | NDArray[np.float32]]
    windows: dict[str, tuple[float, float]]
    tumour: NDArray[np.bool_]
    proportions: tuple[float, float]
    into_view: NDArray[np.float64]
    from_view: tuple[int, ...]

    def grey(self, sequence: str, index: int) -> NDArray[np.uint8]:
        """A slice as it is shown."""
        return to_grey(self.images[sequence][index], self.windows[sequence])


def write_contact_sheet(
    path: Path, volume: Volume, mask: Mask, measurement: Measurement | None = None, presence: str = ""
) -> None:
    """Write :func:`contact_sheet` as a PNG, whole or not at all; the same input gives the same bytes."""
    buffer = io.BytesIO()
    Image.fromarray(contact_sheet(volume, mask, measurement, presence)).save(
        buffer, format="PNG", compress_level=COMPRESSION
    )
    write_bytes_atomically(path, buffer.getvalue())


def contact_sheet(
    volume: Volume, mask: Mask, measurement: Measurement | None = None, presence: str = ""
) -> NDArray[np.uint8]:
    """The sheet of one patient, shape (row, column, 3), uint8 RGB.

    Slices through the tumour and one beyond at either end, evenly chosen where there are many, always with the one
    whose diameters are longest; through the whole head where there is no tumour. Under each FLAIR stands T1 after
    contrast, if it was taken.

    Args:
        volume: The scan.
        mask: The tumour on the same grid.
        measurement: What :func:`glioseg.measurement.measure.measure_mask` gives for the two; measured here if None.
        presence: What is to be said first of whether there is a tumour at all.

    Raises:
        GliosegError: If scan and mask are not of one grid.
    """
    if mask.voxels.shape != volume.voxels.shape[:3]:
        raise GliosegError(
            f"patient {volume.patient}: the mask does not fit the scan",
            expected=str(volume.voxels.shape[:3]),
            found=str(mask.voxels.shape),
        )
    measured = measurement or measure_mask(mask, volume)
    hung = _hang(volume, mask)
    diameters = measured.whole.diameters
    largest = None if diameters is None else hung.from_view.index(diameters.axial_slice)
    shown = slices_to_show(hung.tumour, _head_slices(hung), largest)
    tiles = {
        sequence: [_tile(hung, sequence, index, measured, index == largest) for index in shown]
        for sequence in hung.images
    }
    return draw_sheet(
        {TITLES[sequence]: row for sequence, row in tiles.items()},
        SheetText(
            title=volume.patient,
            corner=_volume_in_words(measured),
            left=": ".join(filter(None, [presence, _tumour_in_words(measured)])),
            right=_sides_in_words(volume),
            marks_sides=volume.affine is not None,
        ),
    )


def slices_to_show(
    tumour: NDArray[np.bool_], head: NDArray[np.bool_], largest: int | None, count: int = SLICES_SHOWN
) -> list[int]:
    """Indices of the slices to show, in order.

    Args:
        tumour: The mask, shape (slice, row, column).
        head: Which slices hold enough of the head to be worth looking at, shape (slice,).
        largest: A slice that must be shown, or None.
        count: How many slices at most.
    """
    occupied = np.flatnonzero(tumour.any(axis=(1, 2)))
    if occupied.size:
        first, last = max(int(occupied[0]) - 1, 0), min(int(occupied[-1]) + 1, len(tumour) - 1)
    else:
        inside = np.flatnonzero(head)
        first, last = (int(inside[0]), int(inside[-1])) if inside.size else (0, len(tumour) - 1)
    shown = sorted({round(place) for place in np.linspace(first, last, min(count, last - first + 1)).tolist()})
    if largest is not None and largest not in shown:
        nearest = min(range(len(shown)), key=lambda place: abs(shown[place] - largest))
        shown[nearest] = largest
    return shown


def brain_window(voxels: NDArray[np.uint8] | NDArray[np.float32]) -> tuple[float, float]:
    """The intensities shown as black and as white, by what lies deeper in the head than the scalp.

    Black is what is darkest outside the background; white makes the brain a middle grey in every patient.

    Args:
        voxels: One sequence, shape (slice, row, column); some of its slices stand for all.
    """
    thinned = max(round(voxels.shape[2] / WINDOW_PX), 1)
    few = voxels[:: max(len(voxels) // WINDOW_SLICES, 1), ::thinned, ::thinned]
    whole = intensity_window(few)
    head = to_grey(few, whole) > DARKEST_OF_HEAD
    margin = max(round(SCALP_SHARE * few.shape[2]), 1)
    deep = [ndimage.distance_transform_edt(filled(plane)) > margin for plane in head]
    brain = few[np.stack(deep)]
    if brain.size == 0:
        return whole
    dark = whole[0]
    return dark, max(dark + BRIGHTEST * (float(np.median(brain)) - dark), dark + 1e-6)


def _hang(volume: Volume, mask: Mask) -> _Hung:
    view = axial_view(volume.affine)
    shape = mask.voxels.shape
    sequences = [sequence for sequence in TITLES if sequence in volume.taken]
    images = {sequence: to_axial(volume.channel(sequence), view) for sequence in sequences}
    windows = {sequence: brain_window(image) for sequence, image in images.items()}
    tumour = to_axial(mask.voxels, view)
    brightest = to_grey(images["flair"].max(axis=0), windows["flair"])
    rows, columns = head_box(brightest > DARKEST_OF_HEAD, tumour.max(axis=0))
    cropped = np.eye(4)
    cropped[1:3, 3] = -rows.start, -columns.start
    return _Hung(
        images={sequence: image[:, rows, columns] for sequence, image in images.items()},
        windows=windows,
        tumour=tumour[:, rows, columns],
        proportions=_proportions(volume.affine, view),
        into_view=cropped @ np.linalg.inv(axial_affine(np.eye(4), shape, view)),
        from_view=tuple(range(len(tumour)))[:: -1 if view.reversed_axes[0] else 1],
    )


def _proportions(affine: NDArray[np.float64] | None, view: AxialView) -> tuple[float, float]:
    if affine is None:
        return 1.0, 1.0
    steps = spacing_mm(affine)
    return steps[view.axes[1]], steps[view.axes[2]]


def _head_slices(hung: _Hung) -> NDArray[np.bool_]:
    """Slices of which the head fills a fifth or more; none, where the tumour tells which to show."""
    if hung.tumour.any():
        return np.zeros(len(hung.tumour), np.bool_)
    greys = (hung.grey("flair", index) for index in range(len(hung.tumour)))
    return np.array([(grey > DARKEST_OF_HEAD).mean() >= 0.2 for grey in greys])


def _tile(hung: _Hung, sequence: str, index: int, measured: Measurement, is_largest: bool) -> Tile:
    diameters = measured.whole.diameters
    lines = (diameters.longest, diameters.perpendicular) if diameters and is_largest and sequence == "flair" else ()
    return Tile(
        grey=hung.grey(sequence, index),
        tumour=hung.tumour[index],
        proportions=hung.proportions,
        label=f"{hung.from_view[index] + 1}/{len(hung.from_view)}",
        lines=tuple(_in_view(line, hung.into_view) for line in lines),
        caption=_diameters_in_words(measured) if lines else "",
        colour=PREDICTION_COLOUR,
    )


def _in_view(line: Line, into_view: NDArray[np.float64]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Its ends in rows and columns, in an order and to a precision that leave nothing to chance."""
    ends = np.array(line.ends) @ into_view[:3, :3].T + into_view[:3, 3]
    first, second = sorted((round(float(row), 4), round(float(column), 4)) for _, row, column in ends)
    return first, second


def _volume_in_words(measured: Measurement) -> str:
    if not measured.whole.voxels:
        return "no tumour"
    return "volume unknown" if measured.whole.volume_ml is None else f"{measured.whole.volume_ml:.1f} ml"


def _diameters_in_words(measured: Measurement) -> str:
    whole = measured.whole
    if whole.longest_diameter_mm is not None:
        return f"{whole.longest_diameter_mm:.0f} × {whole.perpendicular_diameter_mm:.0f} mm"
    return f"{whole.longest_diameter_px:.0f} × {whole.perpendicular_diameter_px:.0f} px"


def _tumour_in_words(measured: Measurement) -> str:
    """How large and where, in a line."""
    whole, parts = measured.whole, []
    if whole.voxels:
        parts.append(f"{whole.voxels:,} voxels on {whole.tumour_slices} of {measured.slices} slices")
        parts.append(f"axial diameters {_diameters_in_words(measured)}")
    if len(measured.components) > 1:
        parts.append(f"{len(measured.components)} separate parts")
    if whole.side:
        parts.append({"left": "left side", "right": "right side", "both": "both sides"}.get(whole.side, "midline"))
    return ", ".join(parts)


def _sides_in_words(volume: Volume) -> str:
    if volume.affine is None:
        return "The file tells neither spacing nor sides."
    return "R is the patient's right."
