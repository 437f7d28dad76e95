"""The grid in tables: what each cell reached, what each network reaches under each condition, and what matters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hakken.errors import HakkenError
from hakken.evaluation.anova import Factor, anova
from hakken.evaluation.classification import Classified, ClassMeasurement, compare, mean_difference, measure_classes
from hakken.files import read_json
from hakken.report.tables import Cell as TableCell
from hakken.training.grid_plan import NONE, SCRATCH

COLUMNS = (
    *("network", "start", "kind", "level", "amount", "fold", "state"),
    *("lesions", "accuracy", "balanced_accuracy", "loss", "seconds", "reason"),
)
"""Columns of the table of cells."""

OBSERVATIONS = ("network", "kind", "level", "amount", "fold", "accuracy", "balanced_accuracy")
"""Columns of the tables that an analysis of variance takes."""

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Test:
    """An analysis of variance: its table of observations, by which factors, and its Type II and III effects."""

    observations: str
    factors: tuple[str, ...]
    response: str
    rows: int
    type_ii: list[dict[str, Any]] | None
    type_iii: list[dict[str, Any]] | None
    error: dict[str, Any] | None
    reason: str | None


def read_cells(paths: Sequence[Path]) -> list[Record]:
    """Return the records of cells, in the order of their files."""
    return [read_json(path) for path in paths]


def complete(cells: Sequence[Record]) -> list[Record]:
    """Return the cells whose training did not fail."""
    return [cell for cell in cells if cell["state"] == "complete"]


def cell_rows(cells: Sequence[Record]) -> Iterator[tuple[TableCell, ...]]:
    """Yield each cell as a row of `COLUMNS`; of a failed one what it did not measure is empty."""
    for cell in cells:
        row = {**cell, "amount": f"{cell['amount']:g}", "lesions": len(cell.get("lesions", ()))}
        yield tuple(row.get(column) for column in COLUMNS)


def observations(cells: Sequence[Record], kind: str | None) -> list[Record]:
    """Return the complete cells of a ``kind`` with those that were not moved; without one, all that were moved."""
    kinds = {NONE, kind} if kind else {cell["kind"] for cell in cells} - {NONE}
    return [cell for cell in complete(cells) if cell["kind"] in kinds]


def observation_rows(cells: Sequence[Record]) -> Iterator[tuple[TableCell, ...]]:
    """Yield rows of `OBSERVATIONS`."""
    for cell in cells:
        yield tuple(f"{cell[name]:g}" if name == "amount" else cell[name] for name in OBSERVATIONS)


def variance(cells: Sequence[Record], factors: Sequence[str], observed: str, response: str = "accuracy") -> Test:
    """Return which of the ``factors`` the ``response`` depends on; the folds are the repeated observations.

    Factors of a single level are left out, since there is nothing to compare. Where nothing can be tested the reason
    stands in the place of the effects. ``observed`` is the name of the table that holds the same rows.
    """
    texts = {name: [_text(cell[name]) for cell in cells] for name in factors}
    used = tuple(name for name in factors if len(set(texts[name])) > 1)
    if not used:
        return Test(observed, used, response, len(cells), None, None, None, "no factor has two levels or more")
    try:
        found = anova([Factor.of(name, texts[name]) for name in used], np.array([cell[response] for cell in cells]))
    except HakkenError as error:
        return Test(observed, used, response, len(cells), None, None, None, str(error))
    residual = {"ss": found.error_ss, "df": found.error_df, "ms": found.error_ms}
    effects = [[asdict(effect) for effect in table] for table in (found.type_ii, found.type_iii)]
    return Test(observed, used, response, len(cells), effects[0], effects[1], residual, None)


def pooled(cells: Sequence[Record], classes: tuple[str, ...]) -> tuple[list[int], Classified] | None:
    """Return the lesions of all folds of one network under one condition, by number, and what they are called.

    None where there is no complete cell. Each lesion was left out of the training that speaks of it.
    """
    lesions = sorted((lesion for cell in complete(cells) for lesion in cell["lesions"]), key=lambda one: one["lesion"])
    if not lesions:
        return None
    return [int(one["lesion"]) for one in lesions], Classified(
        classes,
        np.array([one["truth"] for one in lesions], np.int64),
        [one["patient"] for one in lesions],
        np.array([one["probability"] for one in lesions], float),
    )


def condition_entry(
    cells: Sequence[Record], classes: tuple[str, ...], *, resamples: int, seed: int
) -> dict[str, Any] | None:
    """Return what one network reaches under one condition: pooled over the folds, and fold by fold."""
    found = pooled(cells, classes)
    if found is None:
        return None
    measured = measure_classes(found[1], resamples=resamples, seed=seed)
    first = cells[0]
    return {
        **{name: first[name] for name in ("network", "start", "kind", "level", "amount")},
        "folds": [{"fold": cell["fold"], "accuracy": cell["accuracy"]} for cell in complete(cells)],
        "failed": len(cells) - len(complete(cells)),
        **estimates(measured),
    }


def estimates(measured: ClassMeasurement) -> dict[str, Any]:
    """Return accuracy, balanced accuracy and macro AUC with their intervals over patients."""
    return {
        "lesions": len(measured.classified.truth),
        "accuracy": asdict(measured.accuracy),
        "balanced_accuracy": asdict(measured.balanced_accuracy),
        "macro_auc": asdict(measured.macro_auc),
    }


def difference(
    first: tuple[list[int], Classified], second: tuple[list[int], Classified], *, resamples: int, seed: int
) -> dict[str, Any]:
    """Return by how much the first is better than the second on the lesions that both speak of."""
    common = sorted(set(first[0]) & set(second[0]))
    mine, other = (np.searchsorted(numbers, common) for numbers, _ in (first, second))
    patient = np.unique(np.asarray(first[1].patient)[mine], return_inverse=True)[1]
    found = compare(
        first[1].truth[mine],
        np.asarray(patient, np.int64),
        first[1].called[mine],
        second[1].called[other],
        resamples=resamples,
        seed=seed,
    )
    return {"lesions": len(common), **asdict(found)}


def over_conditions(
    cells: Sequence[Record], first: str, second: str, *, resamples: int, seed: int
) -> dict[str, Any] | None:
    """Return by how much the accuracy of one network is above that of another on average over the conditions.

    Of the lesions that both speak of under every condition; None where there is none.
    """
    conditions = sorted({(cell["kind"], cell["level"]) for cell in cells})
    hits: dict[str, dict[int, list[bool]]] = {first: {}, second: {}}
    patients: dict[int, str] = {}
    for cell in complete(cells):
        for lesion in cell["lesions"] if cell["network"] in hits else ():
            right = int(np.argmax(lesion["probability"])) == lesion["truth"]
            hits[cell["network"]].setdefault(lesion["lesion"], []).append(right)
            patients[lesion["lesion"]] = lesion["patient"]
    known = [n for n in sorted(patients) if all(len(one.get(n, ())) == len(conditions) for one in hits.values())]
    if not known:
        return None
    mine, other = (np.array([np.mean(hits[name][n]) for n in known]) for name in (first, second))
    patient = np.asarray(np.unique([patients[n] for n in known], return_inverse=True)[1], np.int64)
    gap = mean_difference(mine, other, patient, resamples=resamples, seed=seed)
    return {"lesions": len(known), "conditions": len(conditions), "accuracy": asdict(gap)}


def transfer_pairs(networks: Sequence[str]) -> list[tuple[str, str]]:
    """Return each network with the one of its name that starts at random."""
    return [(name, f"{name}{SCRATCH}") for name in networks if f"{name}{SCRATCH}" in networks]


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
