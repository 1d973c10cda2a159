"""What every report is made of: the template engine, numbers as text, images inside the page."""

import base64
import io
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from glioseg.evaluation.definitions import METRICS, Metric

ABSENT = "–"
"""Stands where a number does not exist."""

CONTOUR_SCALE = 4
CONTOUR_WIDTH_PX = 4


def render_page(template: str, contents: Mapping[str, Any]) -> str:
    """Fill a template of the package; the same contents give the same text."""
    environment = Environment(
        loader=PackageLoader("glioseg.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"metric": format_value, "share": format_share}
    return environment.get_template(template).render(contents)


def format_value(value: float | None, metric: Metric) -> str:
    """A number as the tables show it: shares with three decimals, distances with one, voxels with none."""
    if value is None or math.isnan(value):
        return ABSENT
    decimals = {"": 3, "voxels": 0}.get(metric.unit, 1)
    # A thin space groups the digits, as ISO 80000-1 asks.
    return f"{value:,.{decimals}f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def format_share(value: float | None) -> str:
    """A share, such as a Dice, with three decimals."""
    return format_value(value, METRICS["dice"])


def png_address(image: NDArray[np.uint8]) -> str:
    """An image as a `data:` address of PNG."""
    content = io.BytesIO()
    Image.fromarray(image).save(content, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"


def inline_svg(drawing: str) -> Markup:
    """An SVG for use inside HTML, where namespaces are known and the width is the page's."""
    head, rest = drawing.split(">", 1)
    head = re.sub(r' (xmlns(:xlink)?|width|height)="[^"]*"', "", head)
    return Markup(f'{head} role="img">{rest}')


def css_colour(rgb: tuple[int, int, int]) -> str:
    """A colour as style sheets write it."""
    return "#{:02x}{:02x}{:02x}".format(*rgb)
