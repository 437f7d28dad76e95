"""Cases, lesions and candidates of anybody's detector, from three CSV files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from hakken.core.errors import HakkenError
from hakken.core.names import nearest
from hakken.core.tables import Table, read_table
from hakken.evaluation.discs import disc_overlaps
from hakken.evaluation.findings import Candidates, Cases, Findings, Flags, Floats, Ints, Lesions, Overlaps
from hakken.evaluation.strata import diameter_ranges

POINT = ("x", "y", "z")
KINDS = ("included", "excluded")
Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Truth:
    """The cohort and its lesions, with the tables that they were read from.

    ``unit`` names what the bootstrap draws; ``assumed`` lesions have got the diameter of unknown ones. ``length`` is
    the unit of diameters, mm or px. Lesions without `z`, or in px, are those of flat images: they are discs.
    """

    cases: Cases
    lesions: Lesions
    case_table: Table
    lesion_table: Table
    unit: str
    assumed: int
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


def read_truth(cases: Path, lesions: Path, *, cluster: str | None, unknown_diameter: float | None) -> Truth:
    """Read the cases (``case_id`` and perhaps ``patient``) and lesions (``case_id, lesion_id, x, y, z, diameter_mm``).

    Of flat images lesions need no ``z``, and ``diameter_px`` may stand for ``diameter_mm``. Lesions with `excluded` in
    a column ``kind`` are excluded findings. ``cluster`` is the column of the cases whose values are resampled together,
    ``patient`` (or each case alone) where it is None. Raises HakkenError naming file, row and column of what cannot be
    used.
    """
    table = read_table(cases, ("case_id",))
    if cluster is not None and cluster not in table:
        raise HakkenError(f"{cases}: column {cluster} is missing{nearest(cluster, table.cells)}; --cluster names one")
    unit = cluster or ("patient" if "patient" in table else "case_id")
    table.require_distinct(("case_id",), "case")
    with _naming(cases, "cases"):
        cohort = Cases.of(table.text("case_id"), table.text(unit))
    axes, length = _shape(lesions)
    diameter = f"diameter_{length}"
    truth = read_table(lesions, ("case_id", "lesion_id", *axes, diameter))
    kinds = truth.choices("kind", KINDS) if "kind" in truth else ["included"] * len(truth)
    truth.require_distinct(("case_id", "lesion_id"), "lesion")
    with _naming(lesions, "lesions"):
        found = Lesions.of(
            cohort.index(truth.text("case_id"), "lesions", truth.rows),
            _points(truth),
            truth.numbers(diameter),
            np.array(kinds) == "included",
            unknown_diameter=unknown_diameter,
            rows=truth.rows,
        )
    assumed = int((truth.numbers(diameter) < 0).sum())
    return Truth(cohort, found, table, truth, "case" if unit == "case_id" else unit, assumed, length)


def read_marks(
    candidates: Path, truth: Truth, overlaps: Path | None, *, hit: str = "distance"
) -> tuple[Findings, Table, list[str]]:
    """Read candidates (``case_id, x, y, z, score``) of a cohort; returns findings, their table, and warnings.

    Under the rule ``hit`` `inside` a column ``lesion_id`` holds the lesion whose mask a candidate lies in (empty:
    none), under `overlap:` without ``overlaps`` ``diameter_mm`` its size; other rules do not look at them.
    ``overlaps`` (``case_id, lesion_id, candidate_id, iou``) refers to a column ``candidate_id``. Raises HakkenError
    naming file, row and column of what cannot be used, and the column that the rule ``hit`` lacks.
    """
    table = read_table(candidates, ("case_id", *(POINT[:2] if truth.is_flat else POINT), "score"))
    inside, spheres = hit == "inside", hit.startswith("overlap:") and overlaps is None
    if inside and "lesion_id" not in table:
        raise HakkenError(f"{candidates}: column lesion_id is missing; --hit inside needs the lesion each mark lies in")
    if spheres and truth.diameter not in table:
        raise HakkenError(f"{candidates}: column {truth.diameter} is missing; --hit {hit} needs it, or --overlaps")
    with _naming(candidates, "candidates"):
        marks = Candidates.of(
            truth.cases.index(table.text("case_id"), "candidates", table.rows),
            _points(table),
            table.numbers("score"),
            _labels(table, truth) if inside else None,
            diameter_mm=table.numbers(truth.diameter) if spheres else None,
            rows=table.rows,
        )
    found = None if overlaps is None else _read_overlaps(overlaps, table, truth)
    if spheres and truth.is_flat:
        found = disc_overlaps(truth.lesions, marks)
    rows = Counter(zip(*table.cells.values(), strict=True))
    twice = sum(count - 1 for count in rows.values() if count > 1)
    warnings = [f"{candidates}: {_rows_of(twice)} another exactly; each counts as a mark"] if twice else []
    return Findings(truth.cases, truth.lesions, marks, found), table, warnings


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
    known = [*truth.lesion_table.cells, *truth.case_table.cells]
    raise HakkenError(
        f"--by {by}: neither lesions nor cases have such a column{nearest(by, known)}; use one, or diameter:5,10"
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
    known = _lesion_rows(truth)
    cells = list(zip(table.cells["case_id"], table.cells["lesion_id"], strict=True))
    for entry, (case, lesion) in enumerate(cells):
        if lesion and (case, lesion) not in known:
            raise table.error(entry, "lesion_id", f"case `{case}` has no lesion `{lesion}`")
    return np.array([known[key] + 1 if key[1] else 0 for key in cells], np.int64)


def _read_overlaps(path: Path, marks: Table, truth: Truth) -> Overlaps:
    table = read_table(path, ("case_id", "lesion_id", "candidate_id", "iou"))
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


def _shape(lesions: Path) -> tuple[tuple[str, ...], str]:
    """Return the axes that a table of lesions needs, without z where they are those of flat images, and its unit."""
    found = read_table(lesions, optional=("z", "diameter_mm", "diameter_px"))
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
