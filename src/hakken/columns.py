"""Tables that people bring: CSV files read by column, with the file, row and column of whatever cannot be used."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hakken.errors import HakkenError
from hakken.names import nearest

SEPARATORS = (",", ";", "\t")
FIRST_ROW = 2
"""The row of a table that holds its first entry; the heading is row 1."""


@dataclass(frozen=True, eq=False)
class Columns:
    """A table as text by column; cells carry no surrounding blanks. Entry i stands in row i + `FIRST_ROW`."""

    path: Path
    cells: dict[str, list[str]]

    def __len__(self) -> int:
        return len(next(iter(self.cells.values())))

    def __contains__(self, column: str) -> bool:
        return column in self.cells

    def text(self, column: str) -> list[str]:
        """Return a column as text; raises HakkenError naming the row of an empty cell."""
        values = self.cells[column]
        if "" in values:
            raise self.error(values.index(""), column, "is empty")
        return values

    def numbers(self, column: str) -> NDArray[np.float64]:
        """Return a column as finite numbers (n,); raises HakkenError naming the row of one that is none."""
        values = self.cells[column]
        try:
            if "_" in "".join(values):
                raise ValueError("Python reads 1_0 as 10, no spreadsheet does")
            numbers = np.array(values, dtype=float) if values else np.empty(0)
        except ValueError:
            place = next(place for place, value in enumerate(values) if not _is_number(value))
            raise self.error(place, column, _no_number(values[place])) from None
        bad = np.flatnonzero(~np.isfinite(numbers))
        if bad.size:
            raise self.error(int(bad[0]), column, f"`{values[bad[0]]}` is not finite; give a number")
        return numbers

    def choices(self, column: str, allowed: Sequence[str]) -> list[str]:
        """Return a column whose cells are all among ``allowed``; raises HakkenError naming the row of another."""
        values = self.text(column)
        for value in dict.fromkeys(values):
            if value not in allowed:
                hint = f"`{value}` is not among {', '.join(allowed)}{nearest(value, allowed)}"
                raise self.error(values.index(value), column, hint)
        return values

    def flags(self, column: str) -> NDArray[np.bool_]:
        """Return a column of 0 and 1 as flags (n,); raises HakkenError naming the row of another value."""
        numbers = self.numbers(column)
        bad = np.flatnonzero((numbers != 0) & (numbers != 1))
        if bad.size:
            raise self.error(int(bad[0]), column, f"`{self.cells[column][bad[0]]}` is neither 0 nor 1")
        return np.asarray(numbers == 1)

    def error(self, entry: int, column: str, reason: str) -> HakkenError:
        """Return the error that says what is wrong with a cell."""
        return HakkenError(f"{self.path}, row {entry + FIRST_ROW}, column {column}: {reason}")


def read_columns(path: Path, required: Sequence[str], optional: Sequence[str] | None = None) -> Columns:
    """Read a CSV file (UTF-8; commas, semicolons or tabs, whichever the heading uses).

    Columns beyond the ``required`` and ``optional`` ones are left out; ``optional`` None keeps all. Raises HakkenError
    naming what is missing or there twice, and the row that is empty or has too few or too many cells.
    """
    rows = _records(path)
    if not rows or not any(rows[0]):
        raise HakkenError(f"{path}: the table is empty; its first line must name the columns ({', '.join(required)})")
    heading = [name.strip() for name in rows[0]]
    for name in required:
        if name not in heading:
            hint = nearest(name, heading)
            raise HakkenError(f"{path}: column {name} is missing{hint}; the table needs {', '.join(required)}")
    twice = [name for name in heading if heading.count(name) > 1]
    if twice:
        raise HakkenError(f"{path}: column {twice[0]} stands there twice; keep one")
    body = rows[1:]
    for row, record in enumerate(body, start=FIRST_ROW):
        if len(record) != len(heading):
            reason = f"{len(record)} cells, the heading has {len(heading)}" if record else "empty; remove it"
            raise HakkenError(f"{path}, row {row}: {reason}")
    by_column = [list(map(str.strip, cells)) for cells in zip(*body, strict=True)] if body else [[] for _ in heading]
    wanted = {*required, *optional} if optional is not None else set(heading)
    return Columns(path, {name: cells for name, cells in zip(heading, by_column, strict=True) if name in wanted})


def _records(path: Path) -> list[list[str]]:
    """Return the rows of a file, without empty ones at its end."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        known = [file.name for file in path.parent.glob("*.csv")] if path.parent.is_dir() else []
        raise HakkenError(f"{path}: no such file{nearest(path.name, known)}") from None
    except UnicodeDecodeError:
        raise HakkenError(f"{path}: not a text file in UTF-8; in a spreadsheet, save it as `CSV UTF-8`") from None
    heading = text.partition("\n")[0]  # a line ends here alone: `splitlines` would also cut names that hold U+2028
    reader = csv.reader(io.StringIO(text), delimiter=max(SEPARATORS, key=heading.count), strict=True)
    rows: list[list[str]] = []
    try:
        rows.extend(reader)
    except csv.Error as error:
        raise HakkenError(f"{path}, row {reader.line_num}: not valid CSV ({error}); export the table again") from None
    while rows and not any(rows[-1]):
        rows.pop()
    return rows


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return "_" not in value


def _no_number(value: str) -> str:
    if not value:
        return "is empty; give a number"
    hint = "; write decimals with a point" if _is_number(value.replace(",", ".")) else ""
    return f"`{value}` is not a number{hint}"
