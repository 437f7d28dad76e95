"""The bill of a run: what each figure has cost, with every job that it needs, and what that is in a site's tokens.

Which jobs a figure needs follows from their files: each job has written down what went in and what came out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hakken.report.cost import JobCost
from hakken.report.tokens import Rates

FIGURE = "figure"


@dataclass(frozen=True)
class Charge:
    """What some jobs have cost together; ``tokens`` are None where the site counts none."""

    name: str
    jobs: int
    cpu_hours: float
    gpu_hours: float
    tokens: float | None


def needed(job: JobCost, jobs: Iterable[JobCost]) -> tuple[JobCost, ...]:
    """Return the jobs whose files a job was made from, directly or through others; itself is one of them."""
    known = list(jobs)
    makers = {path: one for one in known for path in one.outputs}
    found: dict[tuple[str, str], JobCost] = {}
    waiting = [job]
    while waiting:
        one = waiting.pop()
        if (one.stage, one.job) not in found:
            found[one.stage, one.job] = one
            waiting += [makers[path] for path in one.inputs if path in makers]
    return tuple(one for one in known if (one.stage, one.job) in found)


def figure_charges(figures: Iterable[str], jobs: tuple[JobCost, ...], rates: Rates) -> tuple[Charge, ...]:
    """Return what each figure has cost, with all jobs that it needs: a job that several need is counted in each."""
    drawn = {job.job: job for job in jobs if job.stage == FIGURE}
    return tuple(charge(figure, needed(drawn[figure], jobs), rates) for figure in figures if figure in drawn)


def stage_charges(jobs: tuple[JobCost, ...], rates: Rates) -> tuple[Charge, ...]:
    """Return what each stage has cost, in the order of the jobs."""
    stages = dict.fromkeys(job.stage for job in jobs)
    return tuple(charge(stage, [job for job in jobs if job.stage == stage], rates) for stage in stages)


def charge(name: str, jobs: Iterable[JobCost], rates: Rates) -> Charge:
    """Return what jobs have cost together: a job with a GPU is charged for its GPUs, another for one node."""
    chosen = list(jobs)
    gpu_hours = sum(job.gpu_seconds for job in chosen) / 3600
    node_hours = sum(job.all_seconds for job in chosen if not job.gpu_seconds) / 3600
    return Charge(
        name,
        len(chosen),
        sum(job.all_cpu_seconds for job in chosen) / 3600,
        gpu_hours,
        rates.tokens(gpu_hours, node_hours) if rates.counted else None,
    )
