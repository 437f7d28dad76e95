"""The tables between masks and what is said of them: masks in runs, and the measures of every case."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hakken.columns import FIRST_ROW
from hakken.errors import HakkenError
from hakken.evaluation.findings import Floats
from hakken.imaging.prepared import PreparedCase
from hakken.inference.masks import COLUMNS, Mask, mask_of
from hakken.names import nearest
from hakken.networks.unet import Size
from hakken.report.tables import numbers, read_rows

KEYS = ("case_id", "patient", "levels", "features")
MEASURED = (
    *("truth_ml", "prediction_ml", "dice", "volume_error_ml", "relative_volume_error", "hd95_mm"),
    *("truth_lesions", "found_lesions", "predicted_lesions", "matched_lesions"),
)


@dataclass(frozen=True, eq=False)
class Measured:
    """A measure of every case at one size: case ids, patients and ``values`` (n,), NaN where there is none."""

    cases: tuple[str, ...]
    patients: tuple[str, ...]
    values: Floats

    def aligned(self, other: Measured) -> Floats:
        """Return the values of ``other`` in the order of these cases; raises HakkenError where the cases differ."""
        place = {case: number for number, case in enumerate(other.cases)}
        if set(place) != set(self.cases):
            raise HakkenError("two models were measured on different cases; delete their evaluation to redo it")
        return np.asarray(other.values[[place[case] for case in self.cases]])


def read_masks(path: Path, cases: Sequence[PreparedCase]) -> dict[Size, dict[str, Mask]]:
    """Return the masks (z, y, x) of all ``cases`` by size, the largest first, and case id.

    Raises HakkenError naming the row of an unknown case, and a case that lacks a mask or whose runs do not fit.
    """
    rows = read_rows(path, COLUMNS)
    known = {case.case_id: case.geometry.shape_zyx for case in cases}
    columns = {name: numbers(path, rows, name) for name in COLUMNS[1:]}
    runs: dict[tuple[Size, str], list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        if row["case_id"] not in known:
            place = f"{path}: row {number + FIRST_ROW}, column case_id"
            raise HakkenError(f"{place}: no case `{row['case_id']}` in the cohort{nearest(row['case_id'], known)}")
        size = Size(int(columns["levels"][number]), float(columns["features"][number]))
        runs[size, row["case_id"]].append(number)
    table = np.stack([columns["start"], columns["length"]], 1).astype(np.int64).reshape(-1, 2)
    found: dict[Size, dict[str, Mask]] = {}
    for size in sorted({size for size, _ in runs}, reverse=True):
        found[size] = {}
        for case_id, shape in known.items():
            if (size, case_id) not in runs:
                raise HakkenError(f"{path}: case {case_id} has no mask at {size.words}; predict it again")
            try:
                found[size][case_id] = mask_of(table[runs[size, case_id]], shape)
            except ValueError as error:
                raise HakkenError(f"{path}: case {case_id}: {error}; predict it again") from None
    return found


def read_measure(path: Path, measure: str = "dice") -> dict[Size, Measured]:
    """Return one measure of every case by size, the largest first, from the table of cases of an evaluation."""
    rows = read_rows(path, (*KEYS, measure))
    levels, features, values = (numbers(path, rows, name) for name in ("levels", "features", measure))
    sizes = [Size(int(depth), float(width)) for depth, width in zip(levels, features, strict=True)]
    found = {}
    for size in sorted(set(sizes), reverse=True):
        chosen = [number for number, own in enumerate(sizes) if own == size]
        found[size] = Measured(
            tuple(rows[number]["case_id"] for number in chosen),
            tuple(rows[number]["patient"] for number in chosen),
            values[chosen],
        )
    return found
