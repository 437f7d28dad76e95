"""The case table as text: its heading and its cells, before anything is known about their meaning."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hakken.core.tables import read_table


@dataclass(frozen=True)
class Row:
    """One line of the table; ``number`` counts the lines of the file from 1, the heading included."""

    number: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


@dataclass(frozen=True)
class Rows:
    """The heading and the lines of a table; cells carry no surrounding blanks, empty lines are left out."""

    path: Path
    heading: tuple[str, ...]
    rows: tuple[Row, ...]


def read_rows(path: Path) -> Rows:
    """Read a CSV file as text, as every table is read; raises HakkenError where there is no readable table."""
    table = read_table(path)
    rows = [Row(number, cells) for number, cells in zip(table.rows, table.records(), strict=True)]
    return Rows(path, table.columns, tuple(rows))
