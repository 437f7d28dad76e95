"""Tables as CSV files: one strict reader and one writer for all that hakken reads and writes.

Whatever the table, the same holds. It is UTF-8, with or without a byte-order mark. Commas, semicolons or tabs separate
cells, whichever the heading uses; a first line `sep=;`, which spreadsheets write, says so. Quoted cells may hold
separators, quotes and line breaks. Blanks around a cell do not count, blank rows are passed over. A row with more or
fewer cells than the heading is an error, and so is a column that stands twice. Rows are counted as spreadsheets do: the
heading is row 1. Names of columns that are asked for are found without regard to case, width and blanks.

A text that a spreadsheet would take for a formula (`=`, `+`, `-`, `@` before something that is no number) is written
behind an apostrophe, which makes it text there too (CWE-1236); reading takes it away again, so that what was written
comes back.

Names that rows of several tables are joined by (`OF_NAMES`) are composed (NFC): accents and Japanese voicing marks look
the same whether they are typed as one character or as two.

Cells are text until a column is asked for as numbers: a decimal comma, an empty cell or a word is then an error that
names file, row and column.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hakken.core.csv_text import parsed
from hakken.core.errors import HakkenError
from hakken.core.files import write_text
from hakken.core.names import nearest, plain

if TYPE_CHECKING:
    import pandas as pd

Cell = str | int | float | bool | None
FORMULA = re.compile(r"'*[=+\-@\uff1d\uff0b\uff0d\uff20\s](?s:.)")
"""How a text begins that a spreadsheet may run: a sign of four, wide ones too, or a blank, which it may pass over."""

OF_NAMES = frozenset(
    (
        *("case_id", "patient", "lesion_id", "candidate_id", "reader", "modality"),
        *("site", "scanner", "sex", "label", "class"),
    )
)
"""Columns of names; other cells, such as paths, stay as they were typed."""

FIRST_ROW = 2
"""The row of a table that holds its first entry; the heading is row 1."""


def row_of(entry: int, rows: Sequence[int] | None = None) -> int:
    """Return the row of an entry, whose table has blank rows where ``rows`` says so.

    >>> row_of(0), row_of(1, [2, 5])
    (2, 5)
    """
    return entry + FIRST_ROW if rows is None else rows[entry]


@dataclass(frozen=True, eq=False)
class Table:
    """A table as text by column; ``rows`` (n,) are the rows of the file that its entries stand in."""

    path: Path
    cells: dict[str, list[str]]
    rows: list[int]

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, column: str) -> bool:
        return column in self.cells

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns in their order."""
        return tuple(self.cells)

    def records(self) -> list[dict[str, str]]:
        """Return the entries as text by column."""
        return [dict(zip(self.cells, values, strict=True)) for values in zip(*self.cells.values(), strict=True)]

    def text(self, column: str) -> list[str]:
        """Return a column as text; raises HakkenError naming the row of an empty cell."""
        values = self.cells[column]
        if "" in values:
            raise self.error(values.index(""), column, "is empty")
        return values

    def numbers(self, column: str, *, empty: bool = False) -> NDArray[np.float64]:
        """Return a column as finite numbers (n,), where ``empty`` cells may be NaN.

        Raises HakkenError naming the row of a cell that is no number.
        """
        found = np.full(len(self), np.nan)
        for place, value in enumerate(self.cells[column]):
            if value == "" and empty:
                continue
            if not _is_number(value):
                raise self.error(place, column, _no_number(value))
            found[place] = float(value)
            if not math.isfinite(found[place]):
                raise self.error(place, column, f"`{value}` is not finite; give a number")
        return found

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

    def require_distinct(self, columns: Sequence[str], what: str) -> None:
        """Raise HakkenError naming both rows where ``what`` the cells of the ``columns`` name together stands twice."""
        first: dict[tuple[str, ...], int] = {}
        for entry, key in enumerate(zip(*(self.text(column) for column in columns), strict=True)):
            before = first.setdefault(key, entry)
            if before != entry:
                of_case = f" of case `{key[0]}`" if len(key) > 1 else ""
                name = f"{what} `{' '.join(key[1:] or key)}`{of_case}"
                raise self.error(entry, columns[-1], f"{name} stands already in row {self.rows[before]}; keep one")

    def error(self, entry: int, column: str, reason: str) -> HakkenError:
        """Return the error that says what is wrong with a cell."""
        return HakkenError(f"{self.path}, row {self.rows[entry]}, column {column}: {reason}")


def read_table(
    path: Path,
    required: Sequence[str] = (),
    optional: Sequence[str] | None = None,
    *,
    rename: Callable[[Sequence[str]], list[str]] | None = None,
) -> Table:
    """Read a CSV file.

    ``rename`` gives the columns other names than the heading does. Columns beyond the ``required`` and ``optional``
    ones are left out; ``optional`` None keeps all. Raises HakkenError naming the file and what is wrong: not there, not
    UTF-8, empty, a column that is missing or there twice, rows with too few or too many cells.
    """
    heading, frame = parsed(path)
    heading = [_read(name) for name in heading]
    heading = heading if rename is None else rename(heading)
    wanted = f" ({', '.join(required)})" if required else ""
    if not any(heading):
        raise HakkenError(f"{path}: the table is empty; its first line must name the columns{wanted}")
    heading = _as_asked(path, heading, (*required, *(optional or ())))
    for name in required:
        if name not in heading:
            needs = f"the table needs {', '.join(required)}; there are {', '.join(filter(None, heading))}"
            raise HakkenError(f"{path}: column {name} is missing{nearest(name, heading)}; {needs}")
    for place, name in enumerate(heading):
        if not name and (frame[place] != "").any():
            raise HakkenError(f"{path}: column {place + 1} holds cells and has no name; name or empty it")
    kept = {*required, *optional} if optional is not None else set(heading)
    cells = {
        name: [composed(name, _read(cell)) for cell in frame[place]]
        for place, name in enumerate(heading)
        if name and name in kept
    }
    return Table(path, cells, [int(row) for row in frame.index])


def composed(column: str, cell: str) -> str:
    """Return the cell of a column; a name as its composed letters.

    >>> composed("patient", "e\u0301") == "\u00e9", composed("T1", "e\u0301") == "e\u0301"
    (True, True)
    """
    return unicodedata.normalize("NFC", cell) if column in OF_NAMES else cell


def _as_asked(path: Path, heading: Sequence[str], asked: Sequence[str]) -> list[str]:
    """Return the heading, its columns under the names that are ``asked`` for where only case, width or blanks differ.

    Raises HakkenError where a column stands there twice.
    """
    names = {plain(name): name for name in asked}
    found = [name if name in asked else names.get(plain(name), name) for name in heading]
    for place, name in enumerate(found):
        if name and name in found[:place]:
            others = [heading[found.index(name)], heading[place]]
            written = "" if len(set(others)) == 1 else f" (as {' and '.join(others)})"
            raise HakkenError(f"{path}: column {name} stands there twice{written}; keep one")
    return found


def table_text(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a table as CSV: numbers keep every digit, None and NaN are empty cells, no text is a formula."""
    inert = ([_written(value) if isinstance(value, str) else value for value in row] for row in rows)
    text: str = _frame([_written(name) for name in columns], inert).to_csv(index=False, lineterminator="\n")
    return text


def latex_text(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a table as LaTeX with the rules of the package booktabs; what LaTeX would take for commands is escaped."""
    text: str = _frame(columns, rows).to_latex(index=False, escape=True)
    return text


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a table as CSV, or as LaTeX where the file's name ends in `.tex`."""
    write_text(path, (latex_text if path.suffix == ".tex" else table_text)(columns, rows))


def _frame(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame([[_cell(value) for value in row] for row in rows], columns=list(columns), dtype=object)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(float(value))
    return "" if value is None else str(value)


def _written(text: str) -> str:
    """Return a text as a cell that no spreadsheet runs.

    >>> _written("=1+1"), _written("-1.5"), _written("-"), _written("'=quoted")
    ("'=1+1", '-1.5', '-', "''=quoted")
    """
    return f"'{text}" if FORMULA.match(text) and not _is_number(text) else text


def _read(cell: str) -> str:
    """Return the text of a cell that `_written` may have written."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return "_" not in value  # Python reads 1_0 as 10, no spreadsheet does


def _no_number(value: str) -> str:
    if not value:
        return "is empty; give a number"
    hint = "; write decimals with a point" if _is_number(value.replace(",", ".")) else ""
    hint = "; write the minus as `-`" if _is_number(value.replace("\u2212", "-")) else hint
    return f"`{value}` is not a number{hint}"
