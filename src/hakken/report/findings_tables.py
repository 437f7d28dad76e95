"""Cases, lesions and candidates of anybody's detector, from three CSV files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from hakken.cohort.patients import normalised
from hakken.core.errors import HakkenError
from hakken.core.headings import joined, of_case, read_folder, read_known
from hakken.core.names import counted, nearest, spelt_alike
from hakken.core.tables import Table
from hakken.evaluation.discs import disc_overlaps
from hakken.evaluation.findings import Candidates, Cases, Findings, Flags, Floats, Ints, Lesions, Overlaps
from hakken.evaluation.strata import diameter_ranges

POINT = ("x", "y", "z")
KINDS = ("included", "excluded")
NONE = ("", "0")
"""What stands in ``lesion_id`` of a mark that lies in no lesion."""

SHOWN = 5
"""Names of cases in a message."""

Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Truth:
    """The cohort and its lesions, with the tables that they were read from.

    ``unit`` names what the bootstrap draws; ``assumed`` lesions have got the diameter of unknown ones; ``warnings`` are
    about the tables. ``length`` is the unit of diameters, mm or px. Lesions without `z`, or in px, are those of flat
    images: they are discs.
    """

    cases: Cases
    lesions: Lesions
    case_table: Table
    lesion_table: Table
    unit: str
    assumed: int
    warnings: tuple[str, ...] = ()
    length: str = "mm"

    @property
    def is_flat(self) -> bool:
        """Whether the lesions are those of flat images."""
        return "z" not in self.lesion_table or self.length == "px"

    @property
    def diameter(self) -> str:
        """The column that diameters stand in."""
        return f"diameter_{self.length}"


@dataclass(frozen=True, eq=False)
class Stratum:
    """A part of the findings: the ``column`` that it was cut by, and its ``name``, the value there."""

    column: str
    name: str
    findings: Findings


def read_truth(
    cases: Path, lesions: Path | None, *, cluster: str | None, unknown_diameter: float | None, labelled: bool = False
) -> Truth:
    """Read the cases (``case_id`` and perhaps ``patient``) and lesions (``case_id, x, y, z, diameter_mm``).

    The lesions are one table, or a folder of one for each case; without ``lesions`` they are those that the column
    ``lesion_table`` of the cases names. Lesions without a column ``lesion_id`` are numbered in each case, unless they
    are ``labelled``: unless something refers to their labels. Of flat images they need no ``z``, and ``diameter_px``
    may stand for ``diameter_mm``. Those with `excluded` in a column ``kind`` are excluded findings. ``cluster`` is the
    column of the cases whose values are resampled together, ``patient`` (or each case alone) where it is None. Raises
    HakkenError naming file, row and column of what cannot be used.
    """
    table = read_known(cases, ("case_id",), others=True)
    if cluster is not None and cluster not in table:
        raise HakkenError(f"{cases}: column {cluster} is missing{nearest(cluster, table.cells)}; --cluster names one")
    unit = cluster or ("patient" if "patient" in table else "case_id")
    table.require_distinct(("case_id",), "case")
    with _naming(cases, "cases"):
        cohort = Cases.of(table.text("case_id"), table.text(unit))
    alike = spelt_alike(table.cells.get("patient", ()), "patients", normalised)
    axes, length = _shape(_sample(lesions, table))
    diameter = f"diameter_{length}"
    truth, warnings = _read_lesions(lesions, table, (*axes, diameter))
    if "lesion_id" not in truth:
        if labelled:
            raise HakkenError(f"{truth.path}: column lesion_id is missing; this rule needs the label of each lesion")
        truth = _numbered(truth)
    kinds = truth.choices("kind", KINDS) if "kind" in truth else ["included"] * len(truth)
    truth.require_distinct(("case_id", "lesion_id"), "lesion")
    with _naming(truth.path, "lesions"):
        found = Lesions.of(
            cohort.index(truth.text("case_id"), "lesions", truth.rows),
            _points(truth),
            truth.numbers(diameter),
            np.array(kinds) == "included",
            unknown_diameter=unknown_diameter,
            rows=truth.rows,
        )
    assumed = int((truth.numbers(diameter) < 0).sum())
    return Truth(
        cohort, found, table, truth, "case" if unit == "case_id" else unit, assumed, (*alike, *warnings), length
    )


def _read_lesions(lesions: Path | None, cases: Table, columns: Sequence[str]) -> tuple[Table, list[str]]:
    """Return the table of all lesions, with ``columns`` of each, and what is to be said of how it came about."""
    if lesions is None:
        return _listed(cases, columns), []
    columns = ("case_id", *columns)
    if not lesions.is_dir():
        return read_known(lesions, columns, ("lesion_id",), others=True), []
    table, found = read_folder(lesions, "lesions.csv", columns, ("lesion_id",))
    lacking = [name for name in cases.text("case_id") if name not in found]
    if not lacking:
        return table, []
    shown = ", ".join(lacking[:SHOWN]) + (", …" if len(lacking) > SHOWN else "")
    return table, [f"{lesions}: {counted(len(lacking), 'case')} without a table, taken as without lesions: {shown}"]


def _listed(cases: Table, columns: Sequence[str]) -> Table:
    """Return the lesions of the tables that the case table names, `none` for a case without lesions."""
    if "lesion_table" not in cases:
        raise HakkenError(f"{cases.path}: no column lesion_table to take the lesions from; give --lesions")
    nothing: dict[str, list[str]] = {name: [] for name in ("case_id", *columns)}
    parts = [Table(cases.path, nothing, [])]
    for case, cell in zip(cases.text("case_id"), cases.text("lesion_table"), strict=True):
        if cell.lower() != "none":
            table = read_known(cases.path.parent / cell, columns, ("lesion_id",), others=True)
            parts.append(of_case(table, case, cell)[0])
    return joined(cases.path, parts)


def _numbered(table: Table) -> Table:
    """Return a table of lesions with a column ``lesion_id``: their numbers in each case, in the order of the rows."""
    seen: Counter[str] = Counter()
    numbers = []
    for case in table.cells["case_id"]:
        seen[case] += 1
        numbers.append(str(seen[case]))
    return Table(table.path, table.cells | {"lesion_id": numbers}, table.rows)


def read_marks(
    candidates: Path, truth: Truth, overlaps: Path | None, *, hit: str = "distance"
) -> tuple[Findings, Table, list[str]]:
    """Read candidates (``case_id, x, y, z, score``) of a cohort; returns findings, their table, and warnings.

    They are one table, or a folder of one for each case. Under the rule ``hit`` `inside` a column ``lesion_id`` holds
    the lesion whose mask a candidate lies in (empty or 0: none), under `overlap:` without ``overlaps`` ``diameter_mm``
    its size, or ``volume_mm3`` that of a sphere; other rules do not look at them. ``overlaps`` (``case_id, lesion_id,
    candidate_id, iou``) refers to a column ``candidate_id``. Raises HakkenError naming file, row and column of what
    cannot be used, and the column that the rule ``hit`` lacks.
    """
    columns = ("case_id", *(POINT[:2] if truth.is_flat else POINT), "score")
    if candidates.is_dir():
        table, _ = read_folder(candidates, "candidates.csv", columns, ("lesion_id", "candidate_id"))
    else:
        table = read_known(candidates, columns, ("lesion_id", "candidate_id"), others=True)
    inside, spheres = hit == "inside", hit.startswith("overlap:") and overlaps is None
    if inside and "lesion_id" not in table:
        raise HakkenError(f"{candidates}: column lesion_id is missing; --hit inside needs the lesion each mark lies in")
    with _naming(candidates, "candidates"):
        marks = Candidates.of(
            truth.cases.index(table.text("case_id"), "candidates", table.rows),
            _points(table),
            table.numbers("score"),
            _labels(table, truth) if inside else None,
            diameter_mm=_diameters(table, hit, truth) if spheres else None,
            rows=table.rows,
        )
    found = None if overlaps is None else _read_overlaps(overlaps, table, truth)
    if spheres and truth.is_flat:
        found = disc_overlaps(truth.lesions, marks)
    rows = Counter(zip(*table.cells.values(), strict=True))
    twice = sum(count - 1 for count in rows.values() if count > 1)
    warnings = [f"{candidates}: {_rows_of(twice)} another exactly; each counts as a mark"] if twice else []
    if inside and len(table) and not any(table.cells["lesion_id"]):
        warnings.append(f"{candidates}: column lesion_id is empty in every row, so no mark lies in a lesion")
    return Findings(truth.cases, truth.lesions, marks, found), table, warnings


def _diameters(table: Table, hit: str, truth: Truth) -> Floats:
    """Return the diameter (n,) of each mark, or that of the sphere of its volume, in flat images of the disc."""
    if truth.diameter in table:
        return table.numbers(truth.diameter)
    size = f"area_{truth.length}2" if truth.is_flat else "volume_mm3"
    if size not in table:
        missing = f"{table.path}: column {truth.diameter} is missing; --hit {hit} needs it, or {size}, or --overlaps"
        raise HakkenError(missing)
    sizes = table.numbers(size)
    bad = np.flatnonzero(sizes <= 0)
    if bad.size:
        what = f"area in {truth.length}²" if truth.is_flat else "volume in mm³"
        raise table.error(int(bad[0]), size, f"{sizes[bad[0]]:g} is not above 0; give the {what}")
    return np.asarray(2 * np.sqrt(sizes / np.pi) if truth.is_flat else np.cbrt(6 * sizes / np.pi))


def cut(findings: Findings, truth: Truth, marks: Table, by: str) -> list[Stratum]:
    """Return the strata of findings by ``diameter:BORDERS`` in mm, or by a column of the cases or the lesions.

    A column that the cases have, such as ``patient``, cuts the cases, whatever other tables repeat it.
    Marks on lesions outside a stratum are dropped. Where the candidates have the same column as the lesions (such as
    ``class``), only those of the stratum take part, and only with its lesions. Raises HakkenError for an unknown one.
    """
    column, _, borders = by.partition(":")
    if column == "diameter" and borders:
        return [
            Stratum(column, size.name, findings.including(size.holds(findings.lesions)))
            for size in diameter_ranges(_borders(by, borders), truth.length)
        ]
    if by in truth.case_table:
        cells = np.array(truth.case_table.cells[by])
        return _strata(by, np.unique(cells).tolist(), lambda value: findings.of_cases(_flags(cells == value)))
    if by in truth.lesion_table:
        own = np.array(truth.lesion_table.cells[by])
        marked = np.array(marks.cells[by]) if by in marks else None

        def part(value: str) -> Findings:
            chosen = own == value
            return findings.including(chosen) if marked is None else findings.of_findings(chosen, marked == value)

        values = np.unique(own if marked is None else np.concatenate([own, marked]))
        return _strata(by, values.tolist(), part)
    columns = [*truth.lesion_table.cells, *truth.case_table.cells]
    raise HakkenError(
        f"--by {by}: neither lesions nor cases have such a column{nearest(by, columns)}; use one, or diameter:5,10"
    )


def _rows_of(count: int) -> str:
    return "1 row repeats" if count == 1 else f"{count} rows repeat"


def _strata(column: str, values: list[str], part: Callable[[str], Findings]) -> list[Stratum]:
    unknown = "unknown" if "unknown" not in values else "(empty)"
    return [Stratum(column, value or unknown, part(value)) for value in values]


def _flags(values: Flags) -> Flags:
    return np.asarray(values, bool)


def _borders(by: str, text: str) -> list[float]:
    try:
        borders = [float(part) for part in text.split(",")]
    except ValueError:
        borders = []
    if not borders or min(borders) <= 0 or not np.isfinite(borders).all() or len(set(borders)) < len(borders):
        raise HakkenError(f"--by {by}: write the borders in mm, as diameter:5,10")
    return borders


def _labels(table: Table, truth: Truth) -> Ints:
    """Return the row (from 1) of the lesion that each mark names, 0 where it names none."""
    places = _lesion_rows(truth)
    cells = list(zip(table.cells["case_id"], table.cells["lesion_id"], strict=True))
    for entry, (case, lesion) in enumerate(cells):
        if lesion not in NONE and (case, lesion) not in places:
            raise table.error(entry, "lesion_id", f"case `{case}` has no lesion `{lesion}`")
    return np.array([places.get(key, -1) + 1 for key in cells], np.int64)


def _read_overlaps(path: Path, marks: Table, truth: Truth) -> Overlaps:
    table = read_known(path, ("case_id", "lesion_id", "candidate_id", "iou"))
    if "candidate_id" not in marks:
        raise HakkenError(f"{marks.path}: column candidate_id is missing; {path} refers to it")
    marks.require_distinct(("case_id", "candidate_id"), "candidate")
    table.require_distinct(("case_id", "lesion_id", "candidate_id"), "pair")
    keys = zip(marks.text("case_id"), marks.text("candidate_id"), strict=True)
    rows = ({key: row for row, key in enumerate(keys)}, _lesion_rows(truth))
    iou = table.numbers("iou")
    bad = np.flatnonzero((iou < 0) | (iou > 1))
    if bad.size:
        raise table.error(int(bad[0]), "iou", f"{iou[bad[0]]:g} is no share; an IoU lies between 0 and 1")
    return Overlaps(_rows(table, "candidate_id", rows[0]), _rows(table, "lesion_id", rows[1]), iou)


def _rows(table: Table, column: str, rows: dict[tuple[str, str], int]) -> Ints:
    keys = list(zip(table.text("case_id"), table.text(column), strict=True))
    for entry, key in enumerate(keys):
        if key not in rows:
            raise table.error(entry, column, f"case `{key[0]}` has no {column.removesuffix('_id')} `{key[1]}`")
    return np.array([rows[key] for key in keys], np.int64)


def _lesion_rows(truth: Truth) -> dict[tuple[str, str], int]:
    table = truth.lesion_table
    return {key: row for row, key in enumerate(zip(table.cells["case_id"], table.cells["lesion_id"], strict=True))}


def _points(table: Table) -> Floats:
    flat = np.zeros(len(table))
    return np.stack([table.numbers(axis) if axis in table else flat for axis in POINT], axis=1)


def _sample(lesions: Path | None, cases: Table) -> Path | None:
    """Return a table that shows which columns the lesions have; None where there is none."""
    if lesions is None:
        named = [cell for cell in cases.cells.get("lesion_table", []) if cell and cell.lower() != "none"]
        return cases.path.parent / named[0] if named else None
    return next(iter(sorted(lesions.rglob("*.csv"))), None) if lesions.is_dir() else lesions


def _shape(lesions: Path | None) -> tuple[tuple[str, ...], str]:
    """Return the axes that a table of lesions needs, without z where they are those of flat images, and its unit."""
    if lesions is None:
        return POINT, "mm"
    found = read_known(lesions, (), ("z", "diameter_mm", "diameter_px"))
    if "diameter_px" in found and "diameter_mm" not in found:
        return POINT[:2], "px"
    return POINT[:2] if "diameter_mm" in found and "z" not in found else POINT, "mm"


@contextmanager
def _naming(path: Path, table: str) -> Iterator[None]:
    """Let errors of a ``table`` begin with its file."""
    try:
        yield
    except HakkenError as error:
        text, about = str(error), (f"{table},", f"{table}:")
        raise HakkenError(f"{path}{text.removeprefix(table)}" if text.startswith(about) else text) from None
