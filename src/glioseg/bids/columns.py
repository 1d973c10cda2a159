"""What each column of a table of measurements means, as the JSON beside the table tells it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_AXES = ("slice", "row", "column")
_RAS = ("x_mm", "y_mm", "z_mm")


@dataclass(frozen=True)
class Column:
    """What a column holds.

    Attributes:
        description: In a sentence.
        units: Of its numbers; empty where it holds none or pure numbers.
        levels: By value what it means, where there are only these.
    """

    description: str
    units: str = ""
    levels: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The column as the JSON file beside a BIDS table defines it."""
        more = {"Units": self.units, "Levels": dict(self.levels)}
        return {"Description": self.description, **{key: value for key, value in more.items() if value}}


_TRUTH = {"true": "yes", "false": "no"}

MEASURED: dict[str, Column] = {
    "presence": Column(
        "Whether there is a tumour at all; n/a where the model does not tell, or was not asked.",
        levels={
            "present": "There is a tumour.",
            "doubtful": "There may be one; the mask is kept and must be looked at.",
            "none": "There is none: the mask is empty; what it would have been lies beside it as desc-candidate.",
        },
    ),
    "presence_chance": Column("The chance of a tumour, 0 to 1."),
    "volume_ml": Column("Volume of the tumour.", "mL"),
    "expected_dice": Column("The Dice, 0 to 1, that the model expects of its mask."),
    "slices": Column("How many axial slices the scan has."),
    "tumour_slices": Column("On how many of them the tumour lies."),
    "voxels": Column("How many voxels the mask has."),
    "components": Column("How many connected parts the mask has (26 neighbours)."),
    "longest_diameter_mm": Column(
        "The longest diameter within any axial slice, edge to edge, of the part with the longest.", "mm"
    ),
    "perpendicular_diameter_mm": Column("The longest diameter at right angles to it on the same slice.", "mm"),
    "diameter_product_mm2": Column("The product of the two.", "mm^2"),
    "longest_diameter_px": Column("The longest diameter in steps of the grid.", "pixel"),
    "perpendicular_diameter_px": Column("The longest diameter at right angles to it in steps of the grid.", "pixel"),
    "diameter_slice": Column("The axial slice of both diameters, counted from 1 in the order of the file."),
    "rano_measurable": Column(
        "Whether both diameters are at least 10 mm long and the tumour lies on two axial slices or more.",
        levels=_TRUTH,
    ),
    "sum_of_products_mm2": Column(
        "Sum of the diameter products of the measurable parts, of the five largest at most (RANO).", "mm^2"
    ),
    "maximum_extent_mm": Column("The longest straight line between any two places of the tumour, in 3-D.", "mm"),
    "side": Column(
        "The side of the head on which the tumour lies.",
        levels={
            "left": "The patient's left.",
            "right": "The patient's right.",
            "crossing": "It crosses the middle of the head.",
            "both": "Separate parts lie on either side.",
        },
    ),
    **{f"centroid_{axis}": Column(f"Centre of gravity along the {axis}s, an index from 0.") for axis in _AXES},
    **{f"centroid_{axis}": Column(f"Centre of gravity along {axis[0]} of RAS+.", "mm") for axis in _RAS},
    **{
        f"{end}_{axis}": Column(f"The {end} {axis} that the tumour reaches, an index from 0.")
        for axis in _AXES
        for end in ("first", "last")
    },
    **{
        f"{end}_{axis}": Column(f"The {meaning} {axis[0]} of RAS+ that the tumour reaches, to the voxel's edge.", "mm")
        for axis in _RAS
        for end, meaning in (("first", "lowest"), ("last", "highest"))
    },
    "missing_sequences": Column(
        "Sequences for which the FLAIR stands in: pre or post for T1 before or after contrast."
    ),
    "preparation": Column("How the scan was fitted to those that the model learnt from."),
    "remarks": Column("What to look at in the scan, as in what it is unlike those that the model learnt from."),
    "unknown": Column("Why a value is n/a."),
}
"""The columns of what is measured, in their order."""

SCANS = {"filename": Column("The mask that was measured, relative to this folder."), **MEASURED}
"""The columns of a session's table."""

GROUP = {
    "participant_id": Column("The subject."),
    "session_id": Column("The session; n/a for a subject without sessions."),
    "filename": Column("The mask, relative to the data set."),
    "state": Column(
        "What came of the FLAIR.",
        levels={
            "done": "It is segmented.",
            "failed": "It could not be segmented; the reason tells why.",
            "missing": "It is not segmented yet.",
        },
    ),
    "reason": Column("Why there is no mask."),
    **MEASURED,
}
"""The columns of the table of all participants."""


def definitions(columns: Mapping[str, Column]) -> dict[str, Any]:
    """The JSON beside a table."""
    return {name: column.as_json() for name, column in columns.items()}


def as_tsv(columns: Mapping[str, Column], rows: list[dict[str, Any]]) -> str:
    """A table as BIDS has it: tabs, and n/a for what is not known."""
    lines = [list(columns), *([_cell(row.get(name)) for name in columns] for row in rows)]
    return "".join("\t".join(line) + "\n" for line in lines)


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "n/a"
    return str(value).lower() if isinstance(value, bool) else " ".join(str(value).split())
