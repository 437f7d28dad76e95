"""Stage `figure_comparison`: how far and how fast sweeps get with different numbers of trainings at once."""

from __future__ import annotations

from pathlib import Path

from hakken.core.console import progress
from hakken.core.errors import HakkenError
from hakken.plots.comparison import ComparisonInput, draw_comparison
from hakken.plots.publish import publish
from hakken.plots.slots import time_text
from hakken.plots.style import Origin
from hakken.report.comparison import DEFAULT, Plan, notes, read_comparison, write_comparison
from hakken.report.figure import cost, provenance, read_trials
from hakken.report.seal import read_openings
from hakken.search.comparison import Group, common_level, speeds
from hakken.stages import stage
from hakken.study import Study
from hakken.runs.table import comparison_sweeps


@stage
def figure_comparison(
    *,
    study: Study,
    trials: list[Path],
    default: Path | None,
    table: Path,
    openings: Path,
    code: str,
    comparison: Path,
    output: list[Path],
) -> None:
    """Write the table ``comparison`` of all ``trials`` of the compared sweeps and draw the figure from it.

    Raises HakkenError where the study compares no sweeps or one of them has no trial.
    """
    plans = sweep_plans(study)
    if not plans:
        raise HakkenError(f"study `{study.name}` compares no sweeps: give it the key `search.comparison`")
    files = [*trials, *([] if default is None else [default])]
    records, opened = read_trials(files), len(read_openings(openings))
    write_comparison(comparison, plans if default is None else plans | {DEFAULT: Plan(DEFAULT, 1, 0)}, records)
    given = comparison_input(study, comparison, opened)
    facts = provenance(
        study,
        figure="comparison",
        inputs=[*files, table],
        code=code,
        openings=opened,
        trials={name: [trial.number for trial in records if trial.sweep == name] for name in plans},
        spent=cost(records),
    )
    publish(draw_comparison(given), output, facts)
    progress(reading(given.groups))


def comparison_input(study: Study, comparison: Path, openings: int) -> ComparisonInput:
    """Return what the figure shows, from its table alone."""
    read = read_comparison(comparison)
    return ComparisonInput(
        sweeps=read.sweeps,
        default=read.default,
        notes=notes(read),
        objective=f"Best validation objective so far\n({study.objective_in_full})",
        origin=Origin(study.title or study.name, study.scale, study.data, openings),
    )


def sweep_plans(study: Study) -> dict[str, Plan]:
    """Return the compared sweeps of a study by name; repeats of one sampler and number of slots count from 0."""
    plans: dict[str, Plan] = {}
    for sweep in comparison_sweeps(study):
        repeat = sum((plan.sampler, plan.slots) == (sweep.sampler, sweep.slots) for plan in plans.values())
        plans[sweep.name] = Plan(sweep.sampler, sweep.slots, repeat)
    return plans


def reading(groups: tuple[Group, ...]) -> str:
    """Return in one line how soon each group reaches what all of them reach."""
    level = common_level(groups)
    if level is None:
        return "not all sweeps have an objective"
    found = []
    for group, speed in zip(groups, speeds(groups, level), strict=True):
        faster = "" if speed is None else f" ({speed:.1f} x)"
        found.append(f"{group.sampler} N = {group.slots}: {time_text(group.by_time.reaches(level) or 0.0)}{faster}")
    return f"{level:.3f} reached after: {', '.join(found)}"
