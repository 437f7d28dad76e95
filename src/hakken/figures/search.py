"""Figure `search`: the course of the search and the use of its slots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hakken.figures import Drawing, Files, Table, cells
from hakken.figures._courses import COURSE, course_rows, default_rows, numbers_of, sweeps_of
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
    bars = tuple(replace(record.timed, number=place) for place, (_, record) in enumerate(records))
    again = list({(one.sweep, one.number): one for one in read_trials(files.all("confirm"))}.values())
    given = SearchInput(
        trials=bars,
        slots=study.search.slots,
        default=untuned(files),
        objective=f"Validation objective\n({words_of(study)})",
        origin=files.origin,
        folds=tuple(fold for fold, _ in records),
        confirmed=_confirmed(records, again),
    )
    busy = utilisation(bars, study.search.slots)
    words = f"{len(bars)} trials" + ("" if busy is None else f", slots {100 * busy:.0f} % busy")
    rows = [(name, *row) for name, sweep in sweeps.items() for row in course_rows(sweep)]
    rows += [tuple(_further(record).get(column) for column in COLUMNS) for record in again]
    table = Table(COLUMNS, cells([*rows, *default_rows(given.default, COLUMNS)]))
    spent = cost([*(record for _, record in records), *again])
    return Drawing(draw_search(given), table, words, numbers_of(sweeps), spent)


def _confirmed(
    records: Sequence[tuple[int, TrialRecord]], again: Sequence[TrialRecord]
) -> dict[int, tuple[float, ...]]:
    """Return the objectives of all trainings of each trial that was trained again, by its place among ``records``."""
    found: dict[int, tuple[float, ...]] = {}
    for place, (_, record) in enumerate(records):
        sweep = CONFIRM + record.sweep.removeprefix(SEARCH)
        more = [one.objective for one in again if (one.sweep, one.confirms) == (sweep, record.number)]
        if more and record.objective is not None:
            found[place] = (record.objective, *(value for value in more if value is not None))
    return found


def _further(record: TrialRecord) -> dict[str, Any]:
    """Return the cells of a training that confirms a trial, which has no place on the course of the search."""
    said = {"sweep": record.sweep, "trial": record.confirms, "state": record.state, "objective": record.objective}
    machine = record.machine
    return said | {"host": machine.host, "device": machine.device, "threads": machine.threads}
