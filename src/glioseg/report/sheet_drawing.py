"""Tiles of slices set into rows with a head line, drawn with Pillow: the same input gives the same pixels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from math import hypot
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

TILE_PX = (330, 300)
"""Largest height and width of a slice on the sheet."""

COLUMNS = 5
GUTTER_PX, MARGIN_PX, HEAD_PX, FOOT_PX = 6, 16, 64, 34
INK, FAINT, LINE_COLOUR = (232, 234, 237), (154, 160, 168), (0, 194, 255)
GROUND = (0, 0, 0)
OVERSAMPLING = 3
"""Contours are drawn so many times finer and averaged, which smooths them."""

NOTICE = "For research. Not a medical device."

Place = tuple[float, float]


@dataclass(frozen=True)
class Tile:
    """One slice of one sequence.

    Attributes:
        grey: Shape (row, column), uint8.
        tumour: The mask on the same pixels, bool.
        proportions: Height and width of a pixel, in any unit.
        label: Stands in the upper left corner.
        lines: Ends (row, column) of straight lines to draw, in pixels of the slice.
        caption: Stands below, beside the lines.
        colour: Of the contour.
    """

    grey: NDArray[np.uint8]
    tumour: NDArray[np.bool_]
    proportions: Place
    label: str
    lines: tuple[tuple[Place, Place], ...]
    caption: str
    colour: tuple[int, int, int]


@dataclass(frozen=True)
class SheetText:
    """What stands around the tiles.

    Attributes:
        title: Upper left.
        corner: Upper right.
        left: Under the title.
        right: Under the tiles.
        marks_sides: Whether R and L stand beside every slice.
    """

    title: str
    corner: str
    left: str
    right: str
    marks_sides: bool


def draw_sheet(rows: Mapping[str, Sequence[Tile]], text: SheetText) -> NDArray[np.uint8]:
    """The sheet, shape (row, column, 3), uint8 RGB.

    Args:
        rows: Tiles of each sequence by its title, all of one size; where they need several lines, the sequences
            alternate, so that the images of a slice stand one above the other.
        text: What stands around them.
    """
    tiles = next(iter(rows.values()))
    height, width = tile_size(tiles[0])
    columns = min(COLUMNS, len(tiles))
    lines = [
        (title, row[start : start + columns]) for start in range(0, len(tiles), columns) for title, row in rows.items()
    ]
    inner = max(columns * (width + GUTTER_PX) - GUTTER_PX, _needed_width(text))
    sheet = Image.new(
        "RGB",
        (inner + 2 * MARGIN_PX, HEAD_PX + len(lines) * (height + GUTTER_PX) + FOOT_PX + 2 * MARGIN_PX),
        GROUND,
    )
    for number, (title, row) in enumerate(lines):
        for column, tile in enumerate(row):
            place = MARGIN_PX + column * (width + GUTTER_PX), MARGIN_PX + HEAD_PX + number * (height + GUTTER_PX)
            sheet.paste(draw_tile(tile, title if column == 0 else "", marks_sides=text.marks_sides), place)
    _draw_text(sheet, text)
    return np.asarray(sheet)


def tile_size(tile: Tile) -> tuple[int, int]:
    """Height and width of a tile on the sheet: as large as fits, in the patient's proportions."""
    extent = [count * step for count, step in zip(tile.grey.shape, tile.proportions, strict=True)]
    scale = min(most / length for most, length in zip(TILE_PX, extent, strict=True))
    height, width = (max(round(length * scale), 1) for length in extent)
    return height, width


def draw_tile(tile: Tile, title: str = "", *, marks_sides: bool) -> Image.Image:
    """One slice with its contour, lines and letters."""
    height, width = tile_size(tile)
    image = Image.fromarray(tile.grey).resize((width, height), Image.Resampling.LANCZOS).convert("RGB")
    cover = contour_cover(tile.tumour, (height, width))
    image.paste(tile.colour, mask=Image.fromarray(cover))
    _draw_lines(image, tile)
    draw = ImageDraw.Draw(image)
    _write(draw, (7, 5), tile.label, size=14)
    _write(draw, (7, height - 6), title, size=14, anchor="ls", colour=FAINT)
    _write(draw, (width - 7, height - 6), tile.caption, size=14, anchor="rs", colour=LINE_COLOUR)
    if marks_sides:
        _write(draw, (5, height // 2), "R", size=15, anchor="lm", bold=True)
        _write(draw, (width - 5, height // 2), "L", size=15, anchor="rm", bold=True)
    return image


def contour_cover(tumour: NDArray[np.bool_], size: tuple[int, int], line_px: float = 1.6) -> NDArray[np.uint8]:
    """How much of each pixel of a tile the contour covers, 0 to 255; the line lies just inside the mask's edge."""
    cover = np.zeros(size, np.uint8)
    if not tumour.any():
        return cover
    # Whole pixels of the tile around the tumour: all of it would take most of the time.
    rows, columns = (
        _around(np.flatnonzero(tumour.any(axis=1 - axis)), tumour.shape[axis], size[axis]) for axis in (0, 1)
    )
    fine = (columns.stop - columns.start) * OVERSAMPLING, (rows.stop - rows.start) * OVERSAMPLING
    step_rows, step_columns = (count / length for count, length in zip(tumour.shape, size, strict=True))
    box = columns.start * step_columns, rows.start * step_rows, columns.stop * step_columns, rows.stop * step_rows
    smooth = _as_image(tumour).resize(fine, Image.Resampling.BILINEAR, box)
    line = _rim(np.asarray(smooth) > 127, line_px * OVERSAMPLING)
    cover[rows, columns] = np.asarray(_as_image(line).reduce(OVERSAMPLING))
    return cover


def _around(inside: NDArray[np.intp], count: int, length: int) -> slice:
    """The pixels of a tile that hold those of a mask, of which so many make its length."""
    return slice(int(inside[0]) * length // count, -(-(int(inside[-1]) + 1) * length // count))


def _as_image(mask: NDArray[np.bool_]) -> Image.Image:
    return Image.fromarray(np.where(mask, np.uint8(255), np.uint8(0)))


def _rim(inside: NDArray[np.bool_], width_px: float) -> NDArray[np.bool_]:
    """What of a mask lies no deeper, by shifted copies: a distance of every pixel would take several times as long."""
    reach = int(width_px)
    outside = np.pad(~inside, reach, constant_values=True)
    rim = np.zeros_like(inside)
    for row, column in product(range(-reach, reach + 1), repeat=2):
        if hypot(row, column) <= width_px:
            rim |= outside[reach + row :, reach + column :][: inside.shape[0], : inside.shape[1]]
    return rim & inside


def _draw_lines(image: Image.Image, tile: Tile) -> None:
    """The diameters; drawn finer and averaged as the contour is."""
    if not tile.lines:
        return
    scale = [size / count * OVERSAMPLING for size, count in zip(reversed(image.size), tile.grey.shape, strict=True)]
    layer = Image.new("L", (image.width * OVERSAMPLING, image.height * OVERSAMPLING))
    draw = ImageDraw.Draw(layer)
    for line in tile.lines:
        # The centre of pixel 0 lies half a pixel from the image's edge.
        ends = [((column + 0.5) * scale[1], (row + 0.5) * scale[0]) for row, column in line]
        draw.line(ends, fill=255, width=round(1.2 * OVERSAMPLING))
    cover = layer.resize(image.size, Image.Resampling.BOX)
    image.paste(Image.new("RGB", image.size, LINE_COLOUR), mask=cover)


def _draw_text(sheet: Image.Image, text: SheetText) -> None:
    draw = ImageDraw.Draw(sheet)
    right, bottom = sheet.width - MARGIN_PX, sheet.height - MARGIN_PX
    _write(draw, (MARGIN_PX, MARGIN_PX + 20), text.title, size=22, anchor="ls", bold=True)
    _write(draw, (right, MARGIN_PX + 20), text.corner, size=22, anchor="rs", bold=True)
    _write(draw, (MARGIN_PX, MARGIN_PX + 45), text.left, size=15, anchor="ls", colour=FAINT)
    _write(draw, (MARGIN_PX, bottom), NOTICE, size=13, anchor="ls", colour=FAINT)
    _write(draw, (right, bottom), text.right, size=13, anchor="rs", colour=FAINT)


def _needed_width(text: SheetText) -> int:
    """So that no two texts of a line touch, however few the tiles."""
    lines = (
        (_font(22, bold=True), text.title + "   " + text.corner),
        (_font(15, bold=False), text.left),
        (_font(13, bold=False), NOTICE + "   " + text.right),
    )
    return max(round(font.getlength(words)) for font, words in lines)


def _write(
    draw: ImageDraw.ImageDraw,
    place: tuple[int, int],
    words: str,
    *,
    size: int,
    anchor: str = "la",
    colour: tuple[int, int, int] = INK,
    bold: bool = False,
) -> None:
    """Letters with a dark rim, legible on any grey."""
    if words:
        font = _font(size, bold=bold)
        draw.text(place, words, fill=colour, font=font, anchor=anchor, stroke_width=2, stroke_fill=GROUND)


@cache
def _font(size: int, *, bold: bool) -> ImageFont.FreeTypeFont:
    """One typeface that comes with the program: the same on every machine."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(__file__).parent / "fonts" / name, size)
