"""What `hakken overlap` is asked to compare: labels of structures, and pairs of files that may be mistakes."""

from __future__ import annotations

from pathlib import Path

from hakken.commands.scored import spelling_of_patients
from hakken.core.errors import HakkenError
from hakken.core.tables import Table, read_table

COLUMNS = ("truth", "prediction")


def labels_of(text: str | None) -> tuple[int, ...]:
    """Return the labels that an option names, none for every value above 0; raises HakkenError where they are none."""
    if text is None:
        return ()
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts) or len(set(map(int, parts))) < len(parts):
        raise HakkenError(f"labels `{text}`: give different whole numbers above 0, as 1 or 1,2,3")
    return tuple(map(int, parts))


def warnings_of(path: Path) -> list[str]:
    """Return what is in doubt: one file as truth and prediction, or as two predictions; patients in two spellings."""
    table = read_table(path, ("case_id", *COLUMNS), ("patient",))
    return [*_same_file(table), *_files_again(table), *spelling_of_patients(table)]


def _same_file(table: Table) -> list[str]:
    rows = zip(table.rows, *(_files(table, column) for column in COLUMNS), strict=True)
    return [
        f"row {row}: truth and prediction are the same file, which agrees with itself whatever it holds"
        for row, truth, prediction in rows
        if truth == prediction
    ]


def _files_again(table: Table) -> list[str]:
    said, first = [], dict[Path, int]()
    for row, file in zip(table.rows, _files(table, "prediction"), strict=True):
        if (before := first.setdefault(file, row)) != row:
            said.append(f"row {row}: the prediction is the same file as in row {before}")
    return said


def _files(table: Table, column: str) -> list[Path]:
    """Return the file of each row, links followed."""
    return [(table.path.parent / name).resolve() for name in table.text(column)]
