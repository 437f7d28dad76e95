"""Tables as CSV files: one strict reader and one writer for all that hakken reads and writes.

Whatever the table, the same holds. It is UTF-8, with or without a byte-order mark. Commas, semicolons or tabs separate
cells, whichever the heading uses; a first line `sep=;`, which spreadsheets write, says so. Quoted cells may hold
separators, quotes and line breaks. Blanks around a cell do not count, blank rows are passed over. A row with more or
fewer cells than the heading is an error, and so is a column that stands twice. Rows are counted as spreadsheets do: the
heading is row 1.

Cells are text until a column is asked for as numbers: a decimal comma, an empty cell or a word is then an error that
names file, row and column.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hakken.core.errors import HakkenError
from hakken.core.files import write_text
from hakken.core.names import counted, nearest

if TYPE_CHECKING:
    import pandas as pd

Cell = str | int | float | bool | None
SEPARATORS = (",", ";", "\t")
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
    heading, frame = _parsed(path)
    heading = heading if rename is None else rename(heading)
    wanted = f" ({', '.join(required)})" if required else ""
    if not any(heading):
        raise HakkenError(f"{path}: the table is empty; its first line must name the columns{wanted}")
    for name in required:
        if name not in heading:
            needs = f"the table needs {', '.join(required)}; there are {', '.join(filter(None, heading))}"
            raise HakkenError(f"{path}: column {name} is missing{nearest(name, heading)}; {needs}")
    twice = [name for name in heading if name and heading.count(name) > 1]
    if twice:
        raise HakkenError(f"{path}: column {twice[0]} stands there twice; keep one")
    for place, name in enumerate(heading):
        if not name and (frame[place] != "").any():
            raise HakkenError(f"{path}: column {place + 1} holds cells and has no name; name or empty it")
    kept = {*required, *optional} if optional is not None else set(heading)
    cells = {name: frame[place].tolist() for place, name in enumerate(heading) if name and name in kept}
    return Table(path, cells, [int(row) for row in frame.index])


def table_text(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a table as CSV: numbers keep every digit, None and NaN are empty cells."""
    text: str = _frame(columns, rows).to_csv(index=False, lineterminator="\n")
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


def _parsed(path: Path) -> tuple[list[str], pd.DataFrame]:
    """Return the heading, and the other rows as text, numbered as in the file; blank rows are left out."""
    import pandas as pd

    text, above = _begun(_text(path), 1)
    first, _, rest = text.partition("\n")
    separator = max(SEPARATORS, key=first.count)
    if said := re.fullmatch(r"sep=(.)", first.strip(), re.IGNORECASE):
        separator, (text, above) = said[1], _begun(rest, above + 1)
    if not text.strip():
        return [], pd.DataFrame()
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            header=None,
            dtype=str,
            keep_default_na=False,
            skip_blank_lines=False,
            skipinitialspace=True,
            engine="python",  # the other one fills up short rows without a word
        )
    except pd.errors.ParserError as error:
        raise HakkenError(f"{path}{_place(str(error), above)}") from None
    frame = frame.apply(lambda column: column.str.strip())
    frame.index = pd.RangeIndex(above, above + len(frame))
    frame = frame[(frame.notna() & (frame != "")).any(axis=1)]
    lacking = frame.index[frame.isna().any(axis=1)]
    if len(lacking):
        count = int(frame.loc[lacking[0]].notna().sum())
        raise HakkenError(f"{path}{_ragged(int(lacking[0]), count, frame.shape[1])}")
    return frame.iloc[0].tolist(), frame.iloc[1:]


def _begun(text: str, row: int) -> tuple[str, int]:
    """Return a text that begins at a ``row`` without the blank lines above its first, and the row of that one."""
    blank = text[: len(text) - len(text.lstrip())]
    cut = blank.rfind("\n") + 1
    return text[cut:], row + blank.count("\n")


def _text(path: Path) -> str:
    """Return the text of a file without a byte-order mark."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        known = [file.name for file in path.parent.glob("*.csv")] if path.parent.is_dir() else []
        raise HakkenError(f"{path}: no such file{nearest(path.name, known)}") from None
    except UnicodeDecodeError:
        raise HakkenError(f"{path}: not a text file in UTF-8; in a spreadsheet, save it as `CSV UTF-8`") from None
    except OSError as error:
        raise HakkenError(f"{path}: the table cannot be read ({error.strerror}); check the path") from None
    if "\0" in text:
        raise HakkenError(f"{path}: holds bytes that are no text; export the table again as CSV")
    return text


def _place(reason: str, above: int) -> str:
    """Return what is wrong with a file, in words, from what the parser says of it."""
    if found := re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", reason):
        wanted, row, count = map(int, found.groups())
        return _ragged(row + above - 1, count, wanted)
    return (
        f": not valid CSV ({reason[0].lower()}{reason[1:]}): a quote is open or stands within a cell; export it again"
    )


def _ragged(row: int, count: int, wanted: int) -> str:
    return (
        f", row {row}: {counted(count, 'cell')}, the heading has {wanted}; quote cells that hold the separator (a "
        "decimal comma, say), and fill every column"
    )


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
    return f"`{value}` is not a number{hint}"
