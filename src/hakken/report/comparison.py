"""The table of a comparison of sweeps: a row for each finished trial, enough to draw its figure from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from hakken.core.tables import FIRST_ROW
from hakken.core.errors import HakkenError
from hakken.evaluation.findings import Floats
from hakken.report.figure import Machine, TrialRecord
from hakken.report.tables import Cell, numbers, read_rows, write_rows
from hakken.search.comparison import TimedSweep, groups_of, sharing
from hakken.search.course import TimedTrial, best_so_far, finishing_order

COLUMNS = (
    "sweep", "sampler", "slots", "repeat", "finished", "seconds", "best",
    "trial", "state", "objective", "start", "began", "host", "device", "threads",
)  # fmt: skip
DEFAULT = "default"


@dataclass(frozen=True)
class Plan:
    """What a sweep was to be: its sampler, the trainings at once, and which repeat of these it is, from 0."""

    sampler: str
    slots: int
    repeat: int


@dataclass(frozen=True)
class Comparison:
    """The compared sweeps, the objective of the untuned default where it was trained, and where trainings ran."""

    sweeps: tuple[TimedSweep, ...]
    default: float | None
    machines: frozenset[Machine]


def write_comparison(path: Path, plans: Mapping[str, Plan], trials: Sequence[TrialRecord]) -> None:
    """Write the sweeps of ``plans`` in their order, the trials of each in the order in which they finished.

    Raises HakkenError naming a sweep without a trial.
    """
    rows: list[Sequence[Cell]] = []
    for name, plan in plans.items():
        members = [trial for trial in trials if trial.sweep == name]
        if not members:
            raise HakkenError(f"{path}: sweep `{name}` has no trial, so there is nothing to compare it by")
        rows += _rows(name, plan, members)
    write_rows(path, COLUMNS, rows)


def notes(comparison: Comparison) -> tuple[str, ...]:
    """Return what a reader of the figure must know: how lines were averaged, and on what the trainings ran."""
    sweeps = comparison.sweeps
    repeats = _several([len(group.repeats) for group in groups_of(sweeps)], "repeat")
    trials = _several([len(sweep.trials) for sweep in sweeps], "training")
    lines = [
        f"Lines: best so far, mean over {repeats} of {trials} where all have one; bands: lowest to highest repeat. "
        "Failed and pruned trainings count and take their time."
    ]
    for group in groups_of(sweeps):
        found = [trial.objective or 0.0 for sweep in group.repeats for trial in sweep.trials if trial.counts]
        if group.blind and found:
            count = _several([sum(len(sweep.trials) for sweep in group.repeats)], "training")
            lines.append(f"Best of all {count} of {group.sampler} search: {max(found):.3f}.")
    hosts = len({machine.host for machine in comparison.machines})
    devices = " and ".join(sorted({machine.device.upper() for machine in comparison.machines}))
    threads = _several([machine.threads for machine in comparison.machines], "thread")
    shared = " Sweeps ran at the same time on one machine: their times are longer than those of one alone."
    lines.append(
        f"Ran on {'one machine' if hosts == 1 else f'{hosts} machines'}: {devices}, {threads} a training."
        + (shared if sharing(sweeps) else "")
    )
    return tuple(lines)


def _several(numbers: Sequence[int], word: str) -> str:
    """Return a number of things, or its range: `3 repeats`, `2 to 3 repeats`."""
    low, high = min(numbers), max(numbers)
    return f"{low} to {high} {word}s" if low < high else f"{high} {word}" + "s" * (high != 1)


def _rows(name: str, plan: Plan, trials: Sequence[TrialRecord]) -> Iterator[Sequence[Cell]]:
    records = {trial.number: trial for trial in trials}
    began = min(trial.start for trial in trials)
    clock = datetime.fromtimestamp(began, UTC).isoformat(timespec="milliseconds")
    order = finishing_order([trial.timed for trial in trials])
    for finished, (trial, best) in enumerate(zip(order, best_so_far(order), strict=True), start=1):
        machine = records[trial.number].machine
        start, seconds = round(trial.start - began, 3), round(trial.end - began, 3)
        yield (
            *(name, plan.sampler, plan.slots, plan.repeat, finished, seconds, best),
            *(trial.number, trial.state, trial.objective, start, clock),
            *(machine.host, machine.device, machine.threads),
        )


def read_comparison(path: Path) -> Comparison:
    """Read the table; the sweep `default` becomes the untuned default.

    Raises HakkenError naming the file, and the row and column of a value that cannot be used.
    """
    rows = read_rows(path, COLUMNS)
    threads = _known(path, rows, "threads")
    machines = {Machine(row["host"], row["device"], int(count)) for row, count in zip(rows, threads, strict=True)}
    sweeps = _sweeps(path, rows, _trials(path, rows))
    default = next((sweep.trials[0].objective for sweep in sweeps if sweep.name == DEFAULT), None)
    return Comparison(tuple(sweep for sweep in sweeps if sweep.name != DEFAULT), default, frozenset(machines))


def _trials(path: Path, rows: Sequence[Mapping[str, str]]) -> list[TimedTrial]:
    """Return the trial of each row, on the clock of its sweep."""
    number, start, end = (_known(path, rows, column) for column in ("trial", "start", "seconds"))
    objectives = [None if np.isnan(value) else float(value) for value in numbers(path, rows, "objective")]
    return [
        TimedTrial(int(number[place]), row["state"], objectives[place], float(start[place]), float(end[place]))
        for place, row in enumerate(rows)
    ]


def _sweeps(path: Path, rows: Sequence[Mapping[str, str]], trials: Sequence[TimedTrial]) -> list[TimedSweep]:
    """Return the sweeps in the order in which they come."""
    slots, repeat = _known(path, rows, "slots"), _known(path, rows, "repeat")
    places: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(row["sweep"], []).append(place)
    return [
        TimedSweep(
            name=name,
            sampler=rows[first]["sampler"],
            slots=int(slots[first]),
            repeat=int(repeat[first]),
            began=_clock(path, rows[first]["began"]),
            trials=tuple(trials[place] for place in (first, *others)),
            hosts=frozenset(rows[place]["host"] for place in (first, *others)),
        )
        for name, (first, *others) in places.items()
    ]


def _known(path: Path, rows: Sequence[Mapping[str, str]], column: str) -> Floats:
    """Return a column in which every cell holds a number."""
    values = numbers(path, rows, column)
    for empty in np.flatnonzero(np.isnan(values)):
        raise HakkenError(f"{path}: row {empty + FIRST_ROW}, column {column}: a number is missing")
    return values


def _clock(path: Path, time: str) -> float:
    try:
        return datetime.fromisoformat(time).timestamp()
    except ValueError:
        raise HakkenError(f"{path}: column began: `{time}` is no time as 2026-01-31T12:00:00+00:00") from None
