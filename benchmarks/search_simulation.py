"""One sweep in virtual time, and the key under which it is stored."""

from __future__ import annotations

import hashlib
import heapq
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np
from search_objectives import OBJECTIVES, Problem
from search_peers import PEERS

from hakken.core.seeds import derive_seed
from hakken.search import Trial, cube
from hakken.search.trial import Value


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
