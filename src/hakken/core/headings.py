"""Columns by the names that tables of others, and hakken's own, give them; tables of one file for each case.

A heading counts whatever its case, width and blanks are, and under its other names in `SYNONYMS`; where a table has
both, the name itself is taken and the other column stays what it is.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from hakken.core.case_ids import tidy
from hakken.core.errors import HakkenError
from hakken.core.tables import Table, read_table

SYNONYMS: dict[str, tuple[str, ...]] = {
    "case_id": ("seriesuid",),
    "lesion_id": ("lesion",),
    "candidate_id": ("candidate",),
    "x": ("coordX",),
    "y": ("coordY",),
    "z": ("coordZ",),
    "score": ("probability",),
    "label": ("abnormal",),
    "truth": ("class",),
    "prediction": ("called",),
}
"""Other names of a column: those of LUNA16's tables and of the tables that hakken writes."""


class FileRow(int):
    """The row of an entry of many files: it is written with the file that it stands in."""

    file: str

    def __str__(self) -> str:
        """Return the row as messages name it."""
        return f"{int(self)} of {self.file}"

    @classmethod
    def of(cls, row: int, file: str) -> FileRow:
        """Return the ``row`` of a ``file``.

        >>> f"row {FileRow.of(3, 'a.csv')}"
        'row 3 of a.csv'
        """
        made = cls(row)
        made.file = file
        return made


def read_known(
    path: Path, required: Sequence[str] = (), optional: Sequence[str] = (), *, others: bool = False
) -> Table:
    """Read a CSV file whose ``required`` and ``optional`` columns may go by other names.

    They are then called as asked for; the ``others`` are kept where that is said. Raises HakkenError as
    `hakken.core.tables.read_table`.
    """
    rename = partial(called, wanted=(*required, *optional))
    return read_table(path, required, None if others else optional, rename=rename)


def read_folder(
    folder: Path, file: str, required: Sequence[str], optional: Sequence[str] = ()
) -> tuple[Table, list[str]]:
    """Read the tables of a ``folder``, one for each case, as one table, and return the cases that have one.

    They are `CASE.csv` or, in a folder for each case, `CASE/FILE`. Tables with a column ``case_id`` may have any name;
    those without it are of the case that they are named after. Raises HakkenError where there is none, naming the file
    that lacks a column.
    """
    files = [*sorted(folder.glob("*.csv")), *sorted(folder.glob(f"*/{file}"))]
    if not files:
        raise HakkenError(f"{folder}: holds no table; give CASE.csv or CASE/{file} for each case")
    wanted, parts = [name for name in required if name != "case_id"], []
    for path in files:
        table = read_known(path, wanted, ("case_id", *optional), others=True)
        case = tidy(path.parent.name if path.name == file and path.parent != folder else path.stem)
        parts.append(of_case(table, case, path.relative_to(folder).as_posix()))
    cases = dict.fromkeys(case for part, own in parts for case in part.cells["case_id"] or [own])
    return joined(folder, [part for part, _ in parts]), list(cases)


def of_case(table: Table, case: str, file: str) -> tuple[Table, str]:
    """Return a table of one ``case`` with a column ``case_id``, its rows named with its ``file``; and the case."""
    rows: list[int] = [FileRow.of(row, file) for row in table.rows]
    cells = table.cells if "case_id" in table else {"case_id": [case] * len(table), **table.cells}
    return Table(table.path, cells, rows), case


def joined(path: Path, parts: Sequence[Table]) -> Table:
    """Return tables one below another; cells of a column that a table lacks are empty."""
    names = dict.fromkeys(name for part in parts for name in part.cells)
    cells = {name: [cell for part in parts for cell in part.cells.get(name, [""] * len(part))] for name in names}
    return Table(path, cells, [row for part in parts for row in part.rows])


def called(heading: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Return the ``heading`` with the ``wanted`` columns under their own names, whatever they were called.

    >>> called(["seriesuid", "coordX", "Score ", "note"], ["case_id", "x", "score"])
    ['case_id', 'x', 'score', 'note']
    """
    plain = [_plain(name) for name in heading]
    found = list(heading)
    for name in wanted:
        for key in () if name in heading else map(_plain, (name, *SYNONYMS.get(name, ()))):
            if key in plain and found[plain.index(key)] not in wanted:
                found[plain.index(key)] = name
                break
    return found


def _plain(heading: str) -> str:
    return "".join(unicodedata.normalize("NFKC", heading).casefold().split())
