"""The case table as text: its heading and its cells, before anything is known about their meaning.

This is read every time a workflow is parsed, so it costs milliseconds: the csv module, no data frames.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from hakken.errors import HakkenError
from hakken.names import nearest

SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True)
class Row:
    """One line of the table; ``number`` counts the lines of the file from 1, the heading included."""

    number: int
    cells: dict[str, str]
    width: int

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


@dataclass(frozen=True)
class Rows:
    """The heading and the lines of a table; cells carry no surrounding blanks, empty lines are left out."""

    path: Path
    heading: tuple[str, ...]
    rows: tuple[Row, ...]


def read_rows(path: Path) -> Rows:
    """Read a CSV file as text.

    Commas, semicolons (as spreadsheets of many European countries write them) and tabs separate cells, whichever the
    heading uses; a byte-order mark and Windows line ends are accepted. Raises HakkenError where there is no readable
    table.
    """
    lines = _text(path).splitlines(keepends=True)
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise HakkenError(f"{path}: the case table is empty; its first line must name the columns")
    reader = csv.reader(lines, delimiter=max(SEPARATORS, key=first.count))
    heading: tuple[str, ...] = ()
    rows = []
    try:
        for record in reader:
            cells = [cell.strip() for cell in record]
            if not any(cells):
                continue
            if not heading:
                heading = tuple(cells)
            else:
                rows.append(Row(reader.line_num, dict(zip(heading, cells, strict=False)), len(cells)))
    except csv.Error as error:
        raise HakkenError(f"{path}: row {reader.line_num}: not valid CSV ({error}); export the table again") from None
    return Rows(path, heading, tuple(rows))


def _text(path: Path) -> str:
    """Return the file's text without a byte-order mark."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        known = [file.name for file in path.parent.glob("*.csv")] if path.parent.is_dir() else []
        raise HakkenError(f"{path}: no such case table{nearest(path.name, known)}") from None
    except UnicodeDecodeError:
        raise HakkenError(f"{path}: not a text file in UTF-8; in a spreadsheet, save it as `CSV UTF-8`") from None
    except OSError as error:
        raise HakkenError(f"{path}: the case table cannot be read ({error.strerror}); check the path") from None
