"""One sweep in virtual time, and the key under which it is stored."""

from __future__ import annotations

import hashlib
import heapq
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import cache, partial
from typing import Any

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
    proposer: str
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
    """The course of a ``case``, by one ``version`` of its proposer."""

    case: Case
    version: str

    @classmethod
    def from_stored(cls, content: dict[str, Any]) -> Run:
        """Return the run that was stored as a mapping."""
        return cls(**{**content, "case": Case(**content["case"])})

    @property
    def stored(self) -> dict[str, Any]:
        """The run as a mapping of plain values."""
        return asdict(self)


@cache
def problem_of(objective: str, seed: int) -> Problem:
    """Return the problem of a seed; building one takes a while."""
    return OBJECTIVES[objective].problem(seed)


@cache
def warm_up(proposer: str) -> None:
    """Let a proposer import and compile what it needs, so that this is not counted as the time of a proposal."""
    simulate(Case("training9", proposer, slots=2, seed=0, trials=14))


def simulate(case: Case) -> Run:
    """Run one sweep of a proposer on an objective."""
    problem, peer = problem_of(case.objective, case.seed), PEERS[case.proposer]
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


def key(case: Case) -> str:
    """Return under what a sweep is stored: its case, and a digest of the proposer and of what the problem answers."""
    content = [asdict(case), PEERS[case.proposer].version, _answers(case.objective, case.seed)]
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]
    return f"{case.objective} {case.proposer} n{case.slots} t{case.trials} s{case.seed} {digest}"


@cache
def _answers(objective: str, seed: int) -> list[list[str]]:
    """Return what a problem says of eight points, which changes with the code and the tables that it is made of."""
    problem = problem_of(objective, seed)
    return [_answer(problem, number) for number in range(8)]


def _answer(problem: Problem, number: int) -> list[str]:
    u = np.random.default_rng(derive_seed(0, "random", number)).random((1, len(problem.space.dimensions)))
    parameters = cube.decode(problem.space, cube.snap(problem.space, u), 0)
    measured = problem.measure(parameters, number)
    numbers = (problem.best, problem.value(parameters), measured, problem.duration(parameters, number))
    return ["failed" if answer is None else f"{answer:.6g}" for answer in numbers]
