"""`hakken plan`: jobs of each stage, and what they will cost."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from hakken.commands.configured import add_study_options, chosen_studies, read_config
from hakken.commands.parser import add_command

if TYPE_CHECKING:
    from hakken.commands.parser import Subparsers
    from hakken.study import Study


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "plan",
        "count the jobs of a study and estimate its CPU- and GPU-hours from earlier runs",
        "hakken plan --study brain_metastasis --scale paper",
        run,
    )
    add_study_options(parser)


def run(options: argparse.Namespace) -> None:
    """Print one table for each study."""
    for study in chosen_studies(options):
        _print_plan(study, read_config()["cases_per_job"])


def _print_plan(study: Study, cases_per_job: int) -> None:
    from hakken.cohort.batches import plan_cohort
    from hakken.report.plan import describe_search, earlier_costs, earlier_run, plan_stages

    plan = plan_cohort(study, cases_per_job)
    folder = earlier_run(Path("results"), study.name, study.scale)
    costs, gpu_seconds = earlier_costs(folder) if folder else ((), None)
    stages = plan_stages(plan, costs, gpu_seconds)
    rows = [(stage.stage, stage.jobs, stage.cpu_hours, stage.gpu_hours) for stage in stages]
    rows.append(("all", sum(row[1] for row in rows), _sum(row[2] for row in rows), _sum(row[3] for row in rows)))
    print(f"{study.name} at scale {study.scale}: {len(plan.cohort)} cases", *describe_search(study), sep="\n")
    print(f"{'stage':<24}{'jobs':>6}{'CPU-hours':>12}{'GPU-hours':>12}")
    for stage, jobs, cpu_hours, gpu_hours in rows:
        print(f"{stage:<24}{jobs:>6}{_hours(cpu_hours):>12}{_hours(gpu_hours):>12}")
    if folder is None:
        print("no earlier run here to take timings from; run a study at scale `tiny` first")
    else:
        same = folder == Path("results") / study.name / study.scale
        print(f"timings of {folder}" + ("" if same else ", another study or scale: an order of magnitude at best"))


def _sum(hours: Iterable[float | None]) -> float | None:
    """Return the sum of what is known, None where nothing is."""
    known = [value for value in hours if value is not None]
    return sum(known) if known else None


def _hours(value: float | None) -> str:
    return "?" if value is None else f"{value:.3f}"
