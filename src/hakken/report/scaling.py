"""The table of strong scaling: the same training with several numbers of processes, one row for each measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hakken.core.errors import HakkenError
from hakken.core.files import read_json
from hakken.report.tables import Cell, read_rows, write_rows
from hakken.training.scaling import Scaled

COLUMNS = (
    *("processes", "ran", "nodes", "threads", "device", "host", "jobs", "patches"),
    *("step", "seconds", "objective"),
)


def write_scaling(table: Path, trials: Mapping[int, Path]) -> None:
    """Write the table of the trial files, by the number of processes that was asked for.

    Raises HakkenError naming a training that failed.
    """
    rows: list[Sequence[Cell]] = []
    for processes, path in trials.items():
        record = read_json(path)
        if record["state"] != "complete":
            raise HakkenError(
                f"{path}: the training with {processes} processes failed, {record['reason']}: {_why(record)}"
            )
        steps, batch = record["curve"][-1]["step"], record["hyperparameters"]["batch_size"]
        same = (processes, record["processes"], record["nodes"], record["threads"], record["device"], record["host"])
        for point, seconds in zip(record["curve"], record["clock"], strict=True):
            rows.append((*same, len(record["jobs"]), steps * batch, point["step"], seconds, point["objective"]))
    write_rows(table, COLUMNS, rows)


def read_scaling(table: Path) -> tuple[Scaled, ...]:
    """Read the trainings of a table, the fewest processes first."""
    groups: dict[int, list[dict[str, str]]] = {}
    for row in read_rows(table, COLUMNS):
        groups.setdefault(int(row["processes"]), []).append(row)
    return tuple(_scaled(processes, rows) for processes, rows in sorted(groups.items()))


def _scaled(processes: int, rows: Sequence[Mapping[str, str]]) -> Scaled:
    last = rows[-1]
    return Scaled(
        processes=processes,
        ran=int(last["ran"]),
        nodes=int(last["nodes"]),
        threads=int(last["threads"]),
        device=last["device"],
        host=last["host"],
        jobs=int(last["jobs"]),
        patches=int(last["patches"]),
        seconds=tuple(float(row["seconds"]) for row in rows),
        objectives=tuple(float(row["objective"]) for row in rows),
    )


def _why(record: Mapping[str, Any]) -> str:
    return str(record.get("detail") or "see its log")
