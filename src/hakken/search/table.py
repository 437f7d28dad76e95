"""The one table of a sweep: a row for each trial, a column for each searched parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hakken.core.tables import Cell

COLUMNS = (
    "number",
    "place",
    "state",
    "objective",
    "reason",
    "start",
    "end",
    "seconds",
    "gpu_seconds",
    "waited_share",
    "validation_share",
    "host",
    "jobs",
    "known",
    "pending",
    "later_results",
)

CONFIRMED = ("trainings", "mean", "lowest", "highest")
"""Columns of a sweep whose best trials were trained again: over all trainings of a trial that were complete."""


AT_RUNGS = ("rung", "segments")
"""Columns of a sweep whose trainings pause: the highest rung that one has come to (1: its end), in how many steps."""


def sweep_table(
    records: Sequence[Mapping[str, Any]], parameters: Sequence[str], further: Sequence[str] = ()
) -> tuple[list[str], list[list[Cell]]]:
    """Return the columns and the rows of the trials ``records``, by number.

    The columns ``further`` come after `COLUMNS`, the ``parameters`` last.

    A record is what `trials/<trial>.json` holds; its `jobs`, `known` and `pending` become counts. Numbers keep every
    digit, booleans are `true` and `false`, a text stands on one line, and what is not known or inactive is empty.
    """
    rows: list[list[Cell]] = []
    for record in sorted(records, key=lambda record: record["number"]):
        values = record.get("parameters", {})
        cells = [record.get(column) for column in (*COLUMNS, *further)] + [values.get(name) for name in parameters]
        rows.append([_cell(cell) for cell in cells])
    return [*COLUMNS, *further, *parameters], rows


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return str(len(value))
    return "" if value is None else " ".join(str(value).splitlines())
