"""`hakken plan`: jobs of each stage, and what they will cost."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hakken.commands.configured import add_study_options, chosen_studies, read_config
from hakken.commands.parser import add_command
from hakken.commands.rehearsal import CASES, STEPS
from hakken.commands.scored import whole
from hakken.core.names import counted

if TYPE_CHECKING:
    from hakken.cluster.forecast import Forecast
    from hakken.cluster.requests import Request
    from hakken.cluster.site import Site
    from hakken.commands.parser import Subparsers
    from hakken.commands.rehearsal import Rehearsal
    from hakken.report.cost import StageCost
    from hakken.runs.plan import Plan
    from hakken.study import Study

SECONDS = 120
UNTIMED = "not known: this study has not run here at this scale, and nothing was timed (--seconds 0)"


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "plan",
        "count the jobs of a study and time some of it here, to say how many CPU- and GPU-hours it will take",
        "hakken plan --study brain_metastasis --scale paper",
        run,
    )
    add_study_options(parser)
    parser.add_argument(
        "--seconds",
        type=whole,
        default=SECONDS,
        metavar="N",
        help=f"how long to time a study here that has not run at this scale; 0: not at all (default: {SECONDS})",
    )
    parser.add_argument(
        "--profile",
        metavar="NAME",
        help="show also the queue, the GPUs and the tokens of each stage with this profile, by name or path",
    )


def run(options: argparse.Namespace) -> None:
    """Print one table for each study, of the jobs that the workflow engine itself says there are."""
    from hakken.runs.configured import plan_of

    cases_per_job = read_config()["cases_per_job"]
    for study in chosen_studies(options):
        plan = plan_of(study, cases_per_job)
        cases = f"{len(plan.cohort.cohort)} cases" if plan.cohort else "no cases"
        print(f"{study.name} at scale {study.scale}: {cases}", *describe_search(study), sep="\n")
        print(*_table(plan, options.profile, options.seconds), sep="\n")


def describe_search(study: Study) -> Iterator[str]:
    """Yield lines that say who proposes, what the search begins with, when it stops, and what else is trained."""
    from hakken.runs.choice import FURTHER_SEEDS
    from hakken.runs.plan import Plan
    from hakken.runs.table import comparison_runs, variant_runs
    from hakken.runs.warm_start import tried_first

    search, start = study.search, study.search.warm_start
    if search.space:
        begins = ["the study's own parameters"] if tried_first(study) else []
        if start is not None and study.source is not None:
            what = f"the {start.top} best" if start.mode == "first" else "all trials, as a prior,"
            begins.append(f"{what} of {study.source[0]} at scale {study.source[1]}")
        begin = f"begins with {' and '.join(begins)}; " if begins else ""
        early = ", ends trainings below the median of the others" if search.stopping == "median" else ""
        yield f"search: {search.trials} trials, {search.slots} trainings at once, proposed by `{search.sampler}`"
        yield f"  {begin}stops after {search.stop_after_failures} failures in a row{early}"
    if search.confirm:
        further = counted(search.confirm * FURTHER_SEEDS, "training")
        yield f"  trains the best {search.confirm} of them again with {FURTHER_SEEDS} more seeds each: {further}"
    if search.ensemble > 1:
        sizes = "2" if search.ensemble == 2 else f"2 to {search.ensemble}"
        yield f"  tries the averages of the best {sizes} of them on validation"
    if study.crossed:
        left = study.evaluation.leave_out
        each = f"{study.evaluation.folds} folds" if left is None else f"{len(left.values)} kinds that are left out"
        yield f"cross-validation: all of it in each of {each}"
    if variants := variant_runs(study):
        plan = Plan(study, None)
        own = sum(plan.asks_in(run) == run for run in variants)
        shared = f"; {len(variants) - own} more with the model of the study itself" if own < len(variants) else ""
        yield f"variants: {counted(own, 'training')} in {counted(len(study.variants), 'set')}{shared}"
    if runs := comparison_runs(study):
        total = sum(run.trials for run in runs)
        yield f"target `comparison`, not counted here: {total} trials in {len(runs)} sweeps"


def _table(plan: Plan, profile: str | None, seconds: int) -> Iterator[str]:
    """Yield the lines of the table of stages, and below it where the timings are from."""
    from hakken.cluster.forecast import describe_chain, forecasts
    from hakken.cluster.requests import ask, largest
    from hakken.cluster.site import Site, read_site
    from hakken.commands.profile import find_profile
    from hakken.report.cost import TRIAL
    from hakken.report.earlier import longest_training

    study = plan.study
    site = read_site(find_profile(profile)) if profile else Site(Path(), {})
    requests = ask(profile, study.name, study.scale)
    timed = _timings(plan, requests, seconds)
    folder = timed.folder
    rows = forecasts(requests, site, timed.costs, timed.gpu_seconds)
    if profile:
        yield f"with {site.path}"
        yield from _by_queue(rows, site)
        training = largest([request for request in requests if request.stage == TRIAL])
        yield describe_chain(training, site, longest_training(folder) if folder else None)
    else:
        yield from _by_stage(rows)
    yield from timed.source


@dataclass(frozen=True)
class _Timings:
    """What a job of each stage costs, the GPU-seconds of a training, and where that is known from."""

    costs: tuple[StageCost, ...]
    gpu_seconds: float | None
    folder: Path | None
    source: tuple[str, ...]


def _timings(plan: Plan, requests: Mapping[Request, int], seconds: int) -> _Timings:
    """Return the timings of a run of this study at this scale and, of what that does not know, those of a rehearsal."""
    from hakken.commands.rehearsal import costs_of, rehearse
    from hakken.core.console import progress
    from hakken.report.cost import TRIAL
    from hakken.report.earlier import earlier_costs, earlier_run

    folder = earlier_run(Path("results"), plan.study.name, plan.study.scale)
    costs, gpu_seconds = earlier_costs(folder) if folder else ((), None)
    source = [f"timings of {folder}"] if folder else []
    known = {cost.stage for cost in costs}
    if TRIAL in known or not seconds:
        return _Timings(costs, gpu_seconds, folder, tuple(source or [UNTIMED]))
    jobs: dict[str, int] = {}
    for request, count in requests.items():
        jobs[request.stage] = jobs.get(request.stage, 0) + count
    threads = max((request.threads for request in requests if request.stage == TRIAL), default=1)
    progress(f"{plan.study.name} at scale {plan.study.scale}: timing some cases and steps, at most {seconds} s")
    found = rehearse(plan, threads, seconds)
    more = [cost for cost in costs_of(plan, jobs, found) if cost.stage not in known]
    source += _said_of(found, threads, seconds)
    return _Timings((*costs, *more), gpu_seconds or found.gpu_seconds(plan), folder, tuple(source))


def _said_of(found: Rehearsal, threads: int, seconds: int) -> Iterator[str]:
    """Yield what was timed here, and what is not known and why."""
    if found.spent:
        where = "a GPU" if found.on_gpu else f"the CPU, {counted(threads, 'thread')}"
        yield (
            f"timed here on {where}: start-up, {counted(CASES, 'case')}, and {STEPS} steps each at the study's own and "
            "some random parameters; hours are steps and cases times these, right to about a factor of 2 on such a host"
        )
    if not found.ended:
        yield f"not all could be timed in {seconds} s; `?` is not known, --seconds gives more time"
    yield from (f"not known: {what} ({reason})" for what, reason in found.failed.items())


def _by_stage(rows: Iterable[Forecast]) -> Iterator[str]:
    known = list(rows)
    stages = dict.fromkeys(row.stage for row in known)
    yield f"{'stage':<24}{'jobs':>6}{'CPU-hours':>12}{'GPU-hours':>12}"
    for stage in (*stages, "all"):
        own = [row for row in known if stage in (row.stage, "all")]
        hours = f"{_total(row.cpu_hours for row in own):>12}{_total(row.gpu_hours for row in own):>12}"
        yield f"{stage:<24}{sum(row.jobs for row in own):>6}{hours}"


def _by_queue(rows: Iterable[Forecast], site: Site) -> Iterator[str]:
    known = list(rows)
    counted = site.rates.counted
    head = f"{'stage':<24}{'queue':<12}{'jobs':>6}{'GPUs':>6}{'minutes':>9}{'CPU-hours':>12}{'GPU-hours':>12}"
    yield head + (f"{'tokens':>10}" if counted else "")
    for row in known:
        limit = "-" if row.minutes is None else row.minutes
        line = f"{row.stage:<24}{row.queue:<12}{row.jobs:>6}{row.gpus:>6}{limit:>9}"
        line += f"{_hours(row.cpu_hours):>12}{_hours(row.gpu_hours):>12}"
        yield line + (f"{_hours(row.tokens, 1):>10}" if counted else "")
    line = f"{'all':<36}{sum(row.jobs for row in known):>6}{'':>15}"
    line += f"{_total(row.cpu_hours for row in known):>12}{_total(row.gpu_hours for row in known):>12}"
    yield line + (f"{_total((row.tokens for row in known), 1):>10}" if counted else "")


def _total(hours: Iterable[float | None], digits: int = 3) -> str:
    """Return the sum, with `>` before it where some are not known; a question mark where the others come to nothing."""
    values = list(hours)
    total = sum(value for value in values if value is not None)
    if None not in values:
        return _hours(total, digits)
    return f">{_hours(total, digits)}" if total else "?"


def _hours(value: float | None, digits: int = 3) -> str:
    return "?" if value is None else f"{value:.{digits}f}"
