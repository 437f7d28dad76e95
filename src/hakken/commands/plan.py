"""`hakken plan`: jobs of each stage, and what they will cost."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hakken.cohort.batches import plan_cohort
from hakken.commands.configured import add_study_options, chosen_studies, read_config
from hakken.commands.parser import add_command
from hakken.report.plan import PlannedStage, earlier_costs, earlier_run, plan_stages
from hakken.study import Study

if TYPE_CHECKING:
    from hakken.commands.parser import Subparsers


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
    plan = plan_cohort(study, cases_per_job)
    folder = earlier_run(Path("results"), study.name, study.scale)
    costs, gpu_seconds = earlier_costs(folder) if folder else ((), None)
    stages = plan_stages(plan, costs, gpu_seconds)
    print(f"{study.name} at scale {study.scale}: {len(plan.cohort)} cases, {study.search.slots} trainings at once")
    print(f"{'stage':<24}{'jobs':>6}{'CPU-hours':>12}{'GPU-hours':>12}")
    for stage in [*stages, _total(stages)]:
        print(f"{stage.stage:<24}{stage.jobs:>6}{_hours(stage.cpu_hours):>12}{_hours(stage.gpu_hours):>12}")
    if folder is None:
        print("no earlier run here to take timings from; run a study at scale `tiny` first")
    else:
        same = folder == Path("results") / study.name / study.scale
        print(f"timings of {folder}" + ("" if same else ", another study or scale: an order of magnitude at best"))


def _total(stages: list[PlannedStage]) -> PlannedStage:
    cpu = [stage.cpu_hours for stage in stages if stage.cpu_hours is not None]
    gpu = [stage.gpu_hours for stage in stages if stage.gpu_hours is not None]
    return PlannedStage(
        "all", sum(stage.jobs for stage in stages), sum(cpu) if cpu else None, sum(gpu) if gpu else None
    )


def _hours(value: float | None) -> str:
    return "?" if value is None else f"{value:.3f}"
