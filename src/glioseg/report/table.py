"""A table once, for the page, for Markdown and for CSV."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from glioseg.study.table import csv_text


@dataclass(frozen=True)
class Cell:
    """What stands in one place of a table.

    Attributes:
        text: The number as it is shown.
        remark: Smaller words under it, such as an interval.
        best: Whether it is the best of its column or row.
    """

    text: str
    remark: str = ""
    best: bool = False

    def markdown(self) -> str:
        """One line: the best in bold, the remark in brackets."""
        text = f"**{self.text}**" if self.best else self.text
        return f"{text} ({self.remark})" if self.remark else text


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        name: Names its files.
        title: Its heading.
        header: A name for each column.
        rows: Cells, the first of each row in words. A row of one cell heads the rows that follow.
        caption: What the reader must know.
        records: The same numbers unrounded, a row of named values each, for CSV.
        spans: Names over several columns, with how many; empty where there are none.
    """

    name: str
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str
    records: tuple[Mapping[str, Any], ...]
    spans: tuple[tuple[str, int], ...] = ()

    def markdown(self) -> str:
        """A heading, the table, and its caption."""
        width = len(self.header)
        lines = [f"| {' | '.join(self.header)} |", f"|:---|{'---:|' * (width - 1)}"]
        for row in self.rows:
            cells = [cell.markdown().replace("|", "\\|") for cell in row]
            if len(row) == 1:
                cells[0] = f"*{cells[0]}*"
            lines.append(f"| {' | '.join([*cells, *[''] * (width - len(row))])} |")
        return f"## {self.title}\n\n" + "\n".join(lines) + f"\n\n{self.caption}\n"

    def csv(self) -> str:
        """The records under a header."""
        columns = list(dict.fromkeys(name for record in self.records for name in record))
        lines = [["" if record.get(c) is None else record.get(c) for c in columns] for record in self.records]
        return csv_text(columns, lines)
