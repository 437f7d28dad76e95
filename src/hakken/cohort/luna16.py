"""LUNA16 as a case table: scans of LIDC-IDRI with centres and diameters of nodules, in ten folds that are published.

The folder holds ``subset0`` to ``subset9``, each with a MetaImage for every scan, named by its series UID. Nodules
stand in ``annotations.csv``; findings on which marks are dropped in ``annotations_excluded.csv``: those are what fewer
than three of four readers marked, nodules below 3 mm, and what is no nodule. Both tables are searched for in the folder
and where the challenge's evaluation script keeps them. Coordinates are those of the MetaImages, in mm, x to the
patient's left and y to the back (LPS), as everywhere here.

The number of a scan's subset is its fold. A scan without a nodule stays in the table: its false positives count.

Source: Setio et al., Validation, comparison, and combination of algorithms for automatic detection of pulmonary nodules
in computed tomography images: the LUNA16 challenge, Med Image Anal 2017;42:1-13; https://luna16.grand-challenge.org.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hakken.cohort.case import Case, CaseTable
from hakken.cohort.table import write_table
from hakken.core import tables
from hakken.core.errors import HakkenError
from hakken.core.names import counted
from hakken.core.tables import Table, read_table

FOLDS = 10
SCANS = 888
CHANNEL = "CT"
NODULES, EXCLUDED = "annotations.csv", "annotations_excluded.csv"
PLACES = ("", "evaluationScript/annotations", "CSVFILES", "annotations")
"""Where the tables lie below the folder, as the challenge packs them."""

COLUMNS = ("seriesuid", "coordX", "coordY", "coordZ", "diameter_mm")
UNKNOWN_MM = 10.0
"""The diameter of an excluded finding that has none: so says the challenge's own script."""

WRITTEN = ("lesion", "x", "y", "z", "diameter_mm", "kind")

Row = tuple[float, float, float, float, str]
"""x, y, z and diameter in mm, and whether it counts: `included` or `excluded`."""


@dataclass(frozen=True)
class Luna:
    """What was written: the case table, how many nodules and excluded findings of scans that are there.

    ``elsewhere`` are findings of scans that are not, ``subsets`` the numbers of the folds that are there.
    """

    table: CaseTable
    nodules: int
    excluded: int
    elsewhere: int
    subsets: tuple[int, ...]


def write_case_table(source: Path, output: Path, nodules: Path | None = None, excluded: Path | None = None) -> Luna:
    """Write the case table of the data set in ``source`` to ``output``, and a lesion table for each scan beside it.

    ``nodules`` and ``excluded`` are the tables of findings, searched for in ``source`` by default. Some subsets are
    enough; findings of other scans are counted. Raises HakkenError for a folder without scans, a scan in two subsets, a
    table that is missing, and naming row and column of a number that cannot be used, of a nodule that stands there
    twice, and, where all 888 scans are there, of one of an unknown scan.
    """
    scans = _scans(source)
    found: dict[str, list[Row]] = {uid: [] for uid in scans}
    included = _add(found, read_table(nodules or _search(source, NODULES), COLUMNS), "included")
    dropped = _add(found, read_table(excluded or _search(source, EXCLUDED), COLUMNS), "excluded")
    folder = output.parent / "lesions"
    cases = [
        Case(
            case_id=uid,
            patient=uid,
            split=f"fold{fold}",
            channels={CHANNEL: path},
            lesion_table=_written(folder / f"{uid}.csv", found[uid]),
        )
        for uid, (fold, path) in scans.items()
    ]
    table = CaseTable(tuple(cases), output)
    write_table(output, table)
    elsewhere = included[1] + dropped[1]
    return Luna(table, included[0], dropped[0], elsewhere, tuple(sorted({fold for fold, _ in scans.values()})))


def _scans(source: Path) -> dict[str, tuple[int, Path]]:
    """Return the fold and the header of each scan, by its UID, fold by fold."""
    found: dict[str, tuple[int, Path]] = {}
    for fold in range(FOLDS):
        for path in sorted((source / f"subset{fold}").glob("*.mhd")):
            if path.stem in found:
                raise HakkenError(f"{path}: this scan lies in subset{found[path.stem][0]} too; keep one")
            found[path.stem] = (fold, path)
    if not found:
        raise HakkenError(f"{source}: holds no scan, subset0/UID.mhd to subset9/UID.mhd; is this LUNA16, unpacked?")
    return found


def _search(source: Path, name: str) -> Path:
    """Return the first of the usual places that holds a table; raises HakkenError that names them all."""
    paths = [source / place / name for place in PLACES]
    for path in paths:
        if path.is_file():
            return path
    option = "--annotations" if name == NODULES else "--excluded"
    raise HakkenError(
        f"{source}: no {name} there nor in {', '.join(PLACES[1:])}; it comes with the challenge's evaluation script; "
        f"unpack that there, or name the file ({option})"
    )


def _add(found: Mapping[str, list[Row]], table: Table, kind: str) -> tuple[int, int]:
    """Add the findings of a table to those of their scans; return how many are of these, and how many of others."""
    known = strangers = 0
    seen: dict[tuple[str, ...], int] = {}
    for entry, (uid, row) in enumerate(zip(table.text("seriesuid"), _rows(table, kind), strict=True)):
        key = (uid, *(table.cells[column][entry] for column in COLUMNS[1:4]))
        before = seen.setdefault(key, entry)
        if before != entry and kind == "included":
            raise table.error(entry, "seriesuid", f"the nodule stands already in row {table.rows[before]}; keep one")
        if uid not in found:
            if len(found) >= SCANS:
                raise table.error(entry, "seriesuid", f"no scan `{uid}` among the {len(found)}; correct the UID")
            strangers += 1
        elif before == entry:
            found[uid].append(row)
            known += 1
    return known, strangers


def _rows(table: Table, kind: str) -> Iterator[Row]:
    """Yield the findings of a table; raises HakkenError naming row and column of a diameter that is none."""
    numbers = np.stack([table.numbers(column) for column in COLUMNS[1:]], axis=1)
    for entry, (x, y, z, diameter) in enumerate(numbers.tolist()):
        if diameter == 0 or (diameter < 0 and kind == "included"):
            raise table.error(entry, "diameter_mm", f"{diameter:g} is not above 0; give the diameter in mm")
        yield x, y, z, diameter if diameter > 0 else UNKNOWN_MM, kind


def _written(path: Path, rows: Sequence[Row]) -> Path | None:
    """Write the lesion table of a scan; None where it has no findings."""
    if not rows:
        return None
    tables.write_table(path, WRITTEN, [(number, *row) for number, row in enumerate(rows, start=1)])
    return path


def words(luna: Luna) -> Iterator[str]:
    """Yield what is in the table, and what a study says to read it."""
    path, folds = luna.table.source, len(luna.subsets)
    with_nodules = sum(1 for case in luna.table.cases if case.lesion_table is not None)
    yield (
        f"{path}: case table of {counted(len(luna.table), 'scan')} in {counted(folds, 'fold')}: "
        f"{counted(luna.nodules, 'nodule')} and {counted(luna.excluded, 'excluded finding')} in {with_nodules} of them"
    )
    if luna.elsewhere:
        yield f"{counted(luna.elsewhere, 'finding')} of scans that are not in this folder are left out"
    if folds == FOLDS:
        yield (
            f"in the study: cohort: {{table: {path}, truth: lesion_table}}, evaluation: {{design: cross_validation, "
            f"folds: {FOLDS}}}"
        )
    else:
        names = ", ".join(f"fold{number}" for number in luna.subsets)
        yield f"{names} of {FOLDS}: rename them to train, validation and test in the column `split`"
