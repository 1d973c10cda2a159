"""A table of figures as Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        title: Its heading.
        header: The columns' titles.
        rows: Cells in words.
        note: What a reader must know to use the figures.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def markdown(self) -> str:
        """The table under its heading."""
        lines = [f"## {self.title}", ""]
        if self.note:
            lines += [self.note, ""]
        lines += [_row(self.header), _row(["---", *["---:"] * (len(self.header) - 1)]), *map(_row, self.rows)]
        return "\n".join(lines) + "\n"


def times(fast: float, slow: float) -> str:
    """A ratio of two times or rates, as ``3.2x``."""
    return f"{fast / slow:.1f}x"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
