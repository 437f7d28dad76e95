"""The trials of sweeps, in the order in which they finished."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hakken.report.figure import TrialRecord, read_trials
from hakken.search.course import TimedTrial, best_so_far, finishing_order

COURSE = (
    *("finished", "seconds", "best", "trial", "state", "objective", "start", "began"),
    *("host", "device", "threads"),
)
"""Columns of `course_rows`; ``start`` and ``seconds``, the end, count from ``began``, the start of the sweep."""

OF_SEGMENTS = ("job", "since", "until")
"""Where trainings pause at rungs a row is one segment of a training, and these follow: its job, and from which share of
the steps to which."""

Records = Sequence[TrialRecord]


def sweeps_of(paths: Sequence[Path]) -> dict[str, Records]:
    """Return the finished trials of each sweep, by its name."""
    found: dict[str, list[TrialRecord]] = {}
    for record in read_trials(paths):
        found.setdefault(record.sweep, []).append(record)
    return {name: found[name] for name in sorted(found)}


def numbers_of(sweeps: dict[str, Records]) -> list[int] | dict[str, list[int]]:
    """Return the numbers of all trials: of one sweep as they are, of several by sweep."""
    numbers = {name: [record.number for record in records] for name, records in sweeps.items()}
    return next(iter(numbers.values())) if len(numbers) == 1 else numbers


def timed(records: Records) -> tuple[TimedTrial, ...]:
    """Return the trials of a sweep, or the segments of those that paused, with seconds since the first one started."""
    began = min(record.start for record in records)
    return tuple(
        replace(one, start=round(one.start - began, 3), end=round(one.end - began, 3))
        for record in records
        for one in record.spans
    )


def course_rows(records: Records) -> Iterator[tuple[Any, ...]]:
    """Yield a row of `COURSE` for each trial of a sweep, in the order in which they finished."""
    machines = {record.number: record.machine for record in records if not record.segments}
    machines |= {one.place: one.machine for record in records for one in record.segments}
    segments = {one.place: (record.number, one) for record in records for one in record.segments}
    began = datetime.fromtimestamp(min(record.start for record in records), UTC).isoformat(timespec="milliseconds")
    order = finishing_order(timed(records))
    for finished, (trial, best) in enumerate(zip(order, best_so_far(order), strict=True), start=1):
        machine = machines[trial.number]
        number, segment = segments.get(trial.number, (trial.number, None))
        yield (
            *(finished, trial.end, best, number, trial.state, trial.objective, trial.start, began),
            *(machine.host, machine.device, machine.threads),
            *(() if segment is None else (segment.job, segment.since, segment.until)),
        )


def default_rows(objective: float | None, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return the row of the untuned default in a table whose columns end with `COURSE`; none where it is not known."""
    known = {"sweep": "default", "objective": objective}
    return [] if objective is None else [tuple(known.get(column) for column in columns)]
