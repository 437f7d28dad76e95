"""One sweep in virtual time, and a cache of finished ones that survives a kill."""

from __future__ import annotations

import hashlib
import heapq
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import cache, partial
from pathlib import Path

import numpy as np
from search_objectives import OBJECTIVES, Problem
from search_peers import PEERS

from hakken.core.seeds import derive_seed
from hakken.search import Trial, cube
from hakken.search.rungs import Known, Rungs, Segment, decide
from hakken.search.trial import State, Value


@dataclass(frozen=True)
class Case:
    """Which sweep: ``trials`` trainings, ``slots`` at once."""

    objective: str
    sampler: str
    slots: int
    seed: int
    trials: int


@dataclass(frozen=True)
class Course:
    """What a sweep of n trials gave, in the order in which they finished or asked.

    ``regret`` (n) of the trial with the best measured value so far, ``times`` (n) at which trials finished, in virtual
    seconds, ``known`` (n) results when trial i asked and ``asking`` (n) CPU seconds of its proposal, and the share of
    the slots' time that was ``busy``.
    """

    regret: list[float]
    times: list[float]
    known: list[int]
    asking: list[float]
    busy: float


@dataclass(frozen=True)
class Run(Course):
    """The course of a ``case``, by one ``version`` of its sampler."""

    case: Case
    version: str


@cache
def warm_up(sampler: str) -> None:
    """Let a sampler import and compile what it needs, so that this is not counted as the time of a proposal."""
    simulate(Case("camel", sampler, slots=2, seed=0, trials=14))


def simulate(case: Case) -> Run:
    """Run one sweep of a sampler on an objective."""
    problem, peer = OBJECTIVES[case.objective].problem(case.seed), PEERS[case.sampler]
    ask = partial(peer.propose, seed=case.seed, maximise=problem.maximise)
    course, _ = sweep(problem, ask, case.slots, case.trials)
    return Run(**vars(course), case=case, version=peer.version)


def sweep(
    problem: Problem, propose: Callable[..., dict[str, Value]], slots: int, count: int
) -> tuple[Course, list[Trial]]:
    """Run ``count`` trials: a trial asks when it starts, and starts when a slot is free.

    ``propose`` is called with the space, the trials so far and the ``number``. Returns the course and the trials.
    """
    trials: dict[int, Trial] = {}
    running: list[tuple[float, int]] = []
    course = Course([], [], [], [], 0.0)

    def finish() -> float:
        now, number = heapq.heappop(running)
        parameters = trials[number].parameters
        value = problem.measure(parameters, number)
        trials[number] = Trial(number, parameters, "failed" if value is None else "complete", value)
        course.times.append(now)
        course.regret.append(_regret(problem, trials))
        return now

    occupied = 0.0
    for number in range(count):
        now = finish() if len(running) == slots else 0.0
        begin = time.process_time()
        parameters = propose(problem.space, list(trials.values()), number=number)
        course.asking.append(time.process_time() - begin)
        course.known.append(len(course.times))
        trials[number] = Trial(number, parameters, "running")
        duration = problem.duration(parameters, number)
        occupied += duration
        heapq.heappush(running, (now + duration, number))
    while running:
        finish()
    return replace(course, busy=occupied / (slots * course.times[-1])), list(trials.values())


@dataclass(frozen=True)
class Event:
    """A finished segment of a sweep with rungs: what it was, when it ended, what all until then have cost.

    ``seconds`` are virtual, ``spent`` full trainings; ``objective`` is what the training had, None where it failed.
    """

    segment: Segment
    seconds: float
    spent: float
    objective: float | None
    complete: bool


def rung_sweep(
    rungs: Rungs,
    *,
    jobs: int,
    slots: int,
    propose: Callable[[tuple[Trial, ...], int], Mapping[str, Value]],
    measure: Callable[[Mapping[str, Value], Fraction], float | None],
    duration: Callable[[Mapping[str, Value], Fraction, Fraction], float],
    maximise: bool = True,
) -> list[Event]:
    """Run so many ``jobs``, each of the steps of a full training, by the decisions of the search itself.

    ``measure`` is the objective of a training after a share of its steps, None where it fails before; ``duration`` the
    seconds from one share to another, start-up included. Without rungs each job is a full training.
    """
    known: list[Known] = []
    running: list[tuple[float, int]] = []
    events: list[Event] = []
    stops = rungs.stops

    def ask(job: int, now: float) -> None:
        segment, parameters = decide(rungs, known, job=job, budget=jobs, propose=propose, maximise=maximise)
        since, until = stops[segment.since], stops[segment.until]
        heapq.heappush(running, (now + duration(parameters, since, until), len(known)))
        known.append(Known(segment, parameters))

    def finish() -> tuple[int, float]:
        now, place = heapq.heappop(running)
        one = known[place]
        told = {stop: measure(one.parameters, stops[stop]) for stop in range(1, one.segment.until + 1)}
        complete = one.segment.until == rungs.end
        failed = any(value is None for value in told.values())
        state: State = "failed" if failed else "complete" if complete else "paused"
        known[place] = replace(one, state=state, objectives={} if failed else told)
        done = [other.segment for other in known if other.state != "running"]
        value = None if failed else told[one.segment.until]
        events.append(Event(one.segment, now, float(rungs.spent(done)), value, complete))
        return one.segment.job, now

    begun = min(slots, jobs)
    for job in range(begun):
        ask(job, 0.0)
    while running:
        job, now = finish()
        if rungs.spent([one.segment for one in known], job) < 1:
            ask(job, now)
        elif begun < jobs:
            ask(begun, now)
            begun += 1
    return events


def _regret(problem: Problem, trials: dict[int, Trial]) -> float:
    """Return the regret of the trial with the best measured value, of the first trial where all failed."""
    sign = 1.0 if problem.maximise else -1.0
    measured = [trial for trial in trials.values() if trial.measured]
    best = max(measured, key=lambda trial: (sign * (trial.value or 0.0), -trial.number), default=trials[0])
    return problem.regret(best.parameters)


def fingerprint(case: Case) -> str:
    """Return a digest of what the sweep depends on: the sampler's version and what the problem answers."""
    problem = OBJECTIVES[case.objective].problem(case.seed)
    answers = [_answers(problem, number) for number in range(8)]
    content = [asdict(case), PEERS[case.sampler].version, answers]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def _answers(problem: Problem, number: int) -> list[str]:
    u = np.random.default_rng(derive_seed(0, "random", number)).random((1, len(problem.space.dimensions)))
    parameters = cube.decode(problem.space, cube.snap(problem.space, u), 0)
    measured = problem.measure(parameters, number)
    numbers = (problem.best, problem.value(parameters), measured, problem.duration(parameters, number))
    return ["failed" if answer is None else f"{answer:.6g}" for answer in numbers]


def cached(case: Case, folder: Path | None) -> Run:
    """Return the stored sweep where there is one of the same code, else run it and store it."""
    path = _path(case, folder) if folder else None
    if path and path.is_file():
        content = json.loads(path.read_text())
        return Run(**{**content, "case": Case(**content["case"])})
    warm_up(case.sampler)
    run = simulate(case)
    if path:
        store(path, asdict(run))
    return run


def is_cached(case: Case, folder: Path | None) -> bool:
    """Whether there is a stored sweep of the same code."""
    return folder is not None and _path(case, folder).is_file()


def _path(case: Case, folder: Path) -> Path:
    name = f"{case.objective}.{case.sampler}.n{case.slots}.t{case.trials}.s{case.seed}"
    return folder / f"{name}.{fingerprint(case)}.json"


def store(path: Path, content: object) -> None:
    """Write ``content`` as JSON in one step."""
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps(_rounded(content)) + "\n")
    partial.replace(path)


def _rounded(content: object) -> object:
    """Return the content with numbers of nine digits."""
    if isinstance(content, dict):
        return {key: _rounded(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_rounded(value) for value in content]
    return float(np.format_float_scientific(content, 8)) if isinstance(content, float) else content
