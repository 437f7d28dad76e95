"""Figure `search`: the course of the search and the use of its slots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

from hakken.figures import Drawing, Files, Table, cells
from hakken.figures._courses import COURSE, OF_SEGMENTS, course_rows, default_rows, numbers_of, sweeps_of
from hakken.figures._models import untuned
from hakken.outcomes import words_of
from hakken.plots.search import SearchInput, draw_search
from hakken.report.figure import TrialRecord, cost, read_trials
from hakken.runs.table import CONFIRM, SEARCH
from hakken.search.course import utilisation
from hakken.study import Study

INPUTS = {"trials": "trials/search", "confirm": "trials/confirm", "default": "models/default.json"}
NEEDED = ("trials",)
CAPTION = (
    "Every trial of the search, the best objective so far beside the untuned default, and the use of the slots. Where "
    "the best were trained again with other seeds, a diamond is the mean over the seeds and a bar their range."
)
COLUMNS = ("sweep", *COURSE)


def draw(study: Study, files: Files) -> Drawing:
    """Draw all trials of the search, those of each fold as a course of its own, and the untuned default."""
    sweeps = sweeps_of(files.all("trials"))
    records = [(fold, record) for fold, sweep in enumerate(sweeps.values()) for record in sweep]
    spans = [(fold, one) for fold, record in records for one in record.spans]
    bars = tuple(replace(one, number=place) for place, (_, one) in enumerate(spans))
    again = list({(one.sweep, one.number): one for one in read_trials(files.all("confirm"))}.values())
    given = SearchInput(
        trials=bars,
        slots=study.search.slots,
        default=untuned(files),
        objective=f"Validation objective\n({words_of(study)})",
        origin=files.origin,
        folds=tuple(fold for fold, _ in spans),
        confirmed=_confirmed(records, again),
        trainings=_trainings(records),
    )
    busy = utilisation(bars, study.search.slots)
    words = _words(given) + ("" if busy is None else f", slots {100 * busy:.0f} % busy")
    rows = [(name, *row) for name, sweep in sweeps.items() for row in course_rows(sweep)]
    rows += [tuple(_further(record).get(column) for column in COLUMNS) for record in again]
    rows_and_default = [*rows, *default_rows(given.default, COLUMNS)]
    columns = (*COLUMNS, *OF_SEGMENTS) if given.trainings else COLUMNS
    table = Table(columns, cells([row + (None,) * (len(columns) - len(row)) for row in rows_and_default]))
    spent = cost([*(record for _, record in records), *again])
    return Drawing(draw_search(given), table, words, numbers_of(sweeps), spent)


def _trainings(records: Sequence[tuple[int, TrialRecord]]) -> tuple[int, ...]:
    """Return of which training each segment is, by the place of its record; nothing where trainings do not pause."""
    paused = any(record.segments for _, record in records)
    return tuple(place for place, (_, record) in enumerate(records) for _ in record.spans) if paused else ()


def _words(given: SearchInput) -> str:
    """Return how many trials there were, and with rungs how many trainings and what they cost."""
    if not given.trainings:
        return f"{len(given.trials)} trials"
    found = given.counts
    return f"{found.trainings} trainings ({found.paused} paused, {found.promoted} promoted), {found.spent:g} full spent"


def _confirmed(
    records: Sequence[tuple[int, TrialRecord]], again: Sequence[TrialRecord]
) -> dict[int, tuple[float, ...]]:
    """Return the objectives of all trainings of each trial that was trained again, by its place among ``records``."""
    found: dict[int, tuple[float, ...]] = {}
    for place, (_, record) in _last_places(records):
        sweep = CONFIRM + record.sweep.removeprefix(SEARCH)
        more = [one.objective for one in again if (one.sweep, one.confirms) == (sweep, record.number)]
        if more and record.objective is not None:
            found[place] = (record.objective, *(value for value in more if value is not None))
    return found


def _last_places(records: Sequence[tuple[int, TrialRecord]]) -> Iterator[tuple[int, tuple[int, TrialRecord]]]:
    """Yield each record with the place of its last span among all."""
    ends = accumulate(len(record.spans) for _, record in records)
    yield from zip((end - 1 for end in ends), records, strict=True)


def _further(record: TrialRecord) -> dict[str, Any]:
    """Return the cells of a training that confirms a trial, which has no place on the course of the search."""
    said = {"sweep": record.sweep, "trial": record.confirms, "state": record.state, "objective": record.objective}
    machine = record.machine
    return said | {"host": machine.host, "device": machine.device, "threads": machine.threads}
