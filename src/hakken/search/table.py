"""The one table of a sweep: a row for each trial, a column for each searched parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hakken.core.tables import table_text

COLUMNS = (
    "number",
    "state",
    "objective",
    "reason",
    "start",
    "end",
    "seconds",
    "gpu_seconds",
    "host",
    "jobs",
    "known",
    "pending",
    "later_results",
)


def sweep_table(records: Sequence[Mapping[str, Any]], parameters: Sequence[str]) -> str:
    """Return the trials ``records`` as CSV, by number; the ``parameters`` name the columns after `COLUMNS`.

    A record is what `trials/<trial>.json` holds; its `jobs`, `known` and `pending` become counts. Numbers keep every
    digit, booleans are `true` and `false`, a text stands on one line, and what is not known or inactive is empty.
    """
    rows = []
    for record in sorted(records, key=lambda record: record["number"]):
        values = record.get("parameters", {})
        cells = [record.get(column) for column in COLUMNS] + [values.get(name) for name in parameters]
        rows.append([_cell(cell) for cell in cells])
    return table_text([*COLUMNS, *parameters], rows)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return str(len(value))
    return "" if value is None else " ".join(str(value).splitlines())
