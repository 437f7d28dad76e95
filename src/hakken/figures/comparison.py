"""Figure `comparison`: how far and how fast sweeps get with different numbers of trainings at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hakken.figures import Drawing, Files, Table, cells
from hakken.figures._courses import (
    COURSE,
    OF_SEGMENTS,
    Records,
    course_rows,
    default_rows,
    numbers_of,
    sweeps_of,
    timed,
)
from hakken.figures._models import untuned
from hakken.outcomes import words_of
from hakken.plots.comparison import ComparisonInput, draw_comparison
from hakken.plots.slots import time_text
from hakken.report.figure import TrialRecord, cost
from hakken.runs.table import run_named
from hakken.search.comparison import Group, TimedSweep, common_level, groups_of, sharing, speeds
from hakken.study import Study

INPUTS = {"trials": "trials/comparison", "default": "models/default.json"}
NEEDED = ("trials",)
CAPTION = (
    "The best validation objective so far against finished trainings and against time, for each number of trainings at "
    "once and for random search; below, the slots of every sweep."
)
COLUMNS = ("sweep", "sampler", "slots", "repeat", *COURSE)


def draw(study: Study, files: Files) -> Drawing:
    """Draw the compared sweeps, and the objective of the untuned default."""
    found = sweeps_of(files.all("trials"))
    records = [record for sweep in found.values() for record in sweep]
    sweeps = tuple(_sweep(study, name, own) for name, own in found.items())
    given = ComparisonInput(
        sweeps=sweeps,
        default=untuned(files),
        notes=tuple(_notes(sweeps, records)),
        objective=f"Best validation objective so far\n({words_of(study)})",
        origin=files.origin,
    )
    rows = [row for sweep in sweeps for row in _rows(sweep, found[sweep.name])]
    rows += default_rows(given.default, COLUMNS)
    words = _reading(given.groups)
    columns = (*COLUMNS, *OF_SEGMENTS) if any(record.segments for record in records) else COLUMNS
    table = Table(columns, cells([(*row, *[None] * (len(columns) - len(row))) for row in rows]))
    return Drawing(draw_comparison(given), table, words, numbers_of(found), cost(records))


def _sweep(study: Study, name: str, records: Records) -> TimedSweep:
    """Return a sweep on its own clock; `n4-r1` is repeat 1 of four trainings at once."""
    run = run_named(study, name)
    return TimedSweep(
        name=name,
        sampler=run.sampler,
        slots=run.slots,
        repeat=int(name.rpartition("r")[2]),
        began=min(record.start for record in records),
        trials=timed(records),
        hosts=frozenset(record.machine.host for record in records),
    )


def _rows(sweep: TimedSweep, records: Records) -> Iterator[tuple[Any, ...]]:
    for row in course_rows(records):
        yield sweep.name, sweep.sampler, sweep.slots, sweep.repeat, *row


def _notes(sweeps: Sequence[TimedSweep], records: Sequence[TrialRecord]) -> Iterator[str]:
    """Yield what a reader must know: how lines were averaged, and on what the trainings ran."""
    groups = groups_of(sweeps)
    repeats = _several([len(group.repeats) for group in groups], "repeat")
    trials = _several([round(sum(trial.cost for trial in sweep.trials)) for sweep in sweeps], "training")
    yield (
        f"Lines: best so far, mean over {repeats} of {trials} where all have one; bands: lowest to highest repeat. "
        "Failed and pruned trainings count and take their time."
    )
    if any(record.segments for record in records):
        yield "Where trainings pause at rungs, their segments count by their shares of a full training."
    for group in groups:
        found = [trial.objective or 0.0 for sweep in group.repeats for trial in sweep.trials if trial.counts]
        if group.blind and found:
            count = _several([sum(len(sweep.trials) for sweep in group.repeats)], "training")
            yield f"Best of all {count} of {group.sampler} search: {max(found):.3f}."
    machines = {record.machine for record in records}
    hosts = len({machine.host for machine in machines})
    devices = " and ".join(sorted({machine.device.upper() for machine in machines}))
    threads = _several([machine.threads for machine in machines], "thread")
    shared = " Sweeps ran at the same time on one machine: their times are longer than those of one alone."
    yield (
        f"Ran on {'one machine' if hosts == 1 else f'{hosts} machines'}: {devices}, {threads} a training."
        f"{shared if sharing(sweeps) else ''}"
    )


def _several(numbers: Sequence[int], word: str) -> str:
    """Return a number of things, or its range.

    >>> _several([3, 3], "repeat"), _several([2, 3], "repeat")
    ('3 repeats', '2 to 3 repeats')
    """
    low, high = min(numbers), max(numbers)
    return f"{low} to {high} {word}s" if low < high else f"{high} {word}" + "s" * (high != 1)


def _reading(groups: Sequence[Group]) -> str:
    """Return in one line how soon each group reaches what all of them reach."""
    level = common_level(groups)
    if level is None:
        return "not all sweeps have an objective"
    found = []
    for group, speed in zip(groups, speeds(groups, level), strict=True):
        faster = "" if speed is None else f" ({speed:.1f} x)"
        found.append(f"{group.sampler} N = {group.slots}: {time_text(group.by_time.reaches(level) or 0.0)}{faster}")
    return f"{level:.3f} reached after: {', '.join(found)}"
