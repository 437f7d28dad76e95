"""Folders of measurements: `measurement.json` with what was measured of each outcome, and the tables of each.

A table stands beside it as `<outcome>.<table>.csv`. The file says what it was measured of: study, scale, model, part,
and holds digests of itself and of the tables: what was changed by hand is not shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hakken
from hakken.core.errors import HakkenError
from hakken.core.files import read_json, require_same, sha256_file
from hakken.core.tables import Table, read_table, write_table
from hakken.outcomes import Measured, Row, measured_of
from hakken.seal.freeze import read_sealed, write_sealed

FILE = "measurement.json"
REDO = "delete the folder to measure again"


@dataclass(frozen=True)
class Measurement:
    """What was measured of a ``model`` on a ``part``, by outcome; ``folds`` holds the same of each fold.

    ``objective`` is the outcome that was maximised; ``hashes`` are those of what was measured.
    """

    study: str
    scale: str
    model: str
    part: str
    objective: str
    outcomes: Mapping[str, Measured]
    folds: tuple[Mapping[str, Measured], ...] = ()
    hashes: Mapping[str, str] | None = None

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows of all outcomes, those of the one that was maximised first."""
        first, *others = self._ordered
        return tuple(row for measured in (first, *others) for row in measured.rows)

    @property
    def main(self) -> Measured:
        """What was measured of the outcome that was maximised."""
        return self.outcomes[self.objective]

    @property
    def warnings(self) -> tuple[str, ...]:
        """All warnings."""
        return tuple(line for measured in self._ordered for line in measured.said)

    @property
    def _ordered(self) -> list[Measured]:
        return [self.main, *(one for name, one in self.outcomes.items() if name != self.objective)]


def write_measurement(folder: Path, found: Measurement) -> None:
    """Write a measurement and its tables into a new ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, measured in found.outcomes.items():
        for kind, table in measured.tables.items():
            write_table(folder / f"{name}.{kind}.csv", table.columns, table.rows)
    content = {
        "hakken": hakken.__version__,
        "study": found.study,
        "scale": found.scale,
        "model": found.model,
        "part": found.part,
        "objective": found.objective,
        "outcomes": {name: measured.as_dict() for name, measured in found.outcomes.items()},
        "folds": [{name: measured.as_dict() for name, measured in fold.items()} for fold in found.folds],
        "hashes": dict(found.hashes or {}),
    }
    tables = {path.name: sha256_file(path) for path in sorted(folder.glob("*.csv"))}
    write_sealed(folder / FILE, content | {"tables": tables})


def read_measurement(folder: Path) -> Measurement:
    """Return what a folder holds; raises HakkenError where it is no measurement of this version or was changed."""
    content: dict[str, Any] = read_json(folder / FILE)
    try:
        found = Measurement(
            study=content["study"],
            scale=content["scale"],
            model=content["model"],
            part=content["part"],
            objective=content["objective"],
            outcomes={name: measured_of(one) for name, one in content["outcomes"].items()},
            folds=tuple({name: measured_of(one) for name, one in fold.items()} for fold in content["folds"]),
            hashes=content["hashes"],
        )
        _ = content["tables"]  # earlier versions wrote no digests
    except (KeyError, TypeError) as error:
        raise HakkenError(
            f"{folder / FILE}: no measurement of this version of hakken ({error}); measure again"
        ) from None
    read_sealed(folder / FILE, REDO)
    return found


def table_of(folder: Path, outcome: str, table: str, columns: tuple[str, ...]) -> Table:
    """Return a table of a measurement; raises HakkenError where it is not the one that was written."""
    path = folder / f"{outcome}.{table}.csv"
    known = read_sealed(folder / FILE, REDO).get("tables", {}).get(path.name)
    return read_table(require_same(path, known, REDO) if known else path, columns)
