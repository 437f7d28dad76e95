"""Stage `figure_search`: the course of the search and the use of its slots."""

from __future__ import annotations

from pathlib import Path

from hakken.core.console import progress
from hakken.plots.publish import publish
from hakken.plots.search import SearchInput, draw_search
from hakken.plots.style import Origin
from hakken.report.figure import cost, provenance, read_trials
from hakken.report.seal import read_openings
from hakken.search.course import utilisation
from hakken.stages import stage
from hakken.study import Study


@stage
def figure_search(
    *, study: Study, trials: list[Path], default: Path, table: Path, openings: Path, code: str, output: list[Path]
) -> None:
    """Draw all ``trials`` of the search, with the objective of the ``default`` trial as a line."""
    records, opened = read_trials(trials), len(read_openings(openings))
    bars = tuple(trial.timed for trial in records)
    given = SearchInput(
        trials=bars,
        slots=study.search.slots,
        default=read_trials([default])[0].objective,
        objective=f"Validation objective\n({study.objective_in_full})",
        origin=Origin(study.title or study.name, study.scale, study.data, opened),
    )
    facts = provenance(
        study,
        figure="search",
        inputs=[*trials, default, table],
        code=code,
        openings=opened,
        trials=[trial.number for trial in records],
        spent=cost(records),
    )
    publish(draw_search(given), output, facts)
    busy = utilisation(bars, study.search.slots)
    progress(f"{len(bars)} trials" + ("" if busy is None else f", slots {100 * busy:.0f} % busy"))
