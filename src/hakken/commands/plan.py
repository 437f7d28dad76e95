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
    parser.add_argument(
        "--profile",
        metavar="NAME",
        help="show also the queue, the GPUs and the tokens of each stage with this profile, by name or path",
    )


def run(options: argparse.Namespace) -> None:
    """Print one table for each study."""
    cases_per_job = read_config()["cases_per_job"]
    for study in chosen_studies(options):
        if options.profile:
            _print_forecast(study, options.profile, cases_per_job)
        else:
            _print_plan(study, cases_per_job)


def _print_forecast(study: Study, profile: str, cases_per_job: int) -> None:
    from hakken.cluster.forecast import describe_chain, forecasts
    from hakken.cluster.requests import ask, largest
    from hakken.cluster.site import read_site
    from hakken.cohort.batches import plan_cohort
    from hakken.commands.profile import find_profile
    from hakken.report.cost import TRIAL
    from hakken.report.plan import describe_search, earlier_costs, earlier_run, longest_training

    site = read_site(find_profile(profile))
    requests = ask(profile, study.name, study.scale)
    cases = len(plan_cohort(study, cases_per_job).cohort)
    folder = earlier_run(Path("results"), study.name, study.scale)
    costs, gpu_seconds = earlier_costs(folder) if folder else ((), None)
    rows = forecasts(requests, site, costs, gpu_seconds)
    print(f"{study.name} at scale {study.scale}: {cases} cases, with {site.path}", *describe_search(study), sep="\n")
    print(f"{'stage':<24}{'queue':<12}{'jobs':>6}{'GPUs':>6}{'minutes':>9}{'CPU-hours':>12}{'GPU-hours':>12}", end="")
    print(f"{'tokens':>10}" if site.rates.counted else "")
    for row in rows:
        limit = "-" if row.minutes is None else row.minutes
        print(f"{row.stage:<24}{row.queue:<12}{row.jobs:>6}{row.gpus:>6}{limit:>9}", end="")
        print(f"{_hours(row.cpu_hours):>12}{_hours(row.gpu_hours):>12}", end="")
        print(f"{_hours(row.tokens, 1):>10}" if site.rates.counted else "")
    print(f"{'all':<36}{sum(row.jobs for row in rows):>6}{'':>15}", end="")
    print(f"{_total(row.cpu_hours for row in rows):>12}{_total(row.gpu_hours for row in rows):>12}", end="")
    print(f"{_total((row.tokens for row in rows), 1):>10}" if site.rates.counted else "")
    training = largest([request for request in requests if request.stage == TRIAL])
    print(describe_chain(training, site, longest_training(folder) if folder else None))
    _print_source(folder, study)


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
    _print_source(folder, study)


def _print_source(folder: Path | None, study: Study) -> None:
    """Say where the timings are from."""
    if folder is None:
        print("no earlier run here to take timings from; run a study at scale `tiny` first")
    else:
        same = folder == Path("results") / study.name / study.scale
        print(f"timings of {folder}" + ("" if same else ", another study or scale: an order of magnitude at best"))


def _sum(hours: Iterable[float | None]) -> float | None:
    """Return the sum of what is known, None where nothing is."""
    known = [value for value in hours if value is not None]
    return sum(known) if known else None


def _total(hours: Iterable[float | None], digits: int = 3) -> str:
    """Return the sum, with `>` before it where some are not known; a question mark where the others come to nothing."""
    values = list(hours)
    total = sum(value for value in values if value is not None)
    if None not in values:
        return _hours(total, digits)
    return f">{_hours(total, digits)}" if total else "?"


def _hours(value: float | None, digits: int = 3) -> str:
    return "?" if value is None else f"{value:.{digits}f}"
