"""What a run will cost on a site: jobs by stage and queue, hours and tokens from the timings of an earlier run."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hakken.cluster.requests import Request
from hakken.cluster.site import Site
from hakken.report.cost import TRIAL, StageCost
from hakken.report.tokens import Rates
from hakken.runs.table import SHARED


@dataclass(frozen=True)
class Forecast:
    """The jobs of one stage that go to one queue; hours and tokens are None where no earlier run tells them.

    ``gpus`` and ``minutes`` are those that one job asks for.
    """

    stage: str
    queue: str
    jobs: int
    gpus: int
    minutes: int | None
    cpu_hours: float | None
    gpu_hours: float | None
    tokens: float | None


def forecasts(
    requests: Mapping[Request, int], site: Site, costs: Sequence[StageCost], gpu_seconds: float | None
) -> tuple[Forecast, ...]:
    """Return what the jobs of ``requests`` will cost; ``gpu_seconds`` is what a training took of GPUs, None: unknown.

    A job with a GPU counts its hours of GPUs, another the hours of its nodes.
    """
    known = {cost.stage: cost for cost in costs}
    alike: dict[tuple[str, str, int, int | None, int], int] = {}
    for request, count in requests.items():
        key = (request.stage, site.queue(request), request.gpus, request.minutes, request.nodes)
        alike[key] = alike.get(key, 0) + count
    return tuple(_forecast(key, count, known.get(key[0]), gpu_seconds, site.rates) for key, count in alike.items())


def _forecast(
    key: tuple[str, str, int, int | None, int],
    jobs: int,
    cost: StageCost | None,
    gpu_seconds: float | None,
    rates: Rates,
) -> Forecast:
    stage, queue, gpus, minutes, nodes = key
    if not gpus:
        gpu_hours: float | None = 0.0
        node_hours = jobs * nodes * cost.typical_seconds / 3600 if cost else None
    else:
        each = gpu_seconds if stage == TRIAL else 0.0 if stage == SHARED else _typical_gpu_seconds(cost)
        gpu_hours, node_hours = None if each is None else jobs * each / 3600, 0.0
    told = gpu_hours is not None and node_hours is not None and rates.counted
    return Forecast(
        stage,
        queue,
        jobs,
        gpus,
        minutes,
        jobs * cost.typical_cpu_seconds / 3600 if cost else None,
        gpu_hours,
        rates.tokens(gpu_hours or 0.0, node_hours or 0.0) if told else None,
    )


def _typical_gpu_seconds(cost: StageCost | None) -> float | None:
    return statistics.median(cost.gpu_seconds) if cost is not None and cost.gpu_seconds else None


def describe_chain(request: Request, site: Site, longest_seconds: float | None) -> str:
    """Return how long one training may take in all, and how long the longest of an earlier run took."""
    if request.minutes is None:
        return "a training has no limit of time"
    attempts = site.attempts(request.stage)
    hours = request.minutes / 60
    if attempts is None:
        allowed, most = f"a training is one job of {request.minutes} minutes, {hours:.1f} h", hours
    else:
        most = attempts * hours
        allowed = f"a training is a chain of at most {attempts} jobs of {request.minutes} minutes, {most:.1f} h in all"
    if longest_seconds is None:
        return f"{allowed}; no earlier training tells how long one takes"
    took = longest_seconds / 3600
    enough = "" if took <= most else "; that is not enough: allow more minutes, or more retries"
    return f"{allowed}; the longest of the earlier run took {took:.2f} h{enough}"
