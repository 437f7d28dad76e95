"""The case table as text: its heading and its cells, before anything is known about their meaning."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from hakken.core.errors import HakkenError
from hakken.core.names import plain
from hakken.core.tables import composed, read_table

ORDINARY = (
    *("case_id", "patient", "split", "site", "scanner", "sex", "age"),
    *("lesion_mask", "lesion_table", "mask", "label"),
)
"""Headings with a meaning of their own."""


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


def path_of(folder: Path, cell: str) -> str:
    """Return the path in a cell, which counts from the ``folder`` of its table.

    Where there is no such file, names that differ in how their letters are composed are taken for it: a folder that was
    copied from another system may spell them in the other way.
    """
    path = os.path.join(folder, cell)  # noqa: PTH118 - strings are ten times faster here than Path
    if cell.isascii() or os.path.exists(path):  # noqa: PTH110
        return path
    place = folder
    for part in Path(cell).parts:
        spelt = [place / part, *(place / unicodedata.normalize(form, part) for form in ("NFC", "NFD"))]
        place = next((one for one in spelt if one.exists()), spelt[0])
    return str(place)


def read_rows(path: Path, known: Collection[str] = ()) -> Rows:
    """Read a CSV file as text, as every table is read.

    Headings that are those of `ORDINARY`, or of the ``known`` ones, but for what `hakken.core.names.plain` leaves out,
    get these names. Raises HakkenError where there is no readable table, or where two headings are the same in this
    sense.
    """
    table = read_table(path)
    names = {plain(name): name for name in (*ORDINARY, *known)}
    heading = tuple(name if name in known else names.get(plain(name), name) for name in table.columns)
    for place, name in enumerate(heading):
        if name in heading[:place]:
            first = table.columns[heading.index(name)]
            raise HakkenError(f"{path}: the columns `{first}` and `{table.columns[place]}` are both `{name}`; keep one")
    rows = [
        Row(number, {name: composed(name, cell) for name, cell in zip(heading, cells.values(), strict=True)})
        for number, cells in zip(table.rows, table.records(), strict=True)
    ]
    return Rows(path, heading, tuple(rows))
