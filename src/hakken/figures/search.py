"""Figure `search`: the course of the search and the use of its slots."""

from __future__ import annotations

from dataclasses import replace

from hakken.figures import Drawing, Files, Table, cells
from hakken.figures._courses import COURSE, course_rows, default_rows, numbers_of, sweeps_of
from hakken.figures._models import untuned
from hakken.outcomes import words_of
from hakken.plots.search import SearchInput, draw_search
from hakken.report.figure import cost
from hakken.search.course import utilisation
from hakken.study import Study

INPUTS = {"trials": "trials/search", "default": "models/default.json"}
NEEDED = ("trials",)
CAPTION = "Every trial of the search, the best objective so far beside the untuned default, and the use of the slots."
COLUMNS = ("sweep", *COURSE)


def draw(study: Study, files: Files) -> Drawing:
    """Draw all trials of the search, those of each fold as a course of its own, and the untuned default."""
    sweeps = sweeps_of(files.all("trials"))
    records = [(fold, record) for fold, sweep in enumerate(sweeps.values()) for record in sweep]
    bars = tuple(replace(record.timed, number=place) for place, (_, record) in enumerate(records))
    given = SearchInput(
        trials=bars,
        slots=study.search.slots,
        default=untuned(files),
        objective=f"Validation objective\n({words_of(study)})",
        origin=files.origin,
        folds=tuple(fold for fold, _ in records),
    )
    busy = utilisation(bars, study.search.slots)
    words = f"{len(bars)} trials" + ("" if busy is None else f", slots {100 * busy:.0f} % busy")
    rows = [(name, *row) for name, sweep in sweeps.items() for row in course_rows(sweep)]
    table = Table(COLUMNS, cells([*rows, *default_rows(given.default, COLUMNS)]))
    return Drawing(draw_search(given), table, words, numbers_of(sweeps), cost([record for _, record in records]))
